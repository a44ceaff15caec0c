package admin

import (
	"net/http"
	"strings"
	"testing"
)

// The confirmation of a start names the old primary server.
func TestConfirmationOfAStartNamesTheOldPrimaryServer(t *testing.T) {
	env := newTestEnv(t)
	env.waitForJob("failover", "HV02", env.postConfirmed("HV02", "fred", vmReplicating, "failover", nil), "succeeded")
	first := env.postAction("HV02", "fred", vmReplicating, "primary", "start-vm", nil)
	env.want("first request", first, http.StatusConflict, "confirmation-required")
	confirmed := env.confirmation("HV02", vmReplicating, first, object{})
	delete(confirmed, "old_primary_is_off")
	second := env.postAction("HV02", "fred", vmReplicating, "primary", "start-vm", confirmed)
	env.want("second request", second, http.StatusConflict, "confirmation-invalid")
	for _, r := range []response{first, second} {
		if detail, _ := r.json["detail"].(string); !strings.Contains(detail, "does not run on HV01.contoso.com") {
			t.Errorf("the detail is %q, which does not name HV01.contoso.com", detail)
		}
	}
}

// A VM that has failed over while a failover of its extended relationship is prepared does not start. It starts as the
// primary VM of that relationship, after the prepared failover is cancelled, as the refusal says.
func TestStartDuringAPreparedExtendedFailover(t *testing.T) {
	const vm = vmExtended
	env := newTestEnv(t)
	post := func(link, action string) response { return env.postAction("HV01", "fred", vm, link, action, nil) }
	confirmed := func(action string) response { return env.postConfirmed("HV01", "fred", vm, action, nil) }
	env.waitForJob("prepare", "HV01", post("extended", "prepare-failover"), "succeeded")
	env.waitForJob("failover", "HV01", confirmed("failover"), "succeeded")
	calls := env.hosts["HV01"].pool.callCount()
	env.want("start", post("primary", "start-vm"), http.StatusConflict, "invalid-state")
	if n := env.hosts["HV01"].pool.callCount(); n != calls {
		t.Errorf("%d calls, want none", n-calls)
	}
	env.waitForJob("commit", "HV01", confirmed("commit-failover"), "succeeded")
	env.want("start after the commit", post("primary", "start-vm"), http.StatusConflict, "invalid-state")
	env.waitForJob("continue", "HV01", confirmed("continue-extended"), "succeeded")
	env.want("start as the primary VM", post("primary", "start-vm"), http.StatusConflict, "invalid-state")
	env.waitForJob("cancel", "HV01", post("primary", "cancel-failover"), "succeeded")
	env.waitForJob("start", "HV01", post("primary", "start-vm"), "succeeded")
}
