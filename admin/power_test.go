package admin

import (
	"net/http"
	"testing"
	"time"
)

// wantPower checks the power state of the VM vmReplicating.
func (env *testEnv) wantPower(when, host, want string) {
	env.Helper()
	if got := env.get(host, "vic", env.replicaPath(vmReplicating, "primary")).json["power"]; got != want {
		env.Errorf("%s: power %v, want %s", when, got, want)
	}
}

// A VM is shut down, and off some time later. It is turned off with a confirmation, and started without one.
func TestPowerOfAPrimaryVM(t *testing.T) {
	env := newTestEnv(t)
	post := func(action string) response {
		return env.postAction("HV01", "fred", vmReplicating, "primary", action, nil)
	}
	env.want("shutdown by an operator", env.postAction("HV01", "olga", vmReplicating, "primary", "shut-down-vm", nil),
		http.StatusForbidden, "forbidden")
	env.want("start of a VM that runs", post("start-vm"), http.StatusConflict, "invalid-state")
	env.waitForJob("shutdown", "HV01", post("shut-down-vm"), "succeeded")
	env.wantPower("after the request", "HV01", "other")
	env.want("shutdown again", post("shut-down-vm"), http.StatusConflict, "invalid-state")
	env.clock.Advance(2 * time.Minute)
	env.wantPower("later", "HV01", "off")
	env.waitForJob("start", "HV01", post("start-vm"), "succeeded")
	env.wantPower("after the start", "HV01", "on")
	env.want("turn off", post("turn-off-vm"), http.StatusConflict, "confirmation-required")
	env.waitForJob("turn off", "HV01", env.postConfirmed("HV01", "fred", vmReplicating, "turn-off-vm", nil), "succeeded")
	env.wantPower("turned off", "HV01", "off")
}

// A replica starts only after a failover, and only if the operator confirms that the old primary VM is off. Without a
// policy for destructive actions, it does not.
func TestStartOfAFailedOverReplica(t *testing.T) {
	env := newTestEnv(t)
	post := func(payload object) response {
		return env.postAction("HV02", "fred", vmReplicating, "primary", "start-vm", payload)
	}
	env.want("start of a replica", post(object{}), http.StatusConflict, "invalid-state")
	env.waitForJob("failover", "HV02", env.postConfirmed("HV02", "fred", vmReplicating, "failover", nil), "succeeded")
	first := post(object{})
	env.want("first request", first, http.StatusConflict, "confirmation-required")
	confirmed := env.confirmation("HV02", vmReplicating, first, object{})
	for _, off := range []any{nil, false} {
		confirmed["old_primary_is_off"] = off
		env.want("without the confirmation that the old primary VM is off", post(confirmed), http.StatusConflict,
			"confirmation-invalid")
	}
	env.wantPower("before the confirmation", "HV02", "off")
	confirmed["old_primary_is_off"] = true
	env.waitForJob("start", "HV02", post(confirmed), "succeeded")
	env.wantPower("after the start", "HV02", "on")
}

// A prepared VM must stay off.
func TestPreparedVMDoesNotStart(t *testing.T) {
	env := newTestEnv(t)
	if err := env.world.SetPower(env.vms[vmReplicating], "HV01", false); err != nil {
		t.Fatal(err)
	}
	post := func(action string) response {
		return env.postAction("HV01", "fred", vmReplicating, "primary", action, nil)
	}
	env.waitForJob("prepare", "HV01", post("prepare-failover"), "succeeded")
	calls := env.hosts["HV01"].pool.callCount()
	env.want("start", post("start-vm"), http.StatusConflict, "invalid-state")
	if n := env.hosts["HV01"].pool.callCount(); n != calls {
		t.Errorf("%d calls, want none", n-calls)
	}
	env.waitForJob("cancel", "HV01", post("cancel-failover"), "succeeded")
	env.waitForJob("start", "HV01", post("start-vm"), "succeeded")
}
