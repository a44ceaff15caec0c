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
	env := newTestEnv(t)
	first := func() response {
		r := env.act("HV02", "fred", vmReplicating, "primary", "failover", nil)
		env.want("first step", r, http.StatusConflict, "confirmation-required")
		return r
	}
	try := func(what string, r response, change object, code int, slug string) {
		t.Helper()
		env.want(what, env.act("HV02", "fred", vmReplicating, "primary", "failover", env.second("HV02", vmReplicating, r, change)), code, slug)
	}
	r := first()
	if lag, ok := r.json["estimated_loss"].(object)["lag_seconds"].(float64); !ok || lag <= 0 {
		t.Errorf("the estimated loss is %v", r.json["estimated_loss"])
	}
	try("no reason", r, object{"reason": ""}, 409, "confirmation-invalid")
	try("another name", r, object{"vm_name": "other"}, 409, "confirmation-invalid")
	try("no limit of loss", r, object{"max_data_loss_seconds": nil}, 409, "confirmation-invalid")
	try("too little loss accepted", r, object{"max_data_loss_seconds": 1}, 412, "data-loss-exceeded")
	try("negative", r, object{"max_data_loss_seconds": -1}, 400, "bad-request")
	try("a token that never was", r, object{"confirmation_token": strings.Repeat("A", 43)}, 409, "confirmation-invalid")
	env.want("another user", env.act("HV02", "omar", vmReplicating, "primary", "failover", env.second("HV02", vmReplicating, r, nil)), 409, "confirmation-invalid")
	try("void after it was shown", r, nil, 409, "confirmation-invalid")
	r = first()
	env.want("another action", env.act("HV02", "fred", vmReplicating, "primary", "reset-statistics", env.second("HV02", vmReplicating, r, nil)), 409, "confirmation-invalid")
	r = first()
	env.want("another VM", env.act("HV02", "fred", 2, "primary", "failover", env.second("HV02", 2, r, nil)), 409, "confirmation-invalid")
	r = first()
	env.clock.Advance(4 * time.Minute)
	try("too late", r, nil, 409, "confirmation-invalid")
	r = env.act("HV02", "fred", vmReplicating, "primary", "reset-statistics", nil)
	env.finish("suspend", "HV02", env.act("HV02", "fred", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.want("another state", env.act("HV02", "fred", vmReplicating, "primary", "reset-statistics", env.second("HV02", vmReplicating, r, nil)), 409, "confirmation-invalid")
	env.finish("resume", "HV02", env.act("HV02", "fred", vmReplicating, "primary", "resume", nil), "succeeded")
	calls := env.hosts["HV02"].pool.callCount()
	r = first()
	done := env.act("HV02", "fred", vmReplicating, "primary", "failover", env.second("HV02", vmReplicating, r, nil))
	env.finish("in the end", "HV02", done, "succeeded")
	try("once more", r, nil, 409, "invalid-state")
	if n := env.hosts["HV02"].pool.callCount() - calls; n != 1 {
		t.Errorf("%d calls were made, want 1", n)
	}
	for _, line := range env.audited("HV02") {
		if strings.Contains(line.Error, r.json["confirmation_token"].(string)) {
			t.Error("a token is in the audit log")
		}
	}
}

// A dry run tells what would be done, does nothing, and is refused where the call
// would be.
func TestDryRun(t *testing.T) {
	env := newTestEnv(t)
	r := env.act("HV01", "fred", vmReplicating, "primary", "suspend?dry_run=true", nil)
	env.want("dry run", r, 200, "")
	plan, _ := r.json["plan"].(object)
	if plan["method"] != "RequestReplicationStateChangeEx" || plan["expected_state_after"] != "suspended" || plan["parameters"].(object)["RequestedState"] != 7.0 {
		t.Errorf("the plan is %v", plan)
	}
	if loss, _ := r.json["estimated_loss"].(object); loss["lag_seconds"] == nil || loss["pending_bytes"] == nil {
		t.Errorf("the loss is %v", loss)
	}
	r = env.act("HV02", "fred", vmReplicating, "primary", "failover", object{"dry_run": true})
	env.want("of what destroys", r, 200, "")
	if plan, _ := r.json["plan"].(object); plan["expected_state_after"] != "recovered" {
		t.Errorf("the plan is %v", plan)
	}
	if r.json["requires_confirmation"] != true || strings.Contains(r.text, "confirmation_token") {
		t.Errorf("the answer is %s", r)
	}
	env.want("in the wrong state", env.act("HV01", "fred", vmReplicating, "primary", "resume", object{"dry_run": true}), 409, "invalid-state")
	env.want("not as expected", env.act("HV01", "fred", vmReplicating, "primary", "suspend", object{"dry_run": true, "expected_mode": "replica"}), 412, "precondition-failed")
	for _, host := range []string{"HV01", "HV02"} {
		if n := env.hosts[host].pool.callCount(); n > 0 {
			t.Errorf("%d calls were made on %s", n, host)
		}
	}
}

// What must be off is refused while it runs.
func TestPower(t *testing.T) {
	env := newTestEnv(t)
	const name = vmReplicating
	r := env.act("HV01", "fred", name, "primary", "prepare-failover", nil)
	env.want("on", r, 409, "invalid-state")
	if r.json["needs_vm_off"] != true || env.get("HV01", "vic", env.replica(name, "primary")).json["power"] != "on" {
		t.Errorf("it does not say so: %s", r)
	}
	if err := env.world.SetPower(env.vms[name], "HV01", false); err != nil {
		t.Fatal(err)
	}
	env.want("off", env.act("HV01", "fred", name, "primary", "prepare-failover", nil), 202, "")
	if got := env.get("HV01", "vic", env.replica(name, "primary")).json["power"]; got != "off" {
		t.Errorf("its power is %v", got)
	}
}
