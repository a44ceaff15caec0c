package simulator_test

import (
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// point is a recovery point as its row shows it.
type point struct {
	kind string // VirtualSystemType
	at   time.Time
}

const (
	standardPoint   = "Microsoft:Hyper-V:Snapshot:Replica:Standard"
	consistentPoint = "Microsoft:Hyper-V:Snapshot:Replica:ApplicationConsistent"
	plannedPoint    = "Microsoft:Hyper-V:Snapshot:Replica:PlannedFailover"
)

// points are the recovery points of the VM on HV02, oldest first, and their paths.
func (d *vmDriver) points() (points []point, paths []wmiquery.Ref) {
	d.Helper()
	for _, s := range read[msvm.VirtualSystemSettingData](d.T, d.hosts["HV02"]) {
		if *s.VirtualSystemIdentifier == d.vm && *s.VirtualSystemType != "Microsoft:Hyper-V:System:Realized" {
			points = append(points, point{*s.VirtualSystemType, *s.CreationTime})
			paths = append(paths, s.Ref())
		}
	}
	return points, paths
}

// count is the number of points of a kind.
func count(points []point, kind string) (n int) {
	for _, p := range points {
		if p.kind == kind {
			n++
		}
	}
	return n
}

// keepPoints changes how many recovery points the replica keeps and how many hours lie between
// application-consistent ones.
func keepPoints(history, hours uint16) step {
	return modify(func(s *msvm.ReplicationSettingData) {
		s.RecoveryHistory, s.ApplicationConsistentSnapshotInterval = &history, &hours
	})
}

// Every clock hour has one recovery point: its application-consistent replication if there is one, otherwise its first.
// Sources: Microsoft's virtualization blog, 2013-10-22; Set-up-Hyper-V-Replica.md and replication-virtual-machines.md in
// MicrosoftDocs/windowsserverdocs: hourly points, of which the option makes some application-consistent, and 24 points
// reach back 24 hours.
func TestReplicationsMakeRecoveryPoints(t *testing.T) {
	for _, hours := range []uint16{0, 1, 4} {
		d := newVMDriver(t, healthy)
		d.do("HV01", keepPoints(24, hours))
		before, _ := d.points()
		if len(before) != 0 {
			t.Fatalf("recovery points are %v, want none without a history", before)
		}
		var want []point
		consistent := 0
		last := d.clock.Now()
		for range 11 * 60 {
			d.clock.Advance(time.Minute)
			r := d.rows("HV02")[0]
			at := *r.LastReplicationTime
			if !at.After(last) {
				continue
			}
			last = at
			kind := standardPoint
			if r.LastApplicationConsistentReplicationTime.Equal(at) {
				kind, consistent = consistentPoint, consistent+1
			}
			sameHour := len(want) > 0 && want[len(want)-1].at.Truncate(time.Hour).Equal(at.Truncate(time.Hour))
			switch {
			case !sameHour:
				want = append(want, point{kind, at})
			case kind == consistentPoint:
				want[len(want)-1] = point{kind, at}
			}
		}
		if got, _ := d.points(); !slices.Equal(got, want) {
			t.Errorf("consistent points every %d hours: got\n%v, want\n%v", hours, got, want)
		}
		if least := map[uint16]int{0: 0, 1: 10, 4: 3}[hours]; consistent < least || consistent > least+1 {
			t.Errorf("%d consistent replications, want about %d", consistent, least)
		}
		if len(want) < 11 || len(want) > 12 {
			t.Errorf("%d points in 11 hours are %v, want one per clock hour", len(want), want)
		}
	}
}

// A replica keeps as many points as its settings say, from the start. The point of a planned failover does not count.
func TestRecoveryPointsAreMerged(t *testing.T) {
	found := 0
	for vm := range 20 {
		d := newVMDriver(t, vm)
		if d.states() != "1[3] 2[3 0] -" {
			continue
		}
		for _, s := range read[msvm.ReplicationSettingData](t, d.hosts["HV02"]) {
			if s.InstanceID != d.rows("HV02")[0].InstanceID {
				continue
			}
			points, _ := d.points()
			if len(points) != int(*s.RecoveryHistory) {
				t.Errorf("VM %d: %d recovery points, want %d", vm, len(points), *s.RecoveryHistory)
			}
			found += len(points)
		}
	}
	if found == 0 {
		t.Error("no VM has recovery points")
	}

	d := newVMDriver(t, healthy)
	d.do("HV01", keepPoints(4, 0))
	d.clock.Advance(10 * time.Hour)
	before, _ := d.points()
	if d.clock.Advance(3 * time.Hour); len(before) != 4 {
		t.Fatalf("recovery points are %v, want 4", before)
	}
	after, _ := d.points()
	if len(after) != 4 || after[0] != before[3] {
		t.Errorf("recovery points are %v three hours after %v, want the newest one and 3 newer ones", after, before)
	}
	d.setPower("HV01", false)
	d.do("HV01", request(4))
	if all, _ := d.points(); len(all) != 5 || !slices.Equal(all[:4], after) || all[4].kind != plannedPoint {
		t.Errorf("recovery points after preparing are %v, want that of the planned failover in addition to %v", all, after)
	}
	d.do("HV01", keepPoints(2, 0))
	if all, _ := d.points(); len(all) != 3 || !slices.Equal(all[:2], after[2:]) || all[2].kind != plannedPoint {
		t.Errorf("recovery points are %v, want the newest two of %v and that of the planned failover", all, after)
	}
	d.do("HV02", method("InitiateFailover"), method("CommitFailover"))
	if all, _ := d.points(); len(all) != 0 {
		t.Errorf("recovery points after the commit are %v, want none", all)
	}
}

// The application-consistent points of a new World lie the configured number of hours apart.
func TestInitialRecoveryPoints(t *testing.T) {
	const vm = 28 // keeps 24 points, of which one every four hours is consistent
	d := newVMDriver(t, vm)
	all, _ := d.points()
	if len(all) != 24 || count(all, consistentPoint) < 5 || count(all, consistentPoint) > 7 {
		t.Fatalf("recovery points are %v, want 24, of which about six are consistent", all)
	}
	for _, p := range all[:12] {
		if want := p.at.Hour()%4 == 0; (p.kind == consistentPoint) != want {
			t.Errorf("recovery point of %v is %s", p.at, p.kind)
		}
	}
}

// The point of a cancelled planned failover is merged. If the replica has failed over to it, it is merged when that
// failover is cancelled, too.
func TestPointOfPlannedFailover(t *testing.T) {
	prepared := func() *vmDriver {
		d := newVMDriver(t, healthy)
		d.do("HV01", keepPoints(4, 0))
		d.clock.Advance(6 * time.Hour)
		d.setPower("HV01", false)
		d.do("HV01", request(4))
		if all, _ := d.points(); count(all, plannedPoint) != 1 {
			t.Fatalf("recovery points are %v, want one of a planned failover", all)
		}
		return d
	}
	d := prepared()
	d.do("HV01", method("RevertFailover"))
	if all, _ := d.points(); count(all, plannedPoint) != 0 || len(all) != 4 {
		t.Errorf("recovery points after cancelling are %v, want 4 without that of the planned failover", all)
	}

	d = prepared()
	failover := d.call("HV02", "InitiateFailover")
	d.do("HV01", method("RevertFailover"))
	d.wantStates("cancelled during the failover", "1[3] 2[12 0] -")
	if all, _ := d.points(); count(all, plannedPoint) != 1 {
		t.Errorf("recovery points during the failover are %v, want that of the planned failover", all)
	}
	d.finish("HV02", failover)
	d.do("HV02", method("RevertFailover"))
	if all, _ := d.points(); count(all, plannedPoint) != 0 {
		t.Errorf("recovery points after both were cancelled are %v, want none of a planned failover", all)
	}
	d.do("HV01", request(4), method("RevertFailover"))

	d = prepared()
	d.do("HV02", method("InitiateFailover"), method("RevertFailover"))
	if all, _ := d.points(); count(all, plannedPoint) != 1 {
		t.Errorf("recovery points are %v, want that of the planned failover while the primary is prepared", all)
	}
	d.do("HV01", method("RevertFailover"))
	if all, _ := d.points(); count(all, plannedPoint) != 0 {
		t.Errorf("recovery points are %v, want none of a planned failover", all)
	}

	d = prepared()
	d.do("HV02", method("InitiateFailover"))
	d.do("HV01", method("RevertFailover"))
	if all, _ := d.points(); count(all, plannedPoint) != 1 {
		t.Errorf("recovery points are %v, want that of the failover", all)
	}
	d.do("HV02", method("RevertFailover"))
	d.clock.Advance(10 * time.Hour)
	all, _ := d.points()
	if count(all, plannedPoint) != 0 || count(all, standardPoint) != 4 {
		t.Errorf("recovery points ten hours later are %v, want 4 without that of the planned failover", all)
	}
}

// Source: Microsoft's virtualization blog, 2014-01-27: a failover to the latest point is nearly instant, one to an older
// point takes as long as there is to undo.
func TestFailoverToOlderPointTakesLonger(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.do("HV01", keepPoints(24, 0))
	d.clock.Advance(23 * time.Hour)
	_, paths := d.points()
	var took []time.Duration
	for _, of := range [][]any{nil, {"SnapshotSettingData", paths[len(paths)/2]}, {"SnapshotSettingData", paths[0]}} {
		begun := d.clock.Now()
		d.do("HV02", method("InitiateFailover", of...))
		took = append(took, d.clock.Now().Sub(begun))
		d.do("HV02", method("RevertFailover"))
	}
	if took[0] > 15*time.Second || took[1] <= took[0]+10*time.Second || took[2] <= took[1]+10*time.Second {
		t.Errorf("failovers to the latest, an older and the oldest point took %v", took)
	}
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationrelationship.md, FailedOverReplicationType: 1 is regular, 2
// application-consistent, 3 planned. 0 before a failover and after it is reverted.
func TestFailedOverReplicationType(t *testing.T) {
	failedOverType := func(d *vmDriver) uint16 { return uint16(*d.rows("HV02")[0].FailedOverReplicationType) }
	d := newVMDriver(t, healthy)
	d.do("HV01", keepPoints(24, 1))
	d.clock.Advance(5 * time.Hour)
	d.setPower("HV01", false)
	d.do("HV01", request(4))
	points, paths := d.points()
	for _, kind := range []string{standardPoint, consistentPoint, plannedPoint} {
		i := slices.IndexFunc(points, func(p point) bool { return p.kind == kind })
		if got := failedOverType(d); got != 0 {
			t.Errorf("before the failover: type is %d, want 0", got)
		}
		d.do("HV02", method("InitiateFailover", "SnapshotSettingData", paths[i]))
		want := map[string]uint16{standardPoint: 1, consistentPoint: 2, plannedPoint: 3}[kind]
		if got := failedOverType(d); got != want {
			t.Errorf("failover to %s: type is %d, want %d", kind, got, want)
		}
		d.do("HV02", method("RevertFailover"))
	}
	d.do("HV02", method("InitiateFailover")) // to the latest point
	if got := failedOverType(d); got != 3 {
		t.Errorf("failover to the latest point: type is %d, want 3", got)
	}
}
