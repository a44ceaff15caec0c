package admin

import (
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// No action runs on a relationship that the host associates with another VM than its InstanceID says: it is not known
// which of the VMs the action would affect.
func TestRelationshipAssociatedWithAnotherVM(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV02"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.SystemReplicationRelationship); ok {
			for i, row := range *rows {
				if msvm.VMOf(row.Antecedent) == env.vms[vmReplicating] {
					(*rows)[i].Antecedent = msvm.VMRef(env.vms[vmWithRecoveryPoints])
				}
			}
		}
	}
	for _, action := range []string{"remove", "suspend"} {
		for _, body := range []object{{}, {"dry_run": true}} {
			r := env.postAction("HV02", "omar", vmReplicating, "primary", action, body)
			env.want(action, r, 409, "invalid-state")
			if !strings.Contains(r.text, "another VM: "+env.vms[vmWithRecoveryPoints]) {
				t.Errorf("%s: the response does not name the other VM: %s", action, r)
			}
		}
	}
	view := env.get("HV02", "omar", env.replicaPath(vmReplicating, "primary"))
	if allowed, ok := view.json["allowed_operations"].([]any); !ok || len(allowed) > 0 {
		t.Errorf("allowed_operations is %v, want none", allowed)
	}
	env.want("method", env.postMethod("HV02", "omar", "RemoveReplicationRelationshipEx", object{"parameters": object{
		"ComputerSystem":          env.vms[vmReplicating],
		"ReplicationRelationship": object{"InstanceID": `Microsoft:` + env.vms[vmReplicating] + `\HVR\0`},
	}}), 409, "invalid-state")
	other := env.get("HV02", "omar", env.replicaPath(vmWithRecoveryPoints, "primary")).json["allowed_operations"].([]any)
	if !slices.Contains(other, any("remove")) {
		t.Errorf("the other VM has the actions %v, want remove among them", other)
	}
}
