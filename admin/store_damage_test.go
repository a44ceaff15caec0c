package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/store"

	"github.com/go-kit/log"
	"go.etcd.io/bbolt"
)

// A store that is damaged, in whatever way, keeps nothing from starting: it is set
// aside, which the audit log tells, and what can be read is kept.
func TestDamagedStore(t *testing.T) {
	for what, damage := range map[string]func(file string) error{
		"cut off": func(file string) error { return os.Truncate(file, 12<<10) },
		"empty pages": func(file string) error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			clear(text[2*4096:])
			return os.WriteFile(file, text, 0o600)
		},
		"no store": func(file string) error { return os.WriteFile(file, bytes.Repeat([]byte("x"), 64<<10), 0o600) },
		"a record": func(file string) error {
			db, err := bbolt.Open(file, 0o600, nil)
			if err != nil {
				return err
			}
			defer db.Close()
			return db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(job.Bucket)).Put([]byte("x"), []byte("{")) })
		},
	} {
		t.Run(what, func(t *testing.T) {
			env := newTestEnv(t)
			e := env.hosts["HV01"]
			env.finish("suspend", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
			for i := range 200 { // several pages
				if err := e.server.store.Put(job.Bucket, fmt.Sprint("old", i), job.Record{ID: fmt.Sprint("old", i), State: job.Succeeded, Created: env.clock.Now(), Reason: strings.Repeat("x", 200)}); err != nil {
					t.Fatal(err)
				}
			}
			e.close()
			file := filepath.Join(e.folder, storeFile)
			if err := damage(file); err != nil {
				t.Fatal(err)
			}
			env.start("HV01", e.folder)
			lines := env.audited("HV01")
			if last := lines[len(lines)-1]; last.Event != audit.Damage || last.Error == "" {
				t.Errorf("the audit log ends with %+v", last)
			}
			aside, _ := filepath.Glob(file + ".damaged-*")
			jobs, _ := env.get("HV01", "vic", apiJobs).json["jobs"].([]any)
			if kept := what == "a record"; kept != (len(aside) == 0) || kept != (len(jobs) == 201) {
				t.Errorf("%d files are set aside, %d jobs are there", len(aside), len(jobs))
			}
			env.finish("resume", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "resume", nil), "succeeded")
		})
	}
}

// A store that another program has open is not damaged.
func TestStoreInUse(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	if _, damage, err := store.Open(filepath.Join(e.folder, storeFile), env.clock.Now()); err == nil || damage != nil {
		t.Errorf("opened twice: %v, damage %v", err, damage)
	}
	if aside, _ := filepath.Glob(filepath.Join(e.folder, "*damaged*")); len(aside) > 0 {
		t.Errorf("%v", aside)
	}
}

// Files that change are heeded without being asked: the emergency stop, new users. An
// invalid one is kept out, and told of once.
func TestHeed(t *testing.T) {
	env := newTestEnv(t)
	s := env.hosts["HV01"].server
	reloads := func() (n int) {
		for _, line := range env.audited("HV01") {
			if line.Event == audit.Reload && line.User == "(changed file)" {
				n++
			}
		}
		return n
	}
	s.reloadIfChanged()
	if n := reloads(); n > 0 {
		t.Errorf("%d reloads, and nothing has changed", n)
	}
	env.write(env.policy, "read_only: true\n"+fullPolicy)
	s.reloadIfChanged()
	env.want("stopped", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.write(env.policy, "nonsense")
	s.reloadIfChanged()
	s.reloadIfChanged()
	if n := reloads(); n != 2 {
		t.Errorf("%d reloads, want 2", n)
	}
	env.want("still stopped", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.write(env.policy, fullPolicy)
	s.reloadIfChanged()
	env.finish("suspend", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.write(s.options.WebConfigFile, "basic_auth_users:\n  ada: "+passwordHash()+"\n")
	s.reloadIfChanged()
	env.want("a user that is gone", env.get("HV01", "vic", apiReplicas), 401, "unauthenticated")
}

// What is old is forgotten while the program runs, and what has ended does not count.
func TestForget(t *testing.T) {
	env := newTestEnv(t)
	s := env.hosts["HV01"].server
	var entries []store.Entry
	for i := range maxMaintenanceCount {
		m := maintenance{ID: fmt.Sprint(i), Scope: scopeHost, Until: env.clock.Now().Add(time.Minute)}
		entries = append(entries, store.Entry{Bucket: bucketMaintenance, Key: m.ID, Value: m})
	}
	if err := s.store.PutAll(entries...); err != nil {
		t.Fatal(err)
	}
	announce := func(headers ...string) response {
		return env.do("HV01", "tim", http.MethodPost, apiMaintenance, object{"owner": "tim", "reason": "x", "until": env.clock.Now().Add(time.Hour)}, headers...)
	}
	env.want("too many", announce(), 503, "too-many-actions")
	env.clock.Advance(2 * time.Minute)
	env.want("they have ended", announce(headerIdempotencyKey, "k"), 201, "")
	env.want("the same again", announce(headerIdempotencyKey, "k"), 201, "")
	if all, err := s.maintenance.all(); err != nil || len(all) != maxMaintenanceCount+1 {
		t.Errorf("%d are announced, %v", len(all), err)
	}
	env.clock.Advance(40 * 24 * time.Hour)
	s.prune()
	for _, bucket := range []string{bucketMaintenance, bucketResponses} {
		if all, err := store.All[any](s.store, bucket); err != nil || len(all) != 0 {
			t.Errorf("%d values are left in the bucket %s, %v", len(all), bucket, err)
		}
	}
}

// The audit log can be moved away while it is open, which Windows does not like, and a
// reload goes on in a new one.
func TestRotateAudit(t *testing.T) {
	env := newTestEnv(t)
	file := filepath.Join(env.hosts["HV01"].folder, auditFile)
	env.finish("suspend", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	env.want("reload", env.do("HV01", "omar", http.MethodPost, "/-/reload", nil), 200, "")
	env.finish("resume", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "resume", nil), "succeeded")
	old, err := os.ReadFile(file + ".1")
	if err != nil || !bytes.Contains(old, []byte(`"suspend"`)) || bytes.Contains(old, []byte(`"resume"`)) {
		t.Errorf("the old log, %v:\n%s", err, old)
	}
	lines := env.audited("HV01")
	if lines[0].Event != audit.Reload || lines[0].User != "omar" || lines[len(lines)-1].Action != "resume" {
		t.Errorf("the new log begins with %+v", lines[0])
	}
}

// Who is turned away stands in the log, without a password and not without end; who may
// not reload or announce stands in the audit log.
func TestTurnedAway(t *testing.T) {
	var said bytes.Buffer
	env := newTestEnv(t, func(o *Options) { o.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&said)) })
	env.want("who is not known", env.do("HV01", "mallory", http.MethodGet, apiReplicas, nil), 401, "unauthenticated")
	for range 100 {
		env.want("another name", env.do("HV01", "tim", http.MethodGet, apiReplicas, nil, "Host", "evil.example"), 403, "host-not-allowed")
	}
	env.want("another page", env.do("HV01", "tim", http.MethodPost, "/-/reload", nil, "Origin", "http://evil.example"), 403, "cross-origin")
	env.clock.Advance(time.Minute)
	env.want("another page", env.do("HV01", "tim", http.MethodPost, "/-/reload", nil, "Origin", "http://evil.example"), 403, "cross-origin")
	text := said.String()
	if n := strings.Count(text, "type=host-not-allowed"); n < 10 || n > 30 {
		t.Errorf("%d lines about 100 requests", n)
	}
	if !strings.Contains(text, "user=mallory method=GET path="+apiReplicas) || strings.Count(text, "type=cross-origin") != 1 {
		t.Errorf("the log is\n%s", text)
	}
	if strings.Contains(text, password) {
		t.Error("a password is in the log")
	}
	env.want("reload", env.do("HV01", "tim", http.MethodPost, "/-/reload", nil), 403, "forbidden")
	env.want("announce", env.do("HV01", "vic", http.MethodPost, apiMaintenance, object{"owner": "vic", "reason": "x", "until": env.clock.Now().Add(time.Hour)}), 403, "forbidden")
	var refused []string
	for _, line := range env.audited("HV01") {
		if line.Event == audit.Refused {
			refused = append(refused, line.User+" "+line.Action)
		}
	}
	if want := []string{"tim reload", "vic announce-maintenance"}; !slices.Equal(refused, want) {
		t.Errorf("refused are %q, want %q", refused, want)
	}
}
