package simulator

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// point is a recovery point of a replica. There may be a hundred thousand, so it
// is small, and its row is made when somebody reads it.
type point struct {
	at   int64 // Unix seconds
	kind pointKind
}

// pointKind is an index of msvm.RecoveryPointTypes.
type pointKind uint8

const (
	pointStandard pointKind = iota
	pointConsistent
	pointPlanned
)

func (k pointKind) String() string {
	return [...]string{"Standard Replica", "Application Consistent Replica", "Planned Failover Replica"}[k]
}

// replicationType is FailedOverReplicationType of a failover to such a point.
func (k pointKind) replicationType() msvm.ReplicationType {
	return [...]msvm.ReplicationType{msvm.TypeRegular, msvm.TypeApplicationConsistent, msvm.TypePlanned}[k]
}

// keep makes a recovery point of what has just arrived, when it is time: one for
// each hour, and one for each application-consistent replication.
func (s *side) keep(at time.Time, kind msvm.ReplicationType) {
	history := int(*s.link.settings.RecoveryHistory)
	if history == 0 {
		return
	}
	p := point{at.Unix(), pointStandard}
	if kind == msvm.TypeApplicationConsistent {
		p.kind = pointConsistent
	}
	if n := len(s.points); n > 0 && p.kind == pointStandard && s.points[n-1].at/3600 == p.at/3600 {
		return
	}
	s.addPoint(p)
	s.mergePoints(history)
}

func (s *side) addPoint(p point) {
	if s.points == nil {
		s.points = make([]point, 0, 2+*s.link.settings.RecoveryHistory)
	}
	s.points = append(s.points, p)
	s.made++
}

// mergePoints merges the oldest points until no more than so many are left, not
// counting that of a planned failover.
func (s *side) mergePoints(left int) {
	planned := 0
	for _, p := range s.points {
		if p.kind == pointPlanned {
			planned++
		}
	}
	for over := len(s.points) - planned - left; over > 0; over-- {
		i := slices.IndexFunc(s.points, func(p point) bool { return p.kind != pointPlanned })
		s.points = slices.Delete(s.points, i, i+1)
		s.merged++
	}
}

// mergeAll merges all points, that of a planned failover too.
func (s *side) mergeAll() {
	s.merged += len(s.points)
	s.points = s.points[:0]
}

// dropPlanned merges the point of a planned failover that does not come about.
func (s *side) dropPlanned() {
	n := len(s.points)
	s.points = slices.DeleteFunc(s.points, func(p point) bool { return p.kind == pointPlanned })
	s.merged += n - len(s.points)
}

// stock gives a replica the points that it has after a long life.
func (s *side) stock(at time.Time) {
	history := int(*s.link.settings.RecoveryHistory)
	every := int64(s.link.traffic.snapshots / time.Hour)
	for n := history; n > 0; n-- {
		p := point{at.Unix() - int64(n)*3600, pointStandard}
		if every > 0 && p.at/3600%every == 0 {
			p.kind = pointConsistent
		}
		s.addPoint(p)
	}
}

// id is the InstanceID of a point: the same whenever it is asked for.
func (s *side) id(p point) string {
	h := fnv.New64a()
	h.Write([]byte(s.machine.id))
	return "Microsoft:" + drawGUID(rand.New(rand.NewPCG(h.Sum64(), uint64(p.at)<<2|uint64(p.kind))))
}

// pointAt is the point with that path, false if the side has none.
func (s *side) pointAt(path wmiquery.Ref) (point, bool) {
	for _, p := range s.points {
		if strings.EqualFold(string(msvm.VirtualSystemSettingData{InstanceID: s.id(p)}.Ref()), string(path)) {
			return p, true
		}
	}
	return point{}, false
}

// points are the recovery points of the host's replicas.
func (v view) points(each func(m *machine, s *side, p point)) {
	for _, m := range v.host.machines {
		m.guest.advance(v.at)
		if s := m.sides[msvm.Primary]; s != nil {
			for _, p := range s.points {
				each(m, s, p)
			}
		}
	}
}

// virtualSystemSettings has the settings of each VM, and the recovery points.
func (v view) virtualSystemSettings() []msvm.VirtualSystemSettingData {
	rows := make([]msvm.VirtualSystemSettingData, 0, len(v.host.machines))
	for _, m := range v.host.machines {
		rows = append(rows, msvm.VirtualSystemSettingData{
			InstanceID:              "Microsoft:" + m.id,
			ElementName:             new(v.faults.nameOf(m)),
			VirtualSystemIdentifier: &m.id,
			VirtualSystemType:       new("Microsoft:Hyper-V:System:Realized"),
			CreationTime:            new(m.installed),
		})
	}
	types := msvm.RecoveryPointTypes()
	v.points(func(m *machine, s *side, p point) {
		at := time.Unix(p.at, 0).UTC()
		rows = append(rows, msvm.VirtualSystemSettingData{
			InstanceID:              s.id(p),
			ElementName:             new(fmt.Sprintf("%s - %s - (%s)", v.faults.nameOf(m), p.kind, at.Format("1/2/2006 - 3:04:05 PM"))),
			VirtualSystemIdentifier: &m.id,
			VirtualSystemType:       new(types[p.kind].VirtualSystemType()),
			CreationTime:            &at,
		})
	})
	return rows
}

// snapshotsOfVirtualSystems has the VM of each recovery point.
func (v view) snapshotsOfVirtualSystems() []msvm.SnapshotOfVirtualSystem {
	var rows []msvm.SnapshotOfVirtualSystem
	v.points(func(m *machine, s *side, p point) {
		rows = append(rows, msvm.SnapshotOfVirtualSystem{
			Antecedent: msvm.VMRef(m.id),
			Dependent:  msvm.VirtualSystemSettingData{InstanceID: s.id(p)}.Ref(),
		})
	})
	return rows
}

// replicaSystemDependencies has the test VM of each replica that has one.
func (v view) replicaSystemDependencies() []msvm.ReplicaSystemDependency {
	var rows []msvm.ReplicaSystemDependency
	for _, m := range v.host.machines {
		if m.test != nil {
			rows = append(rows, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(m.id), Dependent: msvm.VMRef(m.test.id)})
		}
	}
	return rows
}
