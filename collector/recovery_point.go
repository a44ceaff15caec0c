package collector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	recoveryPointCount = gauge("recovery_points",
		"Recovery points of the VM on this host by type (Msvm_VirtualSystemSettingData); 0 for a replica that has none.",
		perVM("type")...)
	recoveryPointOldest = gauge("recovery_point_oldest_timestamp_seconds",
		"Time when the oldest recovery point of the VM was created; absent if there is none or if its time is in the "+
			"future.", perVM()...)
	recoveryPointNewest = gauge("recovery_point_newest_timestamp_seconds",
		"Time when the newest recovery point of the VM was created; absent if there is none or if its time is in the "+
			"future.", perVM()...)
)

// recoveryPointCollector exposes the recovery points of each VM. It exposes zeros
// for replicas only, and only if all recovery points could be read and assigned.
func recoveryPointCollector() Collector {
	return Collector{
		Name:    "recovery_point",
		Help:    "Number and age of the recovery points of each VM.",
		Default: true,
		Reads:   instancesOf(msvm.VirtualSystemSettingData{}, msvm.SnapshotOfVirtualSystem{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{recoveryPointCount, recoveryPointOldest, recoveryPointNewest},
		collect: func(ctx context.Context, v *view, out *output) error {
			settings, settingsErr := read[msvm.VirtualSystemSettingData](ctx, v)
			snapshots, snapshotErr := read[msvm.SnapshotOfVirtualSystem](ctx, v)
			vms, vmErr := readVMs(ctx, v)
			if settingsErr != nil || vmErr != nil {
				return errors.Join(settingsErr, snapshotErr, vmErr)
			}
			byVM, pointErr := recoveryPointsByVM(settings, snapshots.rows, out)
			isPoint := func(s msvm.VirtualSystemSettingData) bool { _, ok := s.RecoveryPoint(); return ok }
			err := errors.Join(snapshotErr, pointErr, checkShown(v, every[msvm.VirtualSystemSettingData], "VirtualSystemType"),
				checkShown(v, isPoint, "InstanceID", "VirtualSystemIdentifier"), checkShown(v, every[msvm.SnapshotOfVirtualSystem]))
			hasPoints := maps.Clone(byVM)
			if err == nil {
				addEmptyReplicas(byVM, vms)
			}
			for _, id := range slices.Sorted(maps.Keys(byVM)) {
				collectRecoveryPoints(byVM[id], vms.labels(id), out)
			}
			return errors.Join(err, checkShown(v, isPoint, "CreationTime"),
				checkShown(v, vmIn(func(id string) bool { return byVM[id] != nil }), "Name", "ElementName"),
				checkShown(v, vmIn(func(id string) bool { return hasPoints[id] == nil }), "ReplicationMode"))
		},
	}
}

// recoveryPoints summarizes the recovery points of one VM.
type recoveryPoints struct {
	count          map[msvm.RecoveryPointType]float64
	oldest, newest time.Time // zero if no creation time is known
}

func newRecoveryPoints() *recoveryPoints {
	return &recoveryPoints{count: map[msvm.RecoveryPointType]float64{}}
}

func (p *recoveryPoints) add(kind msvm.RecoveryPointType, t time.Time, known bool) {
	p.count[kind]++
	if !known {
		return
	}
	if p.oldest.IsZero() || t.Before(p.oldest) {
		p.oldest = t
	}
	if t.After(p.newest) {
		p.newest = t
	}
}

// recoveryPointsByVM groups the recovery points by the GUID of their VM. The VM is
// that of the association or, if it has no instance for the recovery point, that
// of the property VirtualSystemIdentifier.
func recoveryPointsByVM(
	settings table[msvm.VirtualSystemSettingData], snapshots []msvm.SnapshotOfVirtualSystem, out *output,
) (map[string]*recoveryPoints, error) {
	vmOfSettings := make(map[wmiquery.Ref]string, len(snapshots))
	for _, s := range snapshots {
		vmOfSettings[lowerRef(s.Dependent)] = msvm.VMOf(s.Antecedent)
	}
	byVM := map[string]*recoveryPoints{}
	seen := map[string]bool{}
	var errs []error
	for _, s := range settings.rows {
		kind, ok := s.RecoveryPoint()
		if !ok || seen[s.InstanceID] {
			continue
		}
		seen[s.InstanceID] = true
		vm := vmOfSettings[lowerRef(s.Ref())]
		if vm == "" {
			vm = strings.ToUpper(msvm.StringOrEmpty(s.VirtualSystemIdentifier))
		}
		if !msvm.IsGUID(vm) {
			errs = append(errs, fmt.Errorf("recovery point %.100s: VM not found", s.InstanceID))
			continue
		}
		if byVM[vm] == nil {
			byVM[vm] = newRecoveryPoints()
		}
		times := recordedTimes{readAt: settings.at}
		created, known := times.past("CreationTime", s.CreationTime)
		byVM[vm].add(kind, created, known)
		times.warn(out, s.InstanceID)
	}
	return byVM, errors.Join(errs...)
}

// addEmptyReplicas adds the replicas that have no recovery points.
func addEmptyReplicas(byVM map[string]*recoveryPoints, vms vmsByID) {
	for id, vm := range vms {
		mode, ok := vm.Mode()
		if ok && byVM[id] == nil && (mode == msvm.ModeReplica || mode == msvm.ModeExtendedReplica) {
			byVM[id] = newRecoveryPoints()
		}
	}
}

func collectRecoveryPoints(p *recoveryPoints, l labels, out *output) {
	for _, kind := range msvm.RecoveryPointTypes() {
		out.add(recoveryPointCount, p.count[kind], l, label("type", string(kind)))
	}
	if n := p.count[msvm.PointUnknown]; n > 0 {
		out.add(recoveryPointCount, n, l, label("type", string(msvm.PointUnknown)))
	}
	out.addTimestamp(recoveryPointOldest, p.oldest, !p.oldest.IsZero(), l)
	out.addTimestamp(recoveryPointNewest, p.newest, !p.newest.IsZero(), l)
}
