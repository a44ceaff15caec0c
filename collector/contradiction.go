package collector

import (
	"fmt"
	"maps"
	"slices"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// contradiction describes what two classes of the host say differently about a
// relationship of a VM.
type contradiction struct {
	labels labels // of the relationship
	id     string // InstanceID of the relationship
	text   string
}

func (c contradiction) Error() string { return c.id + ": " + c.text }

// modeContradictions returns the VMs whose mode says that they replicate and that
// have no relationship, and the relationships that replicate although the mode of
// their VM says that it does not. It omits VMs with an invalid relationship, and
// relationships whose VM or state is not known.
func modeContradictions(relationships relationshipTable, vms vmsByID) []contradiction {
	var all []contradiction
	hasRelationship := map[string]bool{}
	for _, r := range relationships.rows {
		hasRelationship[r.key.VM] = true
		mode, known := vms[r.key.VM].Mode()
		if known && mode == msvm.ModeNone && r.ReplicationState != nil && r.Replicates() {
			all = append(all, contradiction{
				r.labels, r.InstanceID, fmt.Sprintf("the state is %s, but the mode of the VM is %s", r.State(), mode),
			})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(vms)) {
		mode, _ := vms[id].Mode()
		if mode.Replicates() && !hasRelationship[id] && !relationships.invalidVMs[id] {
			key := msvm.Key{VM: id, Link: msvm.Primary}
			all = append(all, contradiction{
				newRelationshipLabels(vms.name(id), key), key.InstanceID(),
				fmt.Sprintf("not found, but the mode of the VM is %s", mode),
			})
		}
	}
	return all
}
