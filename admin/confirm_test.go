package admin

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A destructive action needs a second request with a token, a reason, the name of the VM and a limit of the data loss.
// A token is valid once, for a limited time, for the same caller, action, VM and state.
func TestConfirmation(t *testing.T) {
	env := newTestEnv(t)
	first := func() response {
		r := env.postAction("HV02", "fred", vmReplicating, "primary", "failover", nil)
		env.want("first request", r, http.StatusConflict, "confirmation-required")
		return r
	}
	confirm := func(what string, r response, change object, code int, slug string) {
		t.Helper()
		env.want(what, env.postAction("HV02", "fred", vmReplicating, "primary", "failover",
			env.confirmation("HV02", vmReplicating, r, change)), code, slug)
	}
	r := first()
	if lag, ok := r.json["estimated_loss"].(object)["lag_seconds"].(float64); !ok || lag <= 0 {
		t.Errorf("the estimated loss is %v", r.json["estimated_loss"])
	}
	confirm("without a reason", r, object{"reason": ""}, 409, "confirmation-invalid")
	confirm("wrong VM name", r, object{"vm_name": "other"}, 409, "confirmation-invalid")
	confirm("without a limit of the data loss", r, object{"max_data_loss_seconds": nil}, 409, "confirmation-invalid")
	confirm("limit of the data loss too low", r, object{"max_data_loss_seconds": 1}, 412, "data-loss-exceeded")
	confirm("negative limit", r, object{"max_data_loss_seconds": -1}, 400, "bad-request")
	confirm("token that was never issued",
		r, object{"confirmation_token": strings.Repeat("A", 43)}, 409, "confirmation-invalid")
	env.want("token of another user",
		env.postAction("HV02", "omar", vmReplicating, "primary", "failover", env.confirmation("HV02", vmReplicating, r, nil)),
		409, "confirmation-invalid")
	confirm("token that was already used", r, nil, 409, "confirmation-invalid")
	r = first()
	env.want("token for another action",
		env.postAction("HV02", "fred", vmReplicating,
			"primary", "reset-statistics", env.confirmation("HV02", vmReplicating, r, nil)), 409, "confirmation-invalid")
	r = first()
	env.want("token for another VM",
		env.postAction("HV02", "fred", 2, "primary", "failover", env.confirmation("HV02", 2, r, nil)), 409,
		"confirmation-invalid")
	r = first()
	env.clock.Advance(4 * time.Minute)
	confirm("expired token", r, nil, 409, "confirmation-invalid")
	r = env.postAction("HV02", "fred", vmReplicating, "primary", "reset-statistics", nil)
	env.waitForJob("suspend", "HV02",
		env.postAction("HV02", "fred", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.want("token for another state",
		env.postAction("HV02", "fred", vmReplicating,
			"primary", "reset-statistics", env.confirmation("HV02", vmReplicating, r, nil)), 409, "confirmation-invalid")
	env.waitForJob("resume", "HV02", env.postAction("HV02", "fred", vmReplicating, "primary", "resume", nil), "succeeded")
	calls := env.hosts["HV02"].pool.callCount()
	r = first()
	done := env.postAction("HV02", "fred",
		vmReplicating, "primary", "failover", env.confirmation("HV02", vmReplicating, r, nil))
	env.waitForJob("failover", "HV02", done, "succeeded")
	confirm("failover again", r, nil, 409, "invalid-state")
	if n := env.hosts["HV02"].pool.callCount() - calls; n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	for _, line := range env.auditRecords("HV02") {
		if strings.Contains(line.Error, r.json["confirmation_token"].(string)) {
			t.Error("the audit log contains a token")
		}
	}
}

// A dry run returns what the request would do, calls nothing, and is refused where the call would be refused.
func TestDryRun(t *testing.T) {
	env := newTestEnv(t)
	r := env.postAction("HV01", "fred", vmReplicating, "primary", "suspend?dry_run=true", nil)
	env.want("dry run", r, 200, "")
	plan, _ := r.json["plan"].(object)
	if plan["method"] != "RequestReplicationStateChangeEx" || plan["expected_state_after"] != "suspended" ||
		plan["parameters"].(object)["RequestedState"] != 7.0 {
		t.Errorf("the plan is %v", plan)
	}
	loses := env.postAction("HV01", "omar", vmReplicating, "primary", "remove?dry_run=true", nil)
	if loss, _ := loses.json["estimated_loss"].(object); loss["lag_seconds"] == nil || loss["pending_bytes"] == nil {
		t.Errorf("the estimated loss is %v", loss)
	}
	r = env.postAction("HV02", "fred", vmReplicating, "primary", "failover", object{"dry_run": true})
	env.want("dry run of a destructive action", r, 200, "")
	if plan, _ := r.json["plan"].(object); plan["expected_state_after"] != "recovered" {
		t.Errorf("the plan is %v", plan)
	}
	if r.json["requires_confirmation"] != true || strings.Contains(r.text, "confirmation_token") {
		t.Errorf("the response is %s", r)
	}
	env.want("dry run in the wrong state",
		env.postAction("HV01", "fred", vmReplicating, "primary", "resume", object{"dry_run": true}), 409, "invalid-state")
	env.want("dry run with another expected mode",
		env.postAction("HV01", "fred", vmReplicating,
			"primary", "suspend", object{"dry_run": true, "expected_mode": "replica"}), 412, "precondition-failed")
	for _, host := range []string{"HV01", "HV02"} {
		if n := env.hosts[host].pool.callCount(); n > 0 {
			t.Errorf("%d calls on %s, want 0", n, host)
		}
	}
}

// An action that needs the VM off is refused while the VM runs.
func TestActionNeedsVMOff(t *testing.T) {
	env := newTestEnv(t)
	r := env.postAction("HV01", "fred", vmReplicating, "primary", "prepare-failover", nil)
	env.want("VM on", r, 409, "invalid-state")
	if r.json["needs_vm_off"] != true ||
		env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")).json["power"] != "on" {
		t.Errorf("the response does not say that the VM must be off: %s", r)
	}
	if err := env.world.SetPower(env.vms[vmReplicating], "HV01", false); err != nil {
		t.Fatal(err)
	}
	env.want("VM off", env.postAction("HV01", "fred", vmReplicating, "primary", "prepare-failover", nil), 202, "")
	if got := env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")).json["power"]; got != "off" {
		t.Errorf("power is %v, want off", got)
	}
}

// A token is valid once, for the same caller, action and VM. The audit log contains no secrets.
func TestTokenMisuse(t *testing.T) {
	env := newTestEnv(t)
	token := func(user string, vm int, action string) response {
		first := env.postAction("HV02", user, vm, "primary", action, nil)
		env.want("first request", first, 409, "confirmation-required")
		return first
	}
	other := 2 // a VM in the same state
	first := token("fred", vmReplicating, "failover")
	second := env.confirmation("HV02", vmReplicating, first, nil)
	elsewhere := env.confirmation("HV02", other, first, nil)
	env.want("token for another VM",
		env.postAction("HV02", "fred", other, "primary", "failover", elsewhere), 409, "confirmation-invalid")
	env.want("token after it was used for another VM",
		env.postAction("HV02", "fred", vmReplicating, "primary", "failover", second), 409, "confirmation-invalid")
	second = env.confirmation("HV02", vmReplicating, token("fred", vmReplicating, "failover"), nil)
	env.want("token of another user",
		env.postAction("HV02", "omar", vmReplicating, "primary", "failover", second), 409, "confirmation-invalid")
	second = env.confirmation("HV02", vmReplicating, token("omar", vmReplicating, "remove"), nil)
	env.want("token for another action",
		env.postAction("HV02", "omar", vmReplicating, "primary", "failover", second), 409, "confirmation-invalid")
	second = env.confirmation("HV02", vmReplicating, token("fred", vmReplicating, "failover"), nil)
	env.clock.Advance(10 * time.Minute)
	env.want("expired token", env.postAction("HV02", "fred", vmReplicating, "primary", "failover", second),
		409, "confirmation-invalid")
	second = env.confirmation("HV02", vmReplicating, token("fred", vmReplicating, "failover"), nil)
	env.waitForJob("valid token", "HV02",
		env.postAction("HV02", "fred", vmReplicating, "primary", "failover", second), "succeeded")
	env.waitForJob("cancel failover",
		"HV02", env.postConfirmed("HV02", "fred", vmReplicating, "cancel-failover", nil), "succeeded")
	env.want("token used again", env.postAction("HV02", "fred", vmReplicating, "primary", "failover", second),
		409, "confirmation-invalid")
	text, err := os.ReadFile(filepath.Join(env.hosts["HV02"].folder, auditFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{second["confirmation_token"].(string), password, "b2xnYTpj"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the audit log contains the secret %q", secret)
		}
	}
}
