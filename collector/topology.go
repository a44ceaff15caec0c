package collector

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// relationship is a row of Msvm_ReplicationRelationship with what its
// InstanceID says, and with the labels of its series.
type relationship struct {
	msvm.ReplicationRelationship
	key    msvm.Key
	labels labels
}

// relationshipTable is the relationships that can be understood, and what is
// known of the rows that cannot.
type relationshipTable struct {
	table[relationship]
	odd    error           // what is wrong with rows that were left out
	oddVMs map[string]bool // their VMs, as far as they can be told
}

// readRelationships reads the relationships. Rows whose InstanceID cannot be
// understood are left out; the others count.
func readRelationships(ctx context.Context, v *view) (relationshipTable, error) {
	t, err := read[msvm.ReplicationRelationship](ctx, v)
	if err != nil {
		return relationshipTable{}, err
	}
	out := relationshipTable{
		table:  table[relationship]{at: t.at, rows: make([]relationship, 0, len(t.rows))},
		oddVMs: map[string]bool{},
	}
	var errs []error
	seen := make(map[msvm.Key]bool, len(t.rows))
	for _, row := range t.rows {
		key, err := msvm.ParseKey(row.InstanceID)
		switch {
		case err != nil:
			errs = append(errs, err)
			out.oddVMs[key.VM] = true
		case seen[key]: // two rows would make the same series twice
			errs = append(errs, errors.New("two rows have the InstanceID "+row.InstanceID))
		default:
			seen[key] = true
			out.rows = append(out.rows, relationship{row, key, labelsOf(msvm.StringOrEmpty(row.ElementName), key)})
		}
	}
	slices.SortFunc(out.rows, byLabels)
	out.odd = errors.Join(errs...)
	return out, nil
}

// byLabels is the order of most metrics in the exposition. The registry, which
// sorts them, is done sooner when they come like that.
func byLabels(a, b relationship) int {
	return cmp.Or(
		cmp.Compare(a.key.Link, b.key.Link),
		cmp.Compare(msvm.StringOrEmpty(a.ElementName), msvm.StringOrEmpty(b.ElementName)),
		cmp.Compare(a.key.VM, b.key.VM),
	)
}

// replicating is the relationships that replicate, by key: settings and
// statistics are shown for these only, since Windows has rows for every VM.
func replicating(rows []relationship) map[msvm.Key]relationship {
	out := make(map[msvm.Key]relationship, len(rows))
	for _, r := range rows {
		if r.Replicates() {
			out[r.key] = r
		}
	}
	return out
}

// machines are the VMs of the host by GUID, in upper case as it stands in labels.
type machines map[string]msvm.ComputerSystem

// readMachines reads the VMs. What a collector tells about a VM needs its name:
// if the VMs cannot be read it is left out, for under another name it would be
// another series.
func readMachines(ctx context.Context, v *view) (machines, error) {
	t, err := read[msvm.ComputerSystem](ctx, v)
	all := make(machines, len(t.rows))
	for _, s := range t.rows {
		if s.IsVM() {
			all[strings.ToUpper(s.Name)] = s
		}
	}
	return all, err
}

// labels are those of the VM with that GUID. One that came after the VMs were
// read has its GUID for a name.
func (m machines) labels(id string) labels { return labelsOfVM(m.name(id), id) }

func (m machines) name(id string) string { return msvm.StringOrEmpty(m[id].ElementName) }

// mode is the part that the VM plays, false if the host does not tell.
func (m machines) mode(id string) (msvm.ReplicationMode, bool) {
	return m[id].Mode()
}

// running tells whether the VM runs, false if it neither does nor is off, or the host
// does not tell.
func (m machines) running(id string) (runs, known bool) {
	switch s := m[id].EnabledState; {
	case s == nil:
		return false, false
	case *s == msvm.EnabledOn:
		return true, true
	default:
		return false, *s == msvm.EnabledOff || *s == msvm.EnabledSaved
	}
}

// sends tells whether this host is the sending side of a relationship; false,
// too, if the VM's mode is not known.
func (m machines) sends(k msvm.Key) bool {
	return m[k.VM].Sends(k.Link)
}
