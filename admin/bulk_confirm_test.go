package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// A confirmation is valid for exactly its request, its caller, its host and its number of VMs, once, for three minutes.
// Otherwise the host is not called.
func TestBulkConfirmationThatIsNotValid(t *testing.T) {
	env := newTestEnv(t)
	two := []string{env.vms[2], env.vms[5]}
	request := object{"vm_ids": two, "max_data_loss_seconds": 1e6}
	single := env.postAction("HV02", "fred", 2, "primary", "failover", object{})
	for _, tt := range []struct {
		name   string
		change object
		user   string
		age    time.Duration
		want   string // in the detail
	}{
		{"no reason", object{"reason": ""}, "fred", 0, "reason is missing"},
		{"no name of the host", object{"host_name": ""}, "fred", 0, "host_name is not"},
		{"name of the primary server", object{"host_name": server01}, "fred", 0, "host_name is not"},
		{"no number", object{"vm_count": nil}, "fred", 0, "vm_count is not"},
		{"smaller number", object{"vm_count": 1}, "fred", 0, "vm_count is not"},
		{"greater number", object{"vm_count": 3}, "fred", 0, "vm_count is not"},
		{"other VMs", object{"vm_ids": []string{env.vms[2], env.vms[14]}}, "fred", 0, "other VMs"},
		{"one VM less", object{"vm_ids": two[:1], "vm_count": 1}, "fred", 0, "other VMs"},
		{"one VM more", object{"vm_ids": append(slices.Clone(two), env.vms[14])}, "fred", 0, "other VMs"},
		{"another order", object{"vm_ids": []string{two[1], two[0]}}, "fred", 0, "other VMs"},
		{"a server", object{"vm_ids": nil, "primary_server": server01}, "fred", 0, "other VMs"},
		{"greater loss", object{"max_data_loss_seconds": 1e7}, "fred", 0, "another data loss"},
		{"smaller loss", object{"max_data_loss_seconds": 1e5}, "fred", 0, "another data loss"},
		{"unknown loss", object{"accept_unknown_loss": true}, "fred", 0, "another data loss"},
		{"another caller", object{}, "omar", 0, "another caller"},
		{"expired", object{}, "fred", 3 * time.Minute, "expired"},
		{"token of a single VM", object{"confirmation_token": single.json["confirmation_token"]}, "fred", 0, "unknown"},
		{"no token", object{"confirmation_token": "x"}, "fred", 0, "unknown"},
	} {
		body := env.bulkConfirmation(env.postBulk("fred", request), request)
		for field, value := range tt.change {
			if body[field] = value; value == nil {
				delete(body, field)
			}
		}
		env.clock.Advance(tt.age)
		r := env.postBulk(tt.user, body)
		env.want(tt.name, r, 409, "confirmation-invalid")
		if detail, _ := r.json["detail"].(string); !strings.Contains(detail, tt.want) {
			t.Errorf("%s: the detail is %q, want %q in it", tt.name, detail, tt.want)
		}
	}
	server := object{"primary_server": server01, "max_data_loss_seconds": 1e6}
	another := env.bulkConfirmation(env.postBulk("fred", server), server)
	another["primary_server"] = "HV03.contoso.com"
	env.want("another server", env.postBulk("fred", another), 409, "confirmation-invalid")
	bulk := env.bulkConfirmation(env.postBulk("fred", request), request)
	env.want("token of a bulk failover for a single VM", env.postAction("HV02", "fred", 2, "primary", "failover", object{
		"confirmation_token": bulk["confirmation_token"], "reason": "x", "vm_name": "dc01", "max_data_loss_seconds": 1e6,
	}), 409, "confirmation-invalid")
	env.want("token after another request has used it", env.postBulk("fred", bulk), 409, "confirmation-invalid")
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("%d calls", n)
	}
	if n := testutil.ToFloat64(env.hosts["HV02"].server.metrics.refused); n != 21 {
		t.Errorf("%v refused confirmations are counted, want 21", n)
	}
	bulk = env.bulkConfirmation(env.postBulk("fred", request), request)
	env.clock.Advance(3*time.Minute - time.Nanosecond)
	env.waitForBulk("valid", env.postBulk("fred", bulk))
	env.want("used again", env.postBulk("fred", bulk), 409, "confirmation-invalid")
}

// A VM that changes between the dry run and the confirmation is refused, even if it is in its old state again. The
// others fail over.
func TestBulkFailoverRefusesAVMThatHasChanged(t *testing.T) {
	env := newTestEnv(t)
	payload := object{"primary_server": server01, "max_data_loss_seconds": 1e9}
	body := env.bulkConfirmation(env.postBulk("fred", payload), payload)
	set := func(vm int, state msvm.ReplicationState) {
		t.Helper()
		if err := env.world.SetState("HV02", msvm.Key{VM: env.vms[vm], Link: msvm.Primary}, state); err != nil {
			t.Fatal(err)
		}
	}
	set(2, msvm.Suspended)
	set(5, msvm.Suspended)
	env.get("HV02", "vic", env.replicaPath(5, "primary")) // the change is seen
	set(5, msvm.Replicating)
	if err := env.world.SetPower(env.vms[14], "HV01", false); err != nil { // the other host does not matter
		t.Fatal(err)
	}
	end := env.waitForBulk("failover", env.postBulk("fred", body))
	for vm, want := range map[int]string{
		2: "refused invalid-state", 5: "refused confirmation-invalid", 14: "succeeded ", 0: "succeeded ",
	} {
		entry, slug := env.bulkVMOf(end, vm)
		if got := fmt.Sprint(entry["state"], " ", slug); got != want {
			t.Errorf("VM %d: got %s, want %s", vm, got, want)
		}
	}
	if entry, _ := env.bulkVMOf(end, 2); entry["current"].(object)["state"] != "suspended" {
		t.Errorf("the refused VM shows %v", entry["current"])
	}
	called := env.hosts["HV02"].calledVMs()
	if slices.Contains(called, env.vms[2]) || slices.Contains(called, env.vms[5]) {
		t.Errorf("the VMs %v are called", called)
	}
}

// A VM that is added after the dry run is not part of what was confirmed.
func TestBulkFailoverLeavesOutAVMThatIsAdded(t *testing.T) {
	env := newTestEnv(t)
	pool := env.hosts["HV02"].pool
	pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
			*rows = slices.DeleteFunc(*rows, func(row msvm.ReplicationRelationship) bool {
				return strings.Contains(row.InstanceID, env.vms[2])
			})
		}
	}
	payload := object{"primary_server": server01, "max_data_loss_seconds": 1e9}
	body := env.bulkConfirmation(env.postBulk("fred", payload), payload)
	pool.onRead = nil
	end := env.waitForBulk("failover", env.postBulk("fred", body))
	if states := bulkStates(end); states[env.vms[2]] != "" || states[env.vms[5]] != "succeeded" {
		t.Errorf("the states are %v", states)
	}
	if slices.Contains(env.hosts["HV02"].calledVMs(), env.vms[2]) {
		t.Error("the VM is called")
	}
}

// A user can have twenty tokens for bulk failovers. They leave room for those of single VMs.
func TestBulkTokensAreLimited(t *testing.T) {
	env := newTestEnv(t)
	payload := object{"vm_ids": []string{env.vms[2]}, "max_data_loss_seconds": 1e9}
	for range 20 {
		env.want("token", env.postBulk("fred", payload), 409, "confirmation-required")
	}
	env.want("token 21", env.postBulk("fred", payload), http.StatusTooManyRequests, "rate-limited")
	env.want("another user", env.postBulk("omar", payload), 409, "confirmation-required")
	env.want("single VM", env.postAction("HV02", "fred", 2, "primary", "failover", object{}), 409, "confirmation-required")
}
