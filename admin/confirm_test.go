package admin

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The two steps of what destroys: what the second must bring, and that a token is
// for one thing, once, for a while.
func TestConfirmation(t *testing.T) {
	l := newLab(t)
	first := func() response {
		r := l.act("HV02", "fred", healthy, "primary", "failover", nil)
		l.want("first step", r, http.StatusConflict, "confirmation-required")
		return r
	}
	try := func(what string, r response, change m, code int, slug string) {
		t.Helper()
		l.want(what, l.act("HV02", "fred", healthy, "primary", "failover", l.second("HV02", healthy, r, change)), code, slug)
	}
	r := first()
	if lag, ok := r.json["estimated_loss"].(m)["lag_seconds"].(float64); !ok || lag <= 0 {
		t.Errorf("the estimated loss is %v", r.json["estimated_loss"])
	}
	try("no reason", r, m{"reason": ""}, 409, "confirmation-invalid")
	try("another name", r, m{"vm_name": "other"}, 409, "confirmation-invalid")
	try("no limit of loss", r, m{"max_data_loss_seconds": nil}, 409, "confirmation-invalid")
	try("too little loss accepted", r, m{"max_data_loss_seconds": 1}, 412, "data-loss-exceeded")
	try("negative", r, m{"max_data_loss_seconds": -1}, 400, "bad-request")
	try("a token that never was", r, m{"confirmation_token": strings.Repeat("A", 43)}, 409, "confirmation-invalid")
	l.want("another user", l.act("HV02", "omar", healthy, "primary", "failover", l.second("HV02", healthy, r, nil)), 409, "confirmation-invalid")
	try("void after it was shown", r, nil, 409, "confirmation-invalid")
	r = first()
	l.want("another action", l.act("HV02", "fred", healthy, "primary", "reset-statistics", l.second("HV02", healthy, r, nil)), 409, "confirmation-invalid")
	r = first()
	l.want("another VM", l.act("HV02", "fred", 2, "primary", "failover", l.second("HV02", 2, r, nil)), 409, "confirmation-invalid")
	r = first()
	l.clock.Advance(4 * time.Minute)
	try("too late", r, nil, 409, "confirmation-invalid")
	r = l.act("HV02", "fred", healthy, "primary", "reset-statistics", nil)
	l.finish("suspend", "HV02", l.act("HV02", "fred", healthy, "primary", "suspend", nil), "succeeded")
	l.want("another state", l.act("HV02", "fred", healthy, "primary", "reset-statistics", l.second("HV02", healthy, r, nil)), 409, "confirmation-invalid")
	l.finish("resume", "HV02", l.act("HV02", "fred", healthy, "primary", "resume", nil), "succeeded")
	calls := l.hosts["HV02"].pool.called()
	r = first()
	done := l.act("HV02", "fred", healthy, "primary", "failover", l.second("HV02", healthy, r, nil))
	l.finish("in the end", "HV02", done, "succeeded")
	try("once more", r, nil, 409, "invalid-state")
	if n := l.hosts["HV02"].pool.called() - calls; n != 1 {
		t.Errorf("%d calls were made, want 1", n)
	}
	for _, line := range l.audited("HV02") {
		if strings.Contains(line.Error, r.json["confirmation_token"].(string)) {
			t.Error("a token is in the audit log")
		}
	}
}

// A dry run tells what would be done, does nothing, and is refused where the call
// would be.
func TestDryRun(t *testing.T) {
	l := newLab(t)
	r := l.act("HV01", "fred", healthy, "primary", "suspend?dry_run=true", nil)
	l.want("dry run", r, 200, "")
	plan, _ := r.json["plan"].(m)
	if plan["method"] != "RequestReplicationStateChangeEx" || plan["expected_state_after"] != "suspended" || plan["parameters"].(m)["RequestedState"] != 7.0 {
		t.Errorf("the plan is %v", plan)
	}
	if loss, _ := r.json["estimated_loss"].(m); loss["lag_seconds"] == nil || loss["pending_bytes"] == nil {
		t.Errorf("the loss is %v", loss)
	}
	r = l.act("HV02", "fred", healthy, "primary", "failover", m{"dry_run": true})
	l.want("of what destroys", r, 200, "")
	if plan, _ := r.json["plan"].(m); plan["expected_state_after"] != "recovered" {
		t.Errorf("the plan is %v", plan)
	}
	if r.json["requires_confirmation"] != true || strings.Contains(r.text, "confirmation_token") {
		t.Errorf("the answer is %s", r)
	}
	l.want("in the wrong state", l.act("HV01", "fred", healthy, "primary", "resume", m{"dry_run": true}), 409, "invalid-state")
	l.want("not as expected", l.act("HV01", "fred", healthy, "primary", "suspend", m{"dry_run": true, "expected_mode": "replica"}), 412, "precondition-failed")
	for _, host := range []string{"HV01", "HV02"} {
		if n := l.hosts[host].pool.called(); n > 0 {
			t.Errorf("%d calls were made on %s", n, host)
		}
	}
}

// What must be off is refused while it runs.
func TestPower(t *testing.T) {
	l := newLab(t)
	const name = healthy
	r := l.act("HV01", "fred", name, "primary", "prepare-failover", nil)
	l.want("on", r, 409, "invalid-state")
	if r.json["needs_vm_off"] != true || l.get("HV01", "vic", l.replica(name, "primary")).json["power"] != "on" {
		t.Errorf("it does not say so: %s", r)
	}
	if err := l.world.SetPower(l.vms[name], "HV01", false); err != nil {
		t.Fatal(err)
	}
	l.want("off", l.act("HV01", "fred", name, "primary", "prepare-failover", nil), 202, "")
	if got := l.get("HV01", "vic", l.replica(name, "primary")).json["power"]; got != "off" {
		t.Errorf("its power is %v", got)
	}
}
