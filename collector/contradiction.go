package collector

import (
	"fmt"
	"maps"
	"slices"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// contradiction describes what two classes of the host say differently about a
// relationship.
type contradiction struct {
	key    msvm.Key
	vmName string
	text   string
	// isAbsence means that something was not found. If not everything could be read, this proves nothing.
	isAbsence bool
}

func (c contradiction) Error() string { return c.key.InstanceID() + ": " + c.text }

// isProven reports whether the contradiction is certain. allRead means that every
// key of the classes concerned could be read.
func (c contradiction) isProven(allRead bool) bool { return allRead || !c.isAbsence }

// modeContradictions returns the VMs whose mode says that they replicate and that
// have no relationship, and the relationships that replicate although the mode of
// their VM says that it does not. It omits VMs with an invalid relationship, and
// relationships whose VM or state is not known. A disabled extended relationship
// does not count as one: Hyper-V has it for replica VMs that are not extended.
func modeContradictions(relationships relationshipTable, vms vmsByID) []contradiction {
	var all []contradiction
	hasRelationship := map[string]bool{}
	for _, r := range relationships.rows {
		if r.key.Link == msvm.Primary || r.Replicates() {
			hasRelationship[r.key.VM] = true
		}
		mode, known := vms[r.key.VM].Mode()
		if known && mode == msvm.ModeNone && r.ReplicationState != nil && r.Replicates() {
			text := fmt.Sprintf("the state is %s, but the mode of the VM is %s", r.State(), mode)
			all = append(all, contradiction{r.key, msvm.StringOrEmpty(r.ElementName), text, false})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(vms)) {
		mode, _ := vms[id].Mode()
		if mode.Replicates() && !hasRelationship[id] && !relationships.invalidVMs[id] {
			text := fmt.Sprintf("not found, but the mode of the VM is %s", mode)
			all = append(all, contradiction{msvm.Key{VM: id, Link: msvm.Primary}, vms.name(id), text, true})
		}
	}
	return all
}

// ownerContradictions returns the relationships that replicate and that do not
// belong to the VM that their InstanceID names: the host has no such VM, or
// associates the relationship with no VM or with another one.
func ownerContradictions(
	relationships relationshipTable, associations []msvm.SystemReplicationRelationship, vms vmsByID,
) []contradiction {
	owners := ownersOf(associations)
	var all []contradiction
	for _, r := range relationships.rows {
		if !r.Replicates() {
			continue
		}
		text, isAbsence := "", true
		if _, ok := vms[r.key.VM]; !ok {
			text = "the host does not have the VM"
		} else if o := owners[lowerRef(r.Ref())]; len(o) == 0 {
			text = "the host associates it with no VM"
		} else if i := slices.IndexFunc(o, func(vm string) bool { return vm != r.key.VM }); i >= 0 {
			text, isAbsence = fmt.Sprintf("the host associates it with %q", o[i]), false
		}
		if text != "" {
			all = append(all, contradiction{r.key, msvm.StringOrEmpty(r.ElementName), text, isAbsence})
		}
	}
	return all
}

// ownersOf returns the GUIDs of the VMs that the relationships are associated with,
// by the path of the relationship as lowerRef returns it. The GUID is empty if the
// association is not with a VM.
func ownersOf(associations []msvm.SystemReplicationRelationship) map[wmiquery.Ref][]string {
	owners := make(map[wmiquery.Ref][]string, len(associations))
	for _, a := range associations {
		path := lowerRef(a.Dependent)
		owners[path] = append(owners[path], msvm.VMOf(a.Antecedent))
	}
	return owners
}
