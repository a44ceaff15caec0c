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
	recoveryPoints = gauge("recovery_points",
		"Recovery points that the host holds of the VM (Msvm_VirtualSystemSettingData), by kind; 0 for a replica that has none.", perVM("type")...)
	recoveryPointOldest = gauge("recovery_point_oldest_timestamp_seconds",
		"When the VM's oldest recovery point was made; absent if there is none.", vmLabels...)
	recoveryPointNewest = gauge("recovery_point_newest_timestamp_seconds",
		"When the VM's newest recovery point was made; absent if there is none.", vmLabels...)
)

// recoveryPointCollector counts the recovery points of each VM. Zeros are given
// to replicas, and only if all that could tell of recovery points was read.
func recoveryPointCollector() Collector {
	return Collector{
		Name:    "recovery_point",
		Help:    "Recovery points that are held, and their age.",
		Default: true,
		Reads:   rowsOf(msvm.VirtualSystemSettingData{}, msvm.SnapshotOfVirtualSystem{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{recoveryPoints, recoveryPointOldest, recoveryPointNewest},
		collect: func(ctx context.Context, v *view, out *output) error {
			settings, setErr := read[msvm.VirtualSystemSettingData](ctx, v)
			snapshots, snapErr := read[msvm.SnapshotOfVirtualSystem](ctx, v)
			systems, sysErr := readMachines(ctx, v)
			if setErr != nil || sysErr != nil {
				return errors.Join(setErr, snapErr, sysErr)
			}
			held, pointErr := pointsOf(settings.rows, snapshots.rows)
			err := errors.Join(snapErr, pointErr)
			if err == nil {
				addReplicas(held, systems)
			}
			for _, id := range slices.Sorted(maps.Keys(held)) {
				collectPoints(held[id], systems.labels(id), out)
			}
			return err
		},
	}
}

// points are the recovery points of one VM.
type points struct {
	count          map[msvm.RecoveryPointType]float64
	oldest, newest time.Time // zero if the host did not tell
}

func newPoints() *points { return &points{count: map[msvm.RecoveryPointType]float64{}} }

// pointsOf sorts recovery points by VM. Which VM one is of is the association's
// to say; where that has no row for it, its own VirtualSystemIdentifier's.
func pointsOf(settings []msvm.VirtualSystemSettingData, snapshots []msvm.SnapshotOfVirtualSystem) (map[string]*points, error) {
	owners := make(map[wmiquery.Ref]string, len(snapshots))
	for _, s := range snapshots {
		owners[sameCase(s.Dependent)] = msvm.VMOf(s.Antecedent)
	}
	held := map[string]*points{}
	seen := map[string]bool{}
	var errs []error
	for _, s := range settings {
		kind, ok := s.RecoveryPoint()
		if !ok || seen[s.InstanceID] {
			continue
		}
		seen[s.InstanceID] = true
		vm := owners[sameCase(s.Ref())]
		if vm == "" {
			vm = strings.ToUpper(msvm.StringOrEmpty(s.VirtualSystemIdentifier))
		}
		if !msvm.IsGUID(vm) {
			errs = append(errs, fmt.Errorf("the recovery point %s is of no VM", s.InstanceID))
			continue
		}
		if held[vm] == nil {
			held[vm] = newPoints()
		}
		held[vm].add(kind, s.CreationTime)
	}
	return held, errors.Join(errs...)
}

func (p *points) add(kind msvm.RecoveryPointType, made *time.Time) {
	p.count[kind]++
	t, known := msvm.Known(made)
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

// addReplicas adds the replicas that have no recovery point.
func addReplicas(held map[string]*points, systems machines) {
	for id := range systems {
		mode, ok := systems.mode(id)
		if ok && held[id] == nil && (mode == msvm.ModeReplica || mode == msvm.ModeExtendedReplica) {
			held[id] = newPoints()
		}
	}
}

func collectPoints(p *points, l labels, out *output) {
	for _, kind := range msvm.RecoveryPointTypes() {
		out.add(recoveryPoints, p.count[kind], l.with(label("type", string(kind))))
	}
	if n := p.count[msvm.PointUnknown]; n > 0 {
		out.add(recoveryPoints, n, l.with(label("type", string(msvm.PointUnknown))))
	}
	out.timestamp(recoveryPointOldest, p.oldest, !p.oldest.IsZero(), l)
	out.timestamp(recoveryPointNewest, p.newest, !p.newest.IsZero(), l)
}
