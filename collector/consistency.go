package collector

import (
	"context"
	"errors"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var relationshipConsistent = gauge("relationship_consistent",
	"0 if classes of the host contradict each other about the relationship: it belongs to no VM or to another VM than "+
		"its InstanceID says, or does not fit the mode of the VM; 1 if not; absent for relationships that do not replicate.",
	perRelationship()...)

// consistencyCollector compares the relationships with their associations and with
// the modes of the VMs. The other collectors rely on the VM that the InstanceID of
// a relationship names.
func consistencyCollector() Collector {
	return Collector{
		Name:    "consistency",
		Help:    "Whether each relationship belongs to its VM and fits the mode of the VM.",
		Default: true,
		Reads: instancesOf(msvm.SystemReplicationRelationship{}, msvm.ReplicationRelationship{},
			msvm.ComputerSystem{}),
		Metrics: []*Metric{relationshipConsistent},
		collect: func(ctx context.Context, v *view, out *output) error {
			associations, associationErr := read[msvm.SystemReplicationRelationship](ctx, v)
			relationships, relationshipErr := readRelationships(ctx, v)
			vms, vmErr := readVMs(ctx, v)
			if err := errors.Join(associationErr, relationshipErr, vmErr); err != nil {
				return err
			}
			keyErr := errors.Join(checkShown(v, every[msvm.SystemReplicationRelationship]),
				checkShown(v, every[msvm.ReplicationRelationship], "InstanceID"),
				checkShown(v, every[msvm.ComputerSystem], "Name"))
			if len(associations.rows) == 0 && len(replicating(relationships.rows)) > 0 {
				return errNoAssociations
			}
			contradictions := append(modeContradictions(relationships, vms),
				ownerContradictions(relationships, associations.rows, vms)...)
			collectConsistency(relationships, contradictions, keyErr == nil, out)
			return errors.Join(keyErr, relationships.invalid, checkShown(v, isReplicating, "ElementName", "ReplicationState"),
				checkShown(v, isVM, "ReplicationMode"))
		},
	}
}

// errNoAssociations means that nothing can be said about any relationship.
var errNoAssociations = errors.New("the host returns relationships that replicate, but no associations with their VMs")

// collectConsistency adds the samples of the relationships that replicate, and of
// those that are missing. It adds none for a relationship with a contradiction that
// is not proven.
func collectConsistency(
	relationships relationshipTable, contradictions []contradiction, allRead bool, out *output,
) {
	unproven, inconsistent := map[msvm.Key]bool{}, map[msvm.Key]bool{}
	for _, c := range contradictions {
		if !c.isProven(allRead) {
			unproven[c.key] = true
			continue
		}
		out.warn("inconsistent "+c.Error(), "relationship is inconsistent", "id", c.key.InstanceID(), "reason", c.text)
		if !inconsistent[c.key] {
			inconsistent[c.key] = true
			out.add(relationshipConsistent, 0, newRelationshipLabels(c.vmName, c.key))
		}
	}
	for _, r := range relationships.rows {
		if r.Replicates() && !inconsistent[r.key] && !unproven[r.key] {
			out.add(relationshipConsistent, 1, r.labels)
		}
	}
}
