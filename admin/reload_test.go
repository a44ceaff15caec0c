package admin

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// An emergency stop takes effect even if the audit log cannot be written.
func TestEmergencyStopWithoutAuditLog(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	unblock := e.blockAuditLog(env)
	env.writeFile(env.policy, "read_only: true\n"+fullPolicy)
	e.server.reloadIfChanged()
	env.want("reload", env.request("HV01", "omar", http.MethodPost, "/-/reload", nil), 503, "audit-unavailable")
	unblock()
	env.want("suspend", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	reloads := 0
	for _, line := range env.auditRecords("HV01") {
		if line.Event == audit.Reload {
			reloads++
		}
	}
	if reloads != 2 {
		t.Errorf("the audit log has %d reloads, want 2", reloads)
	}
}

// A host that hangs does not delay an emergency stop.
func TestEmergencyStopWhileHostHangs(t *testing.T) {
	reloaded := make(chan struct{}, 1)
	env := newTestEnvVia(t, []string{"HV01"}, nil, func(o *Options) { // another host would send the event, too
		o.WatchInterval = time.Millisecond
		o.Events = func(line []byte) error {
			if strings.Contains(string(line), "(changed file)") {
				select {
				case reloaded <- struct{}{}:
				default:
				}
			}
			return nil
		}
	})
	hang := make(chan struct{})
	defer close(hang)
	s := env.hosts["HV01"].server
	reading := make(chan struct{}, 100)
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if _, ok := dst.(*[]msvm.ConcreteJob); ok {
			reading <- struct{}{}
			<-hang
		}
	}
	if err := s.jobs.Begin(job.Record{
		ID: "hangs", State: job.Running, Path: string(msvm.JobRef("J")),
		Created: env.clock.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	<-reading
	env.writeFile(env.policy+".new", "read_only: true\n"+fullPolicy)
	err := os.Rename(env.policy+".new", env.policy)
	for n := 0; err != nil && n < 1000; n++ { // Windows refuses it while the program reads the file
		err = os.Rename(env.policy+".new", env.policy)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-reloaded
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("action after the emergency stop", r, 403, "forbidden")
	if !strings.Contains(r.text, "the policy is read_only") {
		t.Errorf("the response does not name the cause: %s", r)
	}
}

// A changed configuration file is reloaded without a request. A file that is not valid is reported once and not used.
func TestChangedFilesAreReloaded(t *testing.T) {
	env := newTestEnv(t)
	s := env.hosts["HV01"].server
	reloads := func() (n int) {
		for _, line := range env.auditRecords("HV01") {
			if line.Event == audit.Reload && line.User == "(changed file)" {
				n++
			}
		}
		return n
	}
	s.reloadIfChanged()
	if n := reloads(); n > 0 {
		t.Errorf("%d reloads without a change, want 0", n)
	}
	env.writeFile(env.policy, "read_only: true\n"+fullPolicy)
	s.reloadIfChanged()
	env.want("action after an emergency stop",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.writePolicy("nonsense")
	s.reloadIfChanged()
	s.reloadIfChanged()
	if n := reloads(); n != 2 {
		t.Errorf("%d reloads, want 2", n)
	}
	env.want("action under an invalid policy",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.writeFile(env.policy, fullPolicy)
	s.reloadIfChanged()
	env.waitForJob("suspend", "HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.writeFile(s.options.WebConfigFile, "basic_auth_users:\n  ada: "+passwordHash()+"\n")
	s.reloadIfChanged()
	env.want("user who was removed", env.get("HV01", "vic", apiReplicas), 401, "unauthenticated")
}

// A configuration that is not valid is reported, and the old one stays in effect.
func TestInvalidConfigurationIsNotUsed(t *testing.T) {
	env := newTestEnv(t)
	for _, tt := range []struct{ text, want string }{
		{"rules: [{users: [a], role: king, vms: all, host: true}]", "king"},
		{"rules: [{users: [a], role: owner, methods: [Explode], vms: all, host: true}]", "Explode"},
		{"rules: [{role: owner}]", "neither users nor subjects"},
		{"rules: [{users: [''], role: owner, vms: all, host: true}]", "empty"},
		{"rules: [{users: [a], role: owner, methods: [], vms: all, host: true}]", "methods is empty"},
		{"rules: [{users: [a], role: owner, vms: '('}]", "missing closing"},
		{"rules: [{users: [a], role: owner, vms: 'a)|(b'}]", "unexpected )"},
		{"rules: [{users: [a], role: owner, force: true, vms: all, host: true}]", "force"},
	} {
		env.writePolicy(tt.text)
		r := env.request("HV01", "omar", "POST", "/-/reload", nil)
		env.want(tt.text, r, 400, "invalid-parameter")
		if !strings.Contains(r.text, tt.want) {
			t.Errorf("%s: %s does not contain %q", tt.text, r, tt.want)
		}
		env.want("action under the old policy",
			env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
	}
	env.writePolicy("rules: [{users: [omar], role: owner, vms: all, host: true}]")
	env.want("reload of a valid policy", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	env.want("action under the new policy",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 403, "forbidden")
	env.writeFile(filepath.Join(filepath.Dir(env.policy), "web.yml"), "basic_auth_users: {}\n")
	env.want("reload of a web config without users",
		env.request("HV01", "omar", "POST", "/-/reload", nil), 400, "invalid-parameter")
	env.want("request without a password", env.get("HV01", "", apiReplicas), 401, "unauthenticated")
}

// A changed file is noticed by its content, also the web config. Its time and its size do not matter.
func TestFileChangesAreNoticedByContent(t *testing.T) {
	env := newTestEnv(t)
	s := env.hosts["HV01"].server
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	users := "basic_auth_users:\n  vic: " + passwordHash() + "\n"
	reloads := 0
	for _, tt := range []struct {
		name, file, text string
		at               time.Time
		reloaded         bool
	}{
		{"first version", env.policy, fullPolicy, at, false},
		{"no change", env.policy, fullPolicy, at, false},
		{"other time", env.policy, fullPolicy, at.Add(time.Millisecond), false},
		{"earlier time", env.policy, fullPolicy, at, false},
		{"other size", env.policy, "#\n" + fullPolicy, at, true},
		{"other content of the same size and time", env.policy, "\n#" + fullPolicy, at, true},
		{"web config", s.options.WebConfigFile, users, at, true},
		{"no change of the web config", s.options.WebConfigFile, users, at, false},
		{"other time of the web config", s.options.WebConfigFile, users, at.Add(time.Second), false},
		{"other size of the web config", s.options.WebConfigFile, users + "#", at.Add(time.Second), true},
	} {
		env.writeFile(tt.file, tt.text)
		if err := os.Chtimes(tt.file, tt.at, tt.at); err != nil {
			t.Fatal(err)
		}
		s.reloadIfChanged()
		if tt.reloaded {
			reloads++
		}
		got := 0
		for _, line := range env.auditRecords("HV01") {
			if line.Event == audit.Reload {
				got++
			}
		}
		if got != reloads {
			t.Errorf("%s: %d reloads, want %d", tt.name, got, reloads)
			reloads = got
		}
	}
}

// A reload by a user who may call only some methods or whose rule is limited to VMs is refused.
func TestReloadNeedsAnUnlimitedOwner(t *testing.T) {
	env := newTestEnv(t)
	env.writePolicy(`
rules:
  - {users: [vic], role: failover, destructive: true, vms: all, host: true}
  - {users: [olga], role: owner, vms: '.*'}
  - {users: [tim], role: owner, methods: [suspend], vms: all, host: true}
  - {users: [omar], role: owner, vms: all, host: true}
`)
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	for user, code := range map[string]int{"vic": 403, "olga": 403, "tim": 403, "fred": 403, "omar": 200} {
		if r := env.request("HV01", user, http.MethodPost, "/-/reload", nil); r.code != code {
			t.Errorf("reload by %s: got %s, want %d", user, r, code)
		}
	}
}
