package admin

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
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
	env := newTestEnv(t, func(o *Options) { o.WatchInterval = time.Millisecond })
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
	env.writeFile(env.policy, "read_only: true\n"+fullPolicy)
	stopped := func() bool {
		return s.policy.Load().Authorize(authz.Principal{User: "omar"}, authz.Attributes{Role: authz.RoleOwner}) != nil
	}
	for end := time.Now().Add(20 * time.Second); !stopped(); {
		if time.Now().After(end) {
			t.Fatal("the emergency stop has no effect")
		}
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
	env.writeFile(env.policy, "nonsense")
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
		{"rules: [{users: [a], role: king}]", "king"},
		{"rules: [{users: [a], role: owner, methods: [Explode]}]", "Explode"},
		{"rules: [{role: owner}]", "neither users nor subjects"},
		{"rules: [{users: [''], role: owner}]", "empty"},
		{"rules: [{users: [a], role: owner, methods: []}]", "methods is empty"},
		{"rules: [{users: [a], role: owner, vms: '('}]", "missing closing"},
		{"rules: [{users: [a], role: owner, vms: 'a)|(b'}]", "unexpected )"},
		{"rules: [{users: [a], role: owner, force: true}]", "force"},
	} {
		env.writeFile(env.policy, tt.text)
		r := env.request("HV01", "omar", "POST", "/-/reload", nil)
		env.want(tt.text, r, 400, "invalid-parameter")
		if !strings.Contains(r.text, tt.want) {
			t.Errorf("%s: %s does not contain %q", tt.text, r, tt.want)
		}
		env.want("action under the old policy",
			env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
	}
	env.writeFile(env.policy, "rules: [{users: [omar], role: owner}]")
	env.want("reload of a valid policy", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	env.want("action under the new policy",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 403, "forbidden")
	env.writeFile(filepath.Join(filepath.Dir(env.policy), "web.yml"), "basic_auth_users: {}\n")
	env.want("reload of a web config without users",
		env.request("HV01", "omar", "POST", "/-/reload", nil), 400, "invalid-parameter")
	env.want("request without a password", env.get("HV01", "", apiReplicas), 401, "unauthenticated")
}
