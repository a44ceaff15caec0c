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

// readRelationships reads the relationships. Rows whose InstanceID cannot be
// understood are left out and make an error; the others count.
func readRelationships(ctx context.Context, v *view) (table[relationship], error) {
	t, err := read[msvm.ReplicationRelationship](ctx, v)
	if err != nil {
		return table[relationship]{}, err
	}
	out := table[relationship]{at: t.at, rows: make([]relationship, 0, len(t.rows))}
	var errs []error
	seen := make(map[msvm.Key]bool, len(t.rows))
	for _, row := range t.rows {
		key, err := msvm.ParseKey(row.InstanceID)
		switch {
		case err != nil:
			errs = append(errs, err)
		case seen[key]: // two rows would make the same series twice
			errs = append(errs, errors.New("two rows have the InstanceID "+row.InstanceID))
		default:
			seen[key] = true
			out.rows = append(out.rows, relationship{row, key, labelsOf(msvm.Text(row.ElementName), key)})
		}
	}
	slices.SortFunc(out.rows, byLabels)
	return out, errors.Join(errs...)
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
