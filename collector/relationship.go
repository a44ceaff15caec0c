package collector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	relState = gauge("state",
		"Replication state (Msvm_ReplicationRelationship.ReplicationState): 1 for the current one, 0 for the others.", perRelationship("state")...)
	relHealth = gauge("health",
		"Replication health (Msvm_ReplicationRelationship.ReplicationHealth): 1 for the current one, 0 for the others.", perRelationship("health")...)
	vmMode = gauge("mode",
		"Part that the VM plays in replication (Msvm_ComputerSystem.ReplicationMode): 1 for the current one, 0 for the others.", "vm", "vm_id", "mode")
	lastReplicationType = gauge("last_replication_type",
		"Kind of the last replication: 1 for the current one, 0 for the others.", perRelationship("type")...)
	failoverType = gauge("failover_type",
		"Kind of the failover that was done, none if there was none: 1 for the current one, 0 for the others.", perRelationship("type")...)
	lastReplication = gauge("last_replication_timestamp_seconds",
		"When the last replication was received, on the primary sent; absent if never.", relationshipLabels...)
	lastApply = gauge("last_apply_timestamp_seconds",
		"When the last replication was applied to the replica's disks; absent on the primary and if never.", relationshipLabels...)
	lastConsistent = gauge("last_application_consistent_timestamp_seconds",
		"When the last application-consistent replication was received, on the primary sent; absent if never.", relationshipLabels...)
	lag = gauge("lag_seconds",
		"Time since the last replication by the host's clock at the moment of reading; absent if there was none.", relationshipLabels...)
	applyLag = gauge("apply_lag_seconds",
		"Time by which what was applied to the replica's disks is behind what was received; absent on the primary.", relationshipLabels...)
	vmProtected = gauge("vm_protected",
		"1 if any of the VM's relationships is not disabled, 0 if the VM does not replicate.", vmLabels...)
	vmRunning = gauge("vm_running",
		"1 if the VM runs (Msvm_ComputerSystem.EnabledState is 2), 0 if it is off or saved; absent in between, and if the host does not tell.", vmLabels...)
)

// The label values of the enumerations.
var (
	stateValues  = newStateSet("state", msvm.ReplicationStates())
	healthValues = newStateSet("health", msvm.ReplicationHealths())
	modeValues   = newStateSet("mode", msvm.ReplicationModes())
	typeValues   = newStateSet("type", msvm.ReplicationTypes())
)

// relationshipCollector tells the state of every relationship and the mode of
// every VM. If one of its two classes cannot be read it gives what the other has.
func relationshipCollector() Collector {
	return Collector{
		Name:    "relationship",
		Help:    "State, health, lag and last times of each relationship, mode of each VM, VMs that do not replicate.",
		Default: true,
		Reads:   rowsOf(msvm.ReplicationRelationship{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{
			relState, relHealth, vmMode, lastReplicationType, failoverType, lastReplication,
			lastApply, lastConsistent, lag, applyLag, vmProtected, vmRunning,
		},
		collect: func(ctx context.Context, v *view, out *output) error {
			relationships, relErr := readRelationships(ctx, v)
			for _, r := range relationships.rows {
				if r.Replicates() {
					collectRelationship(r, relationships.at, out)
				}
			}
			systems, sysErr := readMachines(ctx, v)
			for _, id := range slices.Sorted(maps.Keys(systems)) {
				if mode, ok := systems.mode(id); ok {
					noteUnknown(out, "mode", mode.String(), uint16(mode), id)
					out.states(vmMode, modeValues, mode.String(), systems.labels(id))
				}
				if runs, ok := systems.running(id); ok {
					out.add(vmRunning, boolean(runs), systems.labels(id))
				}
			}
			if relErr == nil {
				collectProtected(relationships, systems, out)
			}
			return errors.Join(relErr, relationships.odd, sysErr)
		},
	}
}

func collectRelationship(r relationship, at time.Time, out *output) {
	l := r.labels
	if s := r.ReplicationState; s != nil {
		out.states(relState, stateValues, s.String(), l)
		noteUnknown(out, "state", s.String(), uint16(*s), r.InstanceID)
	}
	if h := r.ReplicationHealth; h != nil {
		out.states(relHealth, healthValues, h.String(), l)
		noteUnknown(out, "health", h.String(), uint16(*h), r.InstanceID)
	}
	if t := r.LastReplicationType; t != nil {
		out.states(lastReplicationType, typeValues, t.String(), l)
		noteUnknown(out, "replication type", t.String(), uint16(*t), r.InstanceID)
	}
	if t := r.FailedOverReplicationType; t != nil {
		out.states(failoverType, typeValues, t.String(), l)
		noteUnknown(out, "failover type", t.String(), uint16(*t), r.InstanceID)
	}
	replicated, ever := msvm.Known(r.LastReplicationTime)
	out.timestamp(lastReplication, replicated, ever, l)
	if ever {
		out.add(lag, max(0, at.Sub(replicated).Seconds()), l)
	}
	applied, everApplied := msvm.Known(r.LastApplyTime)
	out.timestamp(lastApply, applied, everApplied, l)
	if ever && everApplied {
		out.add(applyLag, max(0, replicated.Sub(applied).Seconds()), l)
	}
	consistent, everConsistent := msvm.Known(r.LastApplicationConsistentReplicationTime)
	out.timestamp(lastConsistent, consistent, everConsistent, l)
}

// noteUnknown says which number it was that is shown as unknown.
func noteUnknown(out *output, what, name string, n uint16, id string) {
	if name == "unknown" {
		out.note(fmt.Sprint("unknown ", what, n, id), "the host gave a number that is not documented",
			"property", what, "value", n, "id", id)
	}
}

// collectProtected goes by both classes: a VM may have no relationship row. Of a
// VM with a row that cannot be understood nothing is said.
func collectProtected(relationships relationshipTable, systems machines, out *output) {
	names, protected := map[string]string{}, map[string]bool{}
	for id := range systems {
		names[id] = systems.name(id)
	}
	for _, r := range relationships.rows {
		if _, ok := names[r.key.VM]; !ok {
			names[r.key.VM] = msvm.StringOrEmpty(r.ElementName)
		}
		protected[r.key.VM] = protected[r.key.VM] || r.Replicates()
	}
	for _, id := range slices.Sorted(maps.Keys(names)) {
		if !relationships.oddVMs[id] {
			out.add(vmProtected, boolean(protected[id]), labelsOfVM(names[id], id))
		}
	}
}
