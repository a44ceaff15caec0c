package simulator

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// recoveryPoint is a recovery point of a replica. It is small because there may be 100,000 of them. Rows
// are built when they are read.
type recoveryPoint struct {
	at   int64 // Unix seconds
	kind recoveryPointKind
}

// recoveryPointKind is an index of msvm.RecoveryPointTypes.
type recoveryPointKind uint8

const (
	pointStandard recoveryPointKind = iota
	pointConsistent
	pointPlanned
)

func (k recoveryPointKind) String() string {
	return [...]string{"Standard Replica", "Application Consistent Replica", "Planned Failover Replica"}[k]
}

// replicationType is FailedOverReplicationType after a failover to such a point.
func (k recoveryPointKind) replicationType() msvm.ReplicationType {
	return [...]msvm.ReplicationType{msvm.TypeRegular, msvm.TypeApplicationConsistent, msvm.TypePlanned}[k]
}

// addCyclePoint adds a recovery point for a cycle that has arrived, if one is due. There is one per hour. If
// an application-consistent cycle arrives in the hour, that is the point of the hour. Sources: Microsoft's
// virtualization blog, 2013-10-22, and Set-up-Hyper-V-Replica.md in MicrosoftDocs/windowsserverdocs: the
// points are hourly, and the option makes hourly points application-consistent.
func (e *endpoint) addCyclePoint(at time.Time, kind msvm.ReplicationType) {
	history := int(*e.link.settings.RecoveryHistory)
	if history == 0 {
		return
	}
	p := recoveryPoint{at.Unix(), pointStandard}
	if kind == msvm.TypeApplicationConsistent {
		p.kind = pointConsistent
	}
	if n := len(e.recoveryPoints); n > 0 && e.recoveryPoints[n-1].at/3600 == p.at/3600 {
		last := &e.recoveryPoints[n-1]
		if p.kind == pointStandard {
			return
		}
		if last.kind == pointStandard {
			*last = p
			e.pointsMade, e.pointsMerged = e.pointsMade+1, e.pointsMerged+1
			return
		}
	}
	e.addPoint(p)
	e.mergePoints(history)
}

func (e *endpoint) addPoint(p recoveryPoint) {
	if e.recoveryPoints == nil {
		e.recoveryPoints = make([]recoveryPoint, 0, 2+*e.link.settings.RecoveryHistory)
	}
	e.recoveryPoints = append(e.recoveryPoints, p)
	e.pointsMade++
}

// mergePoints merges the oldest points until at most left remain. The point of a planned failover does
// not count.
func (e *endpoint) mergePoints(left int) {
	planned := 0
	for _, p := range e.recoveryPoints {
		if p.kind == pointPlanned {
			planned++
		}
	}
	for over := len(e.recoveryPoints) - planned - left; over > 0; over-- {
		i := slices.IndexFunc(e.recoveryPoints, func(p recoveryPoint) bool { return p.kind != pointPlanned })
		e.recoveryPoints = slices.Delete(e.recoveryPoints, i, i+1)
		e.pointsMerged++
	}
}

// mergeAllPoints merges all points, including that of a planned failover.
func (e *endpoint) mergeAllPoints() {
	e.pointsMerged += len(e.recoveryPoints)
	e.recoveryPoints = e.recoveryPoints[:0]
}

// mergePlannedPoint merges the point of a cancelled planned failover.
func (e *endpoint) mergePlannedPoint() {
	n := len(e.recoveryPoints)
	e.recoveryPoints = slices.DeleteFunc(e.recoveryPoints, func(p recoveryPoint) bool { return p.kind == pointPlanned })
	e.pointsMerged += n - len(e.recoveryPoints)
}

// addInitialPoints adds the points that a replica has accumulated before the simulation starts.
func (e *endpoint) addInitialPoints(at time.Time) {
	history := int(*e.link.settings.RecoveryHistory)
	every := int64(e.link.traffic.snapshotInterval / time.Hour)
	for n := history; n > 0; n-- {
		p := recoveryPoint{at.Unix() - int64(n)*3600, pointStandard}
		if every > 0 && p.at/3600%every == 0 {
			p.kind = pointConsistent
		}
		e.addPoint(p)
	}
}

// pointID is the InstanceID of a point. It is always the same for the same point.
func (e *endpoint) pointID(p recoveryPoint) string {
	h := fnv.New64a()
	h.Write([]byte(e.vm.id))
	return "Microsoft:" + drawGUID(rand.New(rand.NewPCG(h.Sum64(), uint64(p.at)<<2|uint64(p.kind))))
}

// pointAt is the point with that object path. It returns false if there is none.
func (e *endpoint) pointAt(path wmiquery.Ref) (recoveryPoint, bool) {
	for _, p := range e.recoveryPoints {
		if strings.EqualFold(string(msvm.VirtualSystemSettingData{InstanceID: e.pointID(p)}.Ref()), string(path)) {
			return p, true
		}
	}
	return recoveryPoint{}, false
}
