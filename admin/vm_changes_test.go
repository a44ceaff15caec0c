package admin

import (
	"slices"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// A token is invalid after any change of the VM that the endpoint has seen, even if the VM is as before when the token is
// used. The request that sees the change can be that of another user. Health and lag are no change.
func TestTokenIsInvalidAfterAChangeBackAndForth(t *testing.T) {
	inVM := func(change func(*msvm.ComputerSystem)) func(string, any) {
		return func(vm string, dst any) {
			if rows, ok := dst.(*[]msvm.ComputerSystem); ok {
				for i := range *rows {
					if (*rows)[i].Name == vm {
						change(&(*rows)[i])
					}
				}
			}
		}
	}
	inRelationship := func(link msvm.Link, change func(*msvm.ReplicationRelationship)) func(string, any) {
		return func(vm string, dst any) {
			if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
				for i := range *rows {
					if (*rows)[i].InstanceID == (msvm.Key{VM: vm, Link: link}).InstanceID() {
						change(&(*rows)[i])
					}
				}
			}
		}
	}
	for _, tt := range []struct {
		name   string
		change func(vm string, dst any)
		valid  bool
	}{
		{"nothing", func(string, any) {}, true},
		{"health", inRelationship(msvm.Primary, func(r *msvm.ReplicationRelationship) {
			r.ReplicationHealth = new(msvm.ReplicationHealth(3))
		}), true},
		{"last replication", inRelationship(msvm.Primary, func(r *msvm.ReplicationRelationship) {
			r.LastReplicationTime = new(r.LastReplicationTime.Add(-60e9))
		}), true},
		{"state", inRelationship(msvm.Primary, func(r *msvm.ReplicationRelationship) {
			r.ReplicationState = new(msvm.Recovered)
		}), false},
		{"state of the other relationship", inRelationship(msvm.Extended, func(r *msvm.ReplicationRelationship) {
			r.ReplicationState = new(msvm.Suspended)
		}), false},
		{"mode", inVM(func(v *msvm.ComputerSystem) { v.ReplicationMode = new(msvm.ModePrimary) }), false},
		{"power", inVM(func(v *msvm.ComputerSystem) { v.EnabledState = new(msvm.EnabledState(9)) }), false},
		{"no VM", func(vm string, dst any) {
			if rows, ok := dst.(*[]msvm.ComputerSystem); ok {
				*rows = slices.DeleteFunc(*rows, func(v msvm.ComputerSystem) bool { return v.Name == vm })
			}
			if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
				*rows = slices.DeleteFunc(*rows, func(r msvm.ReplicationRelationship) bool {
					key, _ := msvm.ParseKey(r.InstanceID)
					return key.VM == vm
				})
			}
		}, false},
	} {
		env := newTestEnv(t)
		reset := func(body any) response {
			return env.postAction("HV01", "olga", vmExtended, "primary", "reset-statistics", body)
		}
		body := env.confirmation("HV01", vmExtended, reset(nil), nil)
		env.hosts["HV01"].pool.onRead = func(dst any) { tt.change(env.vms[vmExtended], dst) }
		env.want("list of another user", env.get("HV01", "vic", apiReplicas), 200, "")
		env.hosts["HV01"].pool.onRead = nil
		r := reset(body)
		if tt.valid && r.code != 202 || !tt.valid && r.slug() != "confirmation-invalid" {
			t.Errorf("%s changed back and forth: the token is answered with %s, want valid: %v", tt.name, r, tt.valid)
		}
	}
}

// A token is invalid after an action on its VM, and stays valid after one on another VM.
func TestTokenIsInvalidAfterAnAction(t *testing.T) {
	env := newTestEnv(t)
	reset := func(body any) response {
		return env.postAction("HV01", "olga", vmReplicating, "primary", "reset-statistics", body)
	}
	body := env.confirmation("HV01", vmReplicating, reset(nil), nil)
	act := func(vm int) {
		t.Helper()
		env.waitForJob("action", "HV01", env.postAction("HV01", "tim", vm, "primary", "test-connection", nil), "succeeded")
	}
	act(vmReplicating)
	env.want("token after an action", reset(body), 409, "confirmation-invalid")
	body = env.confirmation("HV01", vmReplicating, reset(nil), nil)
	act(2)
	env.want("token after an action on another VM", reset(body), 202, "")
}
