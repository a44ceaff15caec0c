package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// relationship is an instance of Msvm_ReplicationRelationship, with the key from
// its InstanceID and the labels of its series.
type relationship struct {
	msvm.ReplicationRelationship
	key    msvm.Key
	labels labels
}

// relationshipTable contains the valid relationships and describes the invalid
// ones, whose InstanceID is malformed or a duplicate. Collectors share it, so it must
// not be modified.
type relationshipTable struct {
	table[relationship]
	labels     map[msvm.Key]labels
	invalid    error           // nil if all relationships are valid
	invalidVMs map[string]bool // VMs with a malformed InstanceID, by GUID as far as it is known
}

// readRelationships reads the relationships, sorted like their series.
func readRelationships(ctx context.Context, v *view) (relationshipTable, error) {
	t, err := read[msvm.ReplicationRelationship](ctx, v)
	if err != nil {
		return relationshipTable{}, err
	}
	return v.tables.relationships.get(t, newRelationshipTable), nil
}

// newRelationshipTable returns the table of the instances t. Relationships that were
// in the table before and have the same name keep their labels.
func newRelationshipTable(t table[msvm.ReplicationRelationship], before relationshipTable) relationshipTable {
	out := relationshipTable{
		table:      table[relationship]{at: t.at, rows: make([]relationship, 0, len(t.rows))},
		labels:     make(map[msvm.Key]labels, len(t.rows)),
		invalidVMs: map[string]bool{},
	}
	var errs []error
	for _, row := range t.rows {
		key, err := msvm.ParseKey(row.InstanceID)
		switch {
		case err != nil:
			errs = append(errs, err)
			out.invalidVMs[key.VM] = true
		case out.labels[key] != nil: // would result in duplicate series
			errs = append(errs, fmt.Errorf("InstanceID %.100q: duplicate", row.InstanceID))
		default:
			name := msvm.StringOrEmpty(row.ElementName)
			l := before.labels[key]
			if l == nil || l.value("vm") != displayName(name, key.VM) {
				l = newRelationshipLabels(name, key)
			}
			out.labels[key] = l
			out.rows = append(out.rows, relationship{row, key, l})
		}
	}
	slices.SortFunc(out.rows, compareSeries)
	out.invalid = errors.Join(errs...)
	return out
}

// compareSeries orders relationships like most of their series in the exposition.
// The registry sorts all series, and is faster if they are sorted already.
func compareSeries(a, b relationship) int {
	return cmp.Or(
		cmp.Compare(a.key.Link, b.key.Link),
		cmp.Compare(msvm.StringOrEmpty(a.ElementName), msvm.StringOrEmpty(b.ElementName)),
		cmp.Compare(a.key.VM, b.key.VM),
	)
}

// replicating returns the relationships that replicate, by key. Windows has an
// instance for every VM, so settings and statistics are limited to these.
func replicating(rows []relationship) map[msvm.Key]relationship {
	out := make(map[msvm.Key]relationship, len(rows))
	for _, r := range rows {
		if r.Replicates() {
			out[r.key] = r
		}
	}
	return out
}

// vm is the instance of Msvm_ComputerSystem of a VM, with the labels of its series.
type vm struct {
	msvm.ComputerSystem
	seriesLabels labels
}

// vmsByID contains the VMs of the host by GUID, in upper case as in labels. Collectors
// share it, so it must not be modified.
type vmsByID map[string]vm

// readVMs reads the VMs. If it fails, collectors must not expose series with
// labels of VMs: without the name, they would be different series.
func readVMs(ctx context.Context, v *view) (vmsByID, error) {
	t, err := read[msvm.ComputerSystem](ctx, v)
	if err == nil && len(t.rows) == 0 {
		err = errNoComputerSystem
	}
	return v.tables.vms.get(t, newVMs), err
}

// newVMs returns the VMs of the instances t. VMs that were known before and have the
// same name keep their labels.
func newVMs(t table[msvm.ComputerSystem], before vmsByID) vmsByID {
	vms := make(vmsByID, len(t.rows))
	for _, s := range t.rows {
		if !s.IsVM() {
			continue
		}
		id, name := strings.ToUpper(s.Name), msvm.StringOrEmpty(s.ElementName)
		l := before[id].seriesLabels
		if l == nil || l.value("vm") != displayName(name, id) {
			l = newVMLabels(name, id)
		}
		vms[id] = vm{s, l}
	}
	return vms
}

// errNoComputerSystem means that the class is damaged: the host itself is an
// instance, too.
var errNoComputerSystem = errors.New("Msvm_ComputerSystem: no instances, not even that of the host")

// has reports whether id is the GUID of a VM, in upper case.
func (m vmsByID) has(id string) bool { _, ok := m[id]; return ok }

// labels returns the labels of a VM. The name of a VM that was created after the
// VMs were read is its GUID.
func (m vmsByID) labels(id string) labels {
	if l := m[id].seriesLabels; l != nil {
		return l
	}
	return newVMLabels("", id)
}

// name returns the display name of a VM, or an empty string.
func (m vmsByID) name(id string) string { return msvm.StringOrEmpty(m[id].ElementName) }

// running reports whether the VM is running, as opposed to off or saved. The
// second result is false in all other states and if the state is not known. A
// paused VM is neither: it writes nothing, but it is not known whether replication
// continues, so a lag must not be taken for that of a VM that is off.
func (m vmsByID) running(id string) (running, known bool) {
	switch m[id].Power() {
	case msvm.PowerOn:
		return true, true
	case msvm.PowerOff, msvm.PowerSaved:
		return false, true
	case msvm.PowerPaused, msvm.PowerOther, msvm.PowerUnknown:
	}
	return false, false
}

// lowerRef returns an object path in lower case, so that paths can be compared:
// Windows may return the same path in different cases.
func lowerRef(path wmiquery.Ref) wmiquery.Ref { return wmiquery.Ref(strings.ToLower(string(path))) }
