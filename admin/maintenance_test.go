package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func (l *lab) announce(user string, payload m) response {
	l.Helper()
	return l.do("HV01", user, "POST", apiMaintenance, payload)
}

// shows checks which maintenance the metrics of HV01 tell.
func (l *lab) shows(what, want string) {
	l.Helper()
	const head = "# HELP test_maintenance_active 1 while maintenance is announced, of scope host for all of this host, and of scope vm for one VM; host is 0 while none is, a VM is not shown then.\n# TYPE test_maintenance_active gauge\n"
	if err := testutil.CollectAndCompare(l.hosts["HV01"].server.Metrics(), strings.NewReader(head+want), "test_maintenance_active"); err != nil {
		l.Errorf("%s: %v", what, err)
	}
}

// Maintenance is shown from its announcement to its end, outlives a restart, and is
// in the audit log.
func TestMaintenance(t *testing.T) {
	l := newLab(t)
	vm, name := l.vms[healthy], l.name("HV01", healthy)
	until := l.clock.Now().Add(2 * time.Hour)
	const noHost = "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 0\n"
	aVM := `test_maintenance_active{scope="vm",vm="` + name + `",vm_id="` + vm + `"} 1` + "\n"
	l.shows("before", noHost)
	first := l.announce("tim", m{"vm_id": strings.ToLower(vm), "owner": "Ada", "reason": "disks", "until": until})
	l.want("of a VM", first, 201, "")
	l.want("of it again", l.announce("olga", m{"vm_id": vm, "owner": "Bob", "reason": "more disks", "until": until.Add(time.Hour)}), 201, "")
	l.shows("of a VM", noHost+aVM)
	l.restart("HV01")
	l.shows("after a restart", noHost+aVM)
	l.want("it keeps nobody from acting", l.act("HV01", "tim", healthy, "primary", "suspend", m{"dry_run": true}), 200, "")
	host := l.announce("tim", m{"owner": "Ada", "reason": "firmware", "until": until})
	l.shows("of the host, too", "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 1\n"+aVM)
	end := apiMaintenance + "/" + host.json["id"].(string) + "/end"
	l.want("ended by a viewer", l.do("HV01", "vic", "POST", end, nil), 403, "forbidden")
	l.want("ended", l.do("HV01", "olga", "POST", end, nil), 200, "")
	l.want("ended again", l.do("HV01", "olga", "POST", end, nil), 409, "invalid-state")
	l.want("no such one", l.do("HV01", "olga", "POST", apiMaintenance+"/nonsense/end", nil), 404, "not-found")
	l.shows("the host's has ended", noHost+aVM)
	l.clock.Advance(2 * time.Hour)
	l.shows("one of two has run out", noHost+aVM)
	l.clock.Advance(time.Hour)
	l.shows("all have run out", noHost)
	all := l.get("HV01", "vic", apiMaintenance).json["maintenance"].([]any)
	if len(all) != 3 || all[0].(m)["active"] != false {
		t.Errorf("there are %v", all)
	}
	l.clock.Advance(keepMaintenance + time.Hour)
	l.restart("HV01")
	if all := l.get("HV01", "vic", apiMaintenance).json["maintenance"].([]any); len(all) != 0 {
		t.Errorf("it is not forgotten: %v", all)
	}
	var actions []string
	for _, line := range l.audited("HV01") {
		if line.Event == auditMaintenance {
			actions = append(actions, line.Action+" by "+line.User)
		}
	}
	if got := strings.Join(actions, ", "); got != "announce-maintenance by tim, announce-maintenance by olga, announce-maintenance by tim, end-maintenance by olga" {
		t.Errorf("the audit log has %s", got)
	}
	if n := l.hosts["HV01"].pool.called(); n > 0 {
		t.Errorf("the host was called %d times", n)
	}
}

func TestMaintenanceRefused(t *testing.T) {
	l := newLab(t)
	until := l.clock.Now().Add(time.Hour)
	for _, tt := range []struct {
		name, user string
		payload    m
		code       int
		slug       string
	}{
		{"a viewer", "vic", m{"owner": "Ada", "reason": "x", "until": until}, 403, "forbidden"},
		{"no owner", "tim", m{"reason": "x", "until": until}, 400, "invalid-parameter"},
		{"no reason", "tim", m{"owner": "Ada", "until": until}, 400, "invalid-parameter"},
		{"no end", "tim", m{"owner": "Ada", "reason": "x"}, 400, "invalid-parameter"},
		{"in the past", "tim", m{"owner": "Ada", "reason": "x", "until": l.clock.Now()}, 400, "invalid-parameter"},
		{"for ever", "tim", m{"owner": "Ada", "reason": "x", "until": until.AddDate(1, 0, 0)}, 400, "invalid-parameter"},
		{"a name", "tim", m{"vm_id": "mail01", "owner": "Ada", "reason": "x", "until": until}, 400, "invalid-parameter"},
		{"no VM", "tim", m{"vm_id": "00000000-0000-0000-0000-000000000000", "owner": "Ada", "reason": "x", "until": until}, 404, "not-found"},
		{"an unknown field", "tim", m{"vm": "mail01", "owner": "Ada", "reason": "x", "until": until}, 400, "bad-request"},
	} {
		l.want(tt.name, l.announce(tt.user, tt.payload), tt.code, tt.slug)
	}
	if err := l.hosts["HV01"].server.audit.file.Close(); err != nil {
		t.Fatal(err)
	}
	l.want("no audit log", l.announce("tim", m{"owner": "Ada", "reason": "x", "until": until}), 503, "audit-unavailable")
	l.shows("nothing of it", "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 0\n")
	if err := l.hosts["HV01"].server.audit.reopen(); err != nil {
		t.Fatal(err)
	}
}

// A read-only policy stops everybody, at once, and can be ended.
func TestReadOnly(t *testing.T) {
	l := newLab(t)
	l.write(l.policy, "read_only: true\n"+everything)
	l.want("reload", l.do("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	l.want("act", l.act("HV01", "omar", healthy, "primary", "suspend", nil), 403, "forbidden")
	l.want("announce", l.announce("omar", m{"owner": "Ada", "reason": "x", "until": l.clock.Now().Add(time.Hour)}), 403, "forbidden")
	l.want("look", l.get("HV01", "vic", l.replica(healthy, "primary")), 200, "")
	l.write(l.policy, everything)
	l.want("reload by others", l.do("HV01", "fred", "POST", "/-/reload", nil), 403, "forbidden")
	l.want("reload", l.do("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	l.want("act", l.act("HV01", "omar", healthy, "primary", "suspend", m{"dry_run": true}), 200, "")
}
