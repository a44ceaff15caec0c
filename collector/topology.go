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
			out.rows = append(out.rows, relationship{row, key, labelsOf(msvm.Text(row.ElementName), key)})
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
		cmp.Compare(msvm.Text(a.ElementName), msvm.Text(b.ElementName)),
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

// vmID is a VM's GUID as it stands in labels: Windows writes upper case here and
// lower case elsewhere.
func vmID(s msvm.ComputerSystem) string { return strings.ToUpper(s.Name) }

// readModes reads which part each VM plays, by GUID. A VM whose mode is null is
// not there.
func readModes(ctx context.Context, v *view) (map[string]msvm.ReplicationMode, error) {
	systems, err := read[msvm.ComputerSystem](ctx, v)
	modes := make(map[string]msvm.ReplicationMode, len(systems.rows))
	for _, s := range systems.rows {
		if s.ReplicationMode != nil {
			modes[vmID(s)] = *s.ReplicationMode
		}
	}
	return modes, err
}

// sends tells whether this host is the sending side of a relationship; false,
// too, if the VM's mode is not known.
func sends(k msvm.Key, modes map[string]msvm.ReplicationMode) bool {
	mode, known := modes[k.VM]
	return known && (k.Link == msvm.Primary && mode == msvm.ModePrimary || k.Link == msvm.Extended && mode == msvm.ModeReplica)
}
