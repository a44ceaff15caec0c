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
	relationshipState = gauge("state",
		"Replication state (Msvm_ReplicationRelationship.ReplicationState): 1 for the current state, 0 for the others.",
		perRelationship("state")...)
	relationshipHealth = gauge("health",
		"Replication health (Msvm_ReplicationRelationship.ReplicationHealth): 1 for the current health, 0 for the others.",
		perRelationship("health")...)
	vmMode = gauge("mode",
		"Replication mode of the VM (Msvm_ComputerSystem.ReplicationMode): 1 for the current mode, 0 for the others.",
		perVM("mode")...)
	lastReplicationType = gauge("last_replication_type",
		"Type of the last replication: 1 for the current type, 0 for the others.", perRelationship("type")...)
	failoverType = gauge("failover_type",
		"Type of the failover that was performed, none if there was none: 1 for the current type, 0 for the others.",
		perRelationship("type")...)
	lastReplication = gauge("last_replication_timestamp_seconds",
		"Time when the last replication was received, or sent on the primary; absent if there was "+
			"none or if the time is in the future.", perRelationship()...)
	lastApply = gauge("last_apply_timestamp_seconds",
		"Time when the last replication was applied to the disks of the replica; absent on the primary, if there was "+
			"none, and if the time is in the future.",
		perRelationship()...)
	lastConsistent = gauge("last_application_consistent_timestamp_seconds",
		"Time when the last application-consistent replication was received, or sent on the primary; absent if there "+
			"was none or if the time is in the future.",
		perRelationship()...)
	lag = gauge("lag_seconds",
		"Time since the last replication when the host was read, by the host's clock; absent if there was none or if "+
			"its time is in the future.",
		perRelationship()...)
	applyLag = gauge("apply_lag_seconds",
		"Time by which the changes applied to the disks of the replica are behind the changes received; absent on the "+
			"primary, and if one of the times is in the future or changes were applied more than a minute after the last "+
			"ones were received.",
		perRelationship()...)
	clockAnomaly = gauge("clock_anomaly",
		"1 if a time of the last replications is more than a minute in the future by the host's clock, so that ages "+
			"and lags of the relationship are not known; 0 if not.",
		perRelationship()...)
	vmProtected = gauge("vm_protected",
		"1 if the VM has a relationship that is not disabled, 0 if the VM does not replicate; absent if the host does not "+
			"report the state.", perVM()...)
	vmRunning = gauge("vm_running",
		"1 if the VM is running (Msvm_ComputerSystem.EnabledState), 0 if it is off or saved; absent if it is paused or "+
			"changing its state, and if the host does not report a documented state.",
		perVM()...)
)

// Label values of the enumerations.
var (
	stateValues  = newStateSet("state", msvm.ReplicationStates())
	healthValues = newStateSet("health", msvm.ReplicationHealths())
	modeValues   = newStateSet("mode", msvm.ReplicationModes())
	typeValues   = newStateSet("type", msvm.ReplicationTypes())
)

// relationshipCollector exposes the state of every relationship and the mode of
// every VM. If one of its two classes cannot be read, it exposes the data of the
// other.
func relationshipCollector() Collector {
	return Collector{
		Name: "relationship",
		Help: "State, health, lag and last replication times of each relationship, mode of each VM, and VMs that do " +
			"not replicate.",
		Default: true,
		Reads:   instancesOf(msvm.ReplicationRelationship{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{
			relationshipState, relationshipHealth, vmMode, lastReplicationType, failoverType, lastReplication,
			lastApply, lastConsistent, lag, applyLag, clockAnomaly, vmProtected, vmRunning,
		},
		collect: func(ctx context.Context, v *view, out *output) error {
			relationships, relationshipErr := readRelationships(ctx, v)
			for _, r := range relationships.rows {
				if r.Replicates() {
					collectRelationship(r, relationships.at, out)
				}
			}
			vms, vmErr := readVMs(ctx, v)
			for _, id := range slices.Sorted(maps.Keys(vms)) {
				if mode, ok := vms[id].Mode(); ok {
					warnUnknown(out, "mode", mode.String(), uint16(mode), id)
					out.addStates(vmMode, modeValues, mode.String(), vms.labels(id))
				}
				if running, ok := vms.running(id); ok {
					out.add(vmRunning, boolToFloat(running), vms.labels(id))
				}
			}
			errs := []error{relationshipErr, relationships.invalid, vmErr}
			if relationshipErr == nil {
				collectProtected(relationships, vms, out)
			}
			allRead := checkShown(v, every[msvm.ReplicationRelationship], "InstanceID") == nil
			if relationshipErr == nil && vmErr == nil {
				for _, c := range modeContradictions(relationships, vms) {
					if c.isProven(allRead) {
						errs = append(errs, c)
					}
				}
			}
			return errors.Join(append(errs, checkShown(v, isReplicating),
				checkShown(v, isVM, "Name", "ElementName", "EnabledState", "ReplicationMode"))...)
		},
	}
}

// collectRelationship adds the samples of one relationship, which was read at the
// time readAt.
func collectRelationship(r relationship, readAt time.Time, out *output) {
	l := r.labels
	if s := r.ReplicationState; s != nil {
		out.addStates(relationshipState, stateValues, s.String(), l)
		warnUnknown(out, "state", s.String(), uint16(*s), r.InstanceID)
	}
	if h := r.ReplicationHealth; h != nil {
		out.addStates(relationshipHealth, healthValues, h.String(), l)
		warnUnknown(out, "health", h.String(), uint16(*h), r.InstanceID)
	}
	if t := r.LastReplicationType; t != nil {
		out.addStates(lastReplicationType, typeValues, t.String(), l)
		warnUnknown(out, "replication type", t.String(), uint16(*t), r.InstanceID)
	}
	if t := r.FailedOverReplicationType; t != nil {
		out.addStates(failoverType, typeValues, t.String(), l)
		warnUnknown(out, "failover type", t.String(), uint16(*t), r.InstanceID)
	}
	collectTimes(r, readAt, out)
}

// collectTimes adds the times of the last replications, and the lags between them.
func collectTimes(r relationship, readAt time.Time, out *output) {
	l, times := r.labels, recordedTimes{readAt: readAt}
	replicated, hasReplicated := times.past("LastReplicationTime", r.LastReplicationTime)
	applied, hasApplied := times.past("LastApplyTime", r.LastApplyTime)
	consistent, hasConsistent := times.past(
		"LastApplicationConsistentReplicationTime", r.LastApplicationConsistentReplicationTime)
	out.addTimestamp(lastReplication, replicated, hasReplicated, l)
	out.addTimestamp(lastApply, applied, hasApplied, l)
	out.addTimestamp(lastConsistent, consistent, hasConsistent, l)
	if d, ok := msvm.Elapsed(replicated, readAt); ok && hasReplicated {
		out.add(lag, d.Seconds(), l)
	}
	if d, ok := msvm.Elapsed(applied, replicated); ok && hasReplicated && hasApplied {
		out.add(applyLag, d.Seconds(), l)
	}
	out.add(clockAnomaly, boolToFloat(len(times.future) > 0), l)
	times.warn(out, r.InstanceID)
}

// warnUnknown logs the number of an enumeration value that is exposed as unknown.
func warnUnknown(out *output, property, name string, n uint16, id string) {
	if name == "unknown" {
		out.warn(fmt.Sprint("unknown ", property, n, id), "property has an undocumented value",
			"property", property, "value", n, "id", id)
	}
}

// collectProtected adds vm_protected for the VMs of both classes, since a VM may
// have no relationship. It omits VMs with an invalid relationship, and those that
// may or may not replicate because a state is not known.
func collectProtected(relationships relationshipTable, vms vmsByID, out *output) {
	names, protected, unknown := map[string]string{}, map[string]bool{}, map[string]bool{}
	for id := range vms {
		names[id] = vms.name(id)
	}
	for _, r := range relationships.rows {
		if _, ok := names[r.key.VM]; !ok {
			names[r.key.VM] = msvm.StringOrEmpty(r.ElementName)
		}
		if r.ReplicationState == nil {
			unknown[r.key.VM] = true
		} else if r.Replicates() {
			protected[r.key.VM] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(names)) {
		if !relationships.invalidVMs[id] && (protected[id] || !unknown[id]) {
			out.add(vmProtected, boolToFloat(protected[id]), newVMLabels(names[id], id))
		}
	}
}
