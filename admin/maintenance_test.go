package admin

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func (env *testEnv) announce(user string, payload object) response {
	env.Helper()
	return env.do("HV01", user, "POST", apiMaintenance, payload)
}

// shows checks which maintenance the metrics of HV01 tell.
func (env *testEnv) shows(what, want string) {
	env.Helper()
	const head = "# HELP test_maintenance_active Whether maintenance of the host or of a VM is active (1). The series of the host is 0 without maintenance, the series of a VM is absent.\n# TYPE test_maintenance_active gauge\n"
	if err := testutil.CollectAndCompare(env.hosts["HV01"].server.Metrics(), strings.NewReader(head+want), "test_maintenance_active"); err != nil {
		env.Errorf("%s: %v", what, err)
	}
}

// Maintenance is shown from its announcement to its end, outlives a restart, and is
// in the audit log.
func TestMaintenance(t *testing.T) {
	env := newTestEnv(t)
	vm, name := env.vms[vmReplicating], env.name("HV01", vmReplicating)
	until := env.clock.Now().Add(2 * time.Hour)
	const noHost = "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 0\n"
	aVM := `test_maintenance_active{scope="vm",vm="` + name + `",vm_id="` + vm + `"} 1` + "\n"
	env.shows("before", noHost)
	first := env.announce("tim", object{"vm_id": strings.ToLower(vm), "owner": "Ada", "reason": "disks", "until": until})
	env.want("of a VM", first, 201, "")
	env.want("of it again", env.announce("olga", object{"vm_id": vm, "owner": "Bob", "reason": "more disks", "until": until.Add(time.Hour)}), 201, "")
	env.shows("of a VM", noHost+aVM)
	env.restart("HV01")
	env.shows("after a restart", noHost+aVM)
	env.want("it keeps nobody from acting", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
	host := env.announce("tim", object{"owner": "Ada", "reason": "firmware", "until": until})
	env.shows("of the host, too", "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 1\n"+aVM)
	end := apiMaintenance + "/" + host.json["id"].(string) + "/end"
	env.want("ended by a viewer", env.do("HV01", "vic", "POST", end, nil), 403, "forbidden")
	env.want("ended", env.do("HV01", "olga", "POST", end, nil), 200, "")
	env.want("ended again", env.do("HV01", "olga", "POST", end, nil), 409, "invalid-state")
	env.want("no such one", env.do("HV01", "olga", "POST", apiMaintenance+"/nonsense/end", nil), 404, "not-found")
	env.shows("the host's has ended", noHost+aVM)
	env.clock.Advance(2 * time.Hour)
	env.shows("one of two has run out", noHost+aVM)
	env.clock.Advance(time.Hour)
	env.shows("all have run out", noHost)
	all := env.get("HV01", "vic", apiMaintenance).json["maintenance"].([]any)
	if len(all) != 3 || all[0].(object)["active"] != false {
		t.Errorf("there are %v", all)
	}
	env.clock.Advance(keepMaintenance + time.Hour)
	env.restart("HV01")
	if all := env.get("HV01", "vic", apiMaintenance).json["maintenance"].([]any); len(all) != 0 {
		t.Errorf("it is not forgotten: %v", all)
	}
	var actions []string
	for _, line := range env.audited("HV01") {
		if line.Event == audit.Maintenance {
			actions = append(actions, line.Action+" by "+line.User)
		}
	}
	if got := strings.Join(actions, ", "); got != "announce-maintenance by tim, announce-maintenance by olga, announce-maintenance by tim, end-maintenance by olga" {
		t.Errorf("the audit log has %s", got)
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("the host was called %d times", n)
	}
}

func TestMaintenanceRefused(t *testing.T) {
	env := newTestEnv(t)
	until := env.clock.Now().Add(time.Hour)
	for _, tt := range []struct {
		name, user string
		payload    object
		code       int
		slug       string
	}{
		{"a viewer", "vic", object{"owner": "Ada", "reason": "x", "until": until}, 403, "forbidden"},
		{"no owner", "tim", object{"reason": "x", "until": until}, 400, "invalid-parameter"},
		{"no reason", "tim", object{"owner": "Ada", "until": until}, 400, "invalid-parameter"},
		{"no end", "tim", object{"owner": "Ada", "reason": "x"}, 400, "invalid-parameter"},
		{"in the past", "tim", object{"owner": "Ada", "reason": "x", "until": env.clock.Now()}, 400, "invalid-parameter"},
		{"for ever", "tim", object{"owner": "Ada", "reason": "x", "until": until.AddDate(1, 0, 0)}, 400, "invalid-parameter"},
		{"a name", "tim", object{"vm_id": "mail01", "owner": "Ada", "reason": "x", "until": until}, 400, "invalid-parameter"},
		{"no VM", "tim", object{"vm_id": "00000000-0000-0000-0000-000000000000", "owner": "Ada", "reason": "x", "until": until}, 404, "not-found"},
		{"an unknown field", "tim", object{"vm": "mail01", "owner": "Ada", "reason": "x", "until": until}, 400, "bad-request"},
	} {
		env.want(tt.name, env.announce(tt.user, tt.payload), tt.code, tt.slug)
	}
	if err := env.hosts["HV01"].server.audit.Close(); err != nil {
		t.Fatal(err)
	}
	env.want("no audit log", env.announce("tim", object{"owner": "Ada", "reason": "x", "until": until}), 503, "audit-unavailable")
	env.shows("nothing of it", "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 0\n")
	if err := env.hosts["HV01"].server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
}

// A read-only policy stops everybody, at once, and can be ended.
func TestReadOnly(t *testing.T) {
	env := newTestEnv(t)
	env.write(env.policy, "read_only: true\n"+fullPolicy)
	env.want("reload", env.do("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	env.want("act", env.act("HV01", "omar", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.want("announce", env.announce("omar", object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)}), 403, "forbidden")
	env.want("look", env.get("HV01", "vic", env.replica(vmReplicating, "primary")), 200, "")
	env.write(env.policy, fullPolicy)
	env.want("reload by others", env.do("HV01", "fred", "POST", "/-/reload", nil), 403, "forbidden")
	env.want("reload", env.do("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	env.want("act", env.act("HV01", "omar", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
}
