package admin

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

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
			return db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketJobs).Put([]byte("x"), []byte("{")) })
		},
	} {
		t.Run(what, func(t *testing.T) {
			l := newLab(t)
			e := l.hosts["HV01"]
			l.finish("suspend", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", nil), "succeeded")
			for i := range 200 { // several pages
				if err := e.server.store.put(bucketJobs, fmt.Sprint("old", i), jobRecord{ID: fmt.Sprint("old", i), State: jobSucceeded, Created: l.clock.Now(), Reason: strings.Repeat("x", 200)}); err != nil {
					t.Fatal(err)
				}
			}
			e.close()
			file := filepath.Join(e.folder, storeFile)
			if err := damage(file); err != nil {
				t.Fatal(err)
			}
			l.start("HV01", e.folder)
			lines := l.audited("HV01")
			if last := lines[len(lines)-1]; last.Event != auditDamage || last.Error == "" {
				t.Errorf("the audit log ends with %+v", last)
			}
			aside, _ := filepath.Glob(file + ".damaged-*")
			jobs, _ := l.get("HV01", "vic", apiJobs).json["jobs"].([]any)
			if kept := what == "a record"; kept != (len(aside) == 0) || kept != (len(jobs) == 201) {
				t.Errorf("%d files are set aside, %d jobs are there", len(aside), len(jobs))
			}
			l.finish("resume", "HV01", l.act("HV01", "tim", healthy, "primary", "resume", nil), "succeeded")
		})
	}
}

// Wherever a store is cut off, that is damage, and never the end of the program: memory
// that there is no file for any more is read, too.
func TestCutStore(t *testing.T) {
	dir := tempDir(t)
	whole := filepath.Join(dir, "whole")
	s, _, err := openStore(whole, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if err := s.put(bucketJobs, fmt.Sprint("old", i), jobRecord{ID: fmt.Sprint("old", i), State: jobSucceeded, Reason: strings.Repeat("x", 200)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	faults := 0
	for kib := 8; kib <= 60; kib += 4 {
		file := filepath.Join(dir, fmt.Sprint(kib))
		if err := os.WriteFile(file, text[:kib<<10], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := tryStore(file)
		if !errors.Is(err, errDamaged) {
			t.Errorf("cut off at %d KiB: %v", kib, err)
		}
		if err == nil {
			s.Close()
		} else if strings.Contains(err.Error(), "memory") {
			faults++
		}
	}
	if faults == 0 && runtime.GOOS != "windows" { // where a file grows to what is mapped
		t.Error("no memory was read that there is no file for: cut it off elsewhere")
	}
}

// A store that another program has open is not damaged.
func TestStoreInUse(t *testing.T) {
	l := newLab(t)
	e := l.hosts["HV01"]
	if _, damage, err := openStore(filepath.Join(e.folder, storeFile), l.clock.Now()); err == nil || damage != nil {
		t.Errorf("opened twice: %v, damage %v", err, damage)
	}
	if aside, _ := filepath.Glob(filepath.Join(e.folder, "*damaged*")); len(aside) > 0 {
		t.Errorf("%v", aside)
	}
}

// Files that change are heeded without being asked: the emergency stop, new users. An
// invalid one is kept out, and told of once.
func TestHeed(t *testing.T) {
	l := newLab(t)
	s := l.hosts["HV01"].server
	reloads := func() (n int) {
		for _, line := range l.audited("HV01") {
			if line.Event == auditReload && line.User == "(changed file)" {
				n++
			}
		}
		return n
	}
	s.heed()
	if n := reloads(); n > 0 {
		t.Errorf("%d reloads, and nothing has changed", n)
	}
	l.write(l.policy, "read_only: true\n"+everything)
	s.heed()
	l.want("stopped", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 403, "forbidden")
	l.write(l.policy, "nonsense")
	s.heed()
	s.heed()
	if n := reloads(); n != 2 {
		t.Errorf("%d reloads, want 2", n)
	}
	l.want("still stopped", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 403, "forbidden")
	l.write(l.policy, everything)
	s.heed()
	l.finish("suspend", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", nil), "succeeded")
	l.write(s.o.WebConfigFile, "basic_auth_users:\n  ada: "+passwordHash()+"\n")
	s.heed()
	l.want("a user that is gone", l.get("HV01", "vic", apiReplicas), 401, "unauthenticated")
}

// What is old is forgotten while the program runs, and what has ended does not count.
func TestForget(t *testing.T) {
	l := newLab(t)
	s := l.hosts["HV01"].server
	err := s.store.db.Update(func(tx *bbolt.Tx) error {
		for i := range maxMaintenanceCount {
			text := fmt.Sprintf(`{"id": "%d", "scope": "host", "until": %q}`, i, l.clock.Now().Add(time.Minute).Format(time.RFC3339))
			if err := tx.Bucket(bucketMaintenance).Put([]byte(fmt.Sprint(i)), []byte(text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	announce := func(headers ...string) response {
		return l.do("HV01", "tim", http.MethodPost, apiMaintenance, m{"owner": "tim", "reason": "x", "until": l.clock.Now().Add(time.Hour)}, headers...)
	}
	l.want("too many", announce(), 503, "too-many-actions")
	l.clock.Advance(2 * time.Minute)
	l.want("they have ended", announce(headerIdempotencyKey, "k"), 201, "")
	l.want("the same again", announce(headerIdempotencyKey, "k"), 201, "")
	if all, err := s.calendar.all(); err != nil || len(all) != maxMaintenanceCount+1 {
		t.Errorf("%d are announced, %v", len(all), err)
	}
	l.clock.Advance(40 * 24 * time.Hour)
	s.forget()
	for bucket, name := range map[string][]byte{"maintenance": bucketMaintenance, "answers": bucketAnswers} {
		n := -1
		if err := s.store.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket(name).Stats().KeyN; return nil }); err != nil || n != 0 {
			t.Errorf("%d of %s are left, %v", n, bucket, err)
		}
	}
}

// The audit log can be moved away while it is open, which Windows does not like, and a
// reload goes on in a new one.
func TestRotateAudit(t *testing.T) {
	l := newLab(t)
	file := filepath.Join(l.hosts["HV01"].folder, auditFile)
	l.finish("suspend", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", nil), "succeeded")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	l.want("reload", l.do("HV01", "omar", http.MethodPost, "/-/reload", nil), 200, "")
	l.finish("resume", "HV01", l.act("HV01", "tim", healthy, "primary", "resume", nil), "succeeded")
	old, err := os.ReadFile(file + ".1")
	if err != nil || !bytes.Contains(old, []byte(`"suspend"`)) || bytes.Contains(old, []byte(`"resume"`)) {
		t.Errorf("the old log, %v:\n%s", err, old)
	}
	lines := l.audited("HV01")
	if lines[0].Event != auditReload || lines[0].User != "omar" || lines[len(lines)-1].Action != "resume" {
		t.Errorf("the new log begins with %+v", lines[0])
	}
}

// Who is turned away stands in the log, without a password and not without end; who may
// not reload or announce stands in the audit log.
func TestTurnedAway(t *testing.T) {
	var said bytes.Buffer
	l := newLab(t, func(o *Options) { o.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&said)) })
	l.want("who is not known", l.do("HV01", "mallory", http.MethodGet, apiReplicas, nil), 401, "unauthenticated")
	for range 100 {
		l.want("another name", l.do("HV01", "tim", http.MethodGet, apiReplicas, nil, "Host", "evil.example"), 403, "host-not-allowed")
	}
	l.want("another page", l.do("HV01", "tim", http.MethodPost, "/-/reload", nil, "Origin", "http://evil.example"), 403, "cross-origin")
	l.clock.Advance(time.Minute)
	l.want("another page", l.do("HV01", "tim", http.MethodPost, "/-/reload", nil, "Origin", "http://evil.example"), 403, "cross-origin")
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
	l.want("reload", l.do("HV01", "tim", http.MethodPost, "/-/reload", nil), 403, "forbidden")
	l.want("announce", l.do("HV01", "vic", http.MethodPost, apiMaintenance, m{"owner": "vic", "reason": "x", "until": l.clock.Now().Add(time.Hour)}), 403, "forbidden")
	var refused []string
	for _, line := range l.audited("HV01") {
		if line.Event == auditRefused {
			refused = append(refused, line.User+" "+line.Action)
		}
	}
	if want := []string{"tim reload", "vic announce-maintenance"}; !slices.Equal(refused, want) {
		t.Errorf("refused are %q, want %q", refused, want)
	}
}
