package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// advanceUntil advances the clock in steps until the condition is true. It fails after a day.
func (d *vmDriver) advanceUntil(step time.Duration, what string, condition func() bool) {
	d.Helper()
	for end := d.clock.Now().Add(24 * time.Hour); !condition(); d.clock.Advance(step) {
		if d.clock.Now().After(end) {
			d.Fatalf("a day later: not yet %s", what)
		}
	}
}

// advanceToFailures advances the clock to the second at which a host counts its nth failure.
func (d *vmDriver) advanceToFailures(host string, n uint32) {
	d.Helper()
	d.advanceUntil(time.Second, "the failure", func() bool { return *d.statistics(host).ReplicationFailureCount >= n })
	if got := *d.statistics(host).ReplicationFailureCount; got != n {
		d.Errorf("%d failures, want %d", got, n)
	}
}

// issues are the IDs of the health issues of the primary relationship on HV01.
func (d *vmDriver) issues() map[string]bool {
	d.Helper()
	ids := map[string]bool{}
	for _, e := range relationships(d.T, d.hosts["HV01"], d.vm)[0].issues {
		ids[*e.MessageID] = true
	}
	return ids
}

// No cycle is expected while a job for the sending VM is running.
func TestNoCycleDuringJob(t *testing.T) {
	d := newVMDriver(t, pausedOnReplica) // every cycle is a failure
	first := *d.statistics("HV02").ReplicationFailureCount
	d.advanceToFailures("HV02", first+1)
	d.clock.Advance(299 * time.Second)
	d.do("HV02", modify(func(*msvm.ReplicationSettingData) {}))
	d.clock.Advance(10 * time.Second)
	if got := *d.statistics("HV02").ReplicationFailureCount; got != first+1 {
		t.Errorf("%d failures, want none at the time of the job", got-first-1)
	}
	d.clock.Advance(300 * time.Second)
	if got := *d.statistics("HV02").ReplicationFailureCount; got != first+2 {
		t.Errorf("%d failures, want one after the job", got-first-1)
	}

	// A job that ends in the second of a cycle ends before it.
	unchanged := modify(func(*msvm.ReplicationSettingData) {})
	d = newVMDriver(t, pausedOnReplica)
	duration := *d.finish("HV02", unchanged(d, "HV02")).ElapsedTime // the same in the next World
	d = newVMDriver(t, pausedOnReplica)
	d.advanceToFailures("HV02", first+1)
	d.clock.Advance(300*time.Second - duration)
	if j := d.finish("HV02", unchanged(d, "HV02")); *j.ElapsedTime != duration {
		t.Fatalf("the job took %v, want %v", *j.ElapsedTime, duration)
	}
	if got := *d.statistics("HV02").ReplicationFailureCount; got != first+2 {
		t.Errorf("%d failures at the end of the job, want one", got-first-1)
	}
}

// The primary detects a failover of the replica only when the failover is complete, so that a running one can be
// reverted.
func TestPrimaryDetectsFailover(t *testing.T) {
	const every30s = 2
	d := newVMDriver(t, every30s)
	d.do("HV01", keepPoints(24, 0))
	d.clock.Advance(23 * time.Hour)
	before := *d.statistics("HV01").ReplicationFailureCount
	_, paths := d.points()
	reply := d.call("HV02", "InitiateFailover", "SnapshotSettingData", paths[0]) // takes long
	for {
		j, _ := d.job("HV02", reply.Job)
		if *j.JobState == 7 {
			break
		}
		d.wantStates("during the failover", "1[3] 2[12 0] -")
		d.clock.Advance(time.Second)
	}
	if got := *d.statistics("HV01").ReplicationFailureCount; got == before {
		t.Error("no cycle was due during the failover")
	}
	d.clock.Advance(31 * time.Second)
	d.wantStates("after the failover", "1[8] 2[5 0] -")
}

// A cycle that is running when replication is paused, failed over or changed does not arrive.
func TestRunningCycleIsAborted(t *testing.T) {
	for _, tt := range []struct {
		name, host string
		call       step
		states     string // during which nothing may arrive
	}{
		{"pause", "HV01", request(7), "1[7] 2[3 0] -"},
		{"pause on the replica", "HV02", request(7), "1[3] 2[7 0] -"},
		{"failover", "HV02", method("InitiateFailover"), "1[3] 2[12 0] -"},
		{"change of the disks", "HV01", setDisks("one"), "1[15] 2[15 0] -"},
	} {
		for minute := range 10 {
			d := newVMDriver(t, slowLink) // a cycle is running nearly all the time
			d.clock.Advance(time.Duration(minute) * time.Minute)
			if reply := tt.call(d, tt.host); reply.Code != 0 && reply.Code != 4096 {
				t.Fatalf("%s: code %d", tt.name, reply.Code)
			}
			d.wantStates(tt.name, tt.states)
			last := *d.rows("HV02")[0].LastReplicationTime
			for end := d.clock.Now().Add(12 * time.Minute); d.clock.Now().Before(end); d.clock.Advance(5 * time.Second) {
				if d.states() != tt.states {
					break
				}
				if now := *d.rows("HV02")[0].LastReplicationTime; !now.Equal(last) {
					t.Fatalf("%s: a replication arrived at %v, after the call", tt.name, now)
				}
			}
		}
	}
}

// A cycle that is due while the previous one is running is missed, but it is not a failure. Nothing that the VM writes
// is lost.
func TestOverlappingCycles(t *testing.T) {
	d := newVMDriver(t, slowLink)
	key := msvm.Key{VM: d.vm, Link: msvm.Primary}
	begin, _ := d.world.Totals(key)
	written := uint64(0)
	for range 6 * 60 {
		d.clock.Advance(time.Minute)
		totals, _ := d.world.Totals(key)
		sum := totals.Bytes + *d.statistics("HV01").PendingReplicationSize
		if sum+1 < written { // the pending size is rounded down
			t.Errorf("%d bytes are sent or pending, %d were a minute before", sum, written)
		}
		written = sum
	}
	end, _ := d.world.Totals(key)
	cycles, missed := end.Cycles-begin.Cycles, end.Missed-begin.Missed
	if cycles+missed < 71 || cycles+missed > 73 || cycles < 20 || missed < 30 || end.Failures != 0 {
		t.Errorf("%d cycles, %d missed, %d failures in six hours, want 72 due, many of them missed, and no failure",
			cycles, missed, end.Failures)
	}
}

// During a network outage, the sender counts network failures. Both sides count missed cycles.
func TestNetworkFailuresAreCountedBySender(t *testing.T) {
	d := newOutageDriver(t)
	missed := *d.statistics("HV01").ReplicationMissCount
	if missed < 8 || missed > 11 { // 45 minutes of cycles every 5 minutes
		t.Errorf("%d missed cycles, want about 9", missed)
	}
	d.clock.Advance(30 * time.Minute)
	p, r := d.statistics("HV01"), d.statistics("HV02")
	if *p.NetworkFailureCount == 0 || *r.NetworkFailureCount != 0 || *p.ReplicationFailureCount != 0 {
		t.Errorf("network failures are %d and %d, failures %d, want some, 0, 0",
			*p.NetworkFailureCount, *r.NetworkFailureCount, *p.ReplicationFailureCount)
	}
	if *p.ReplicationMissCount != missed+6 || *r.ReplicationMissCount != missed+6 {
		t.Errorf("missed cycles are %d and %d, want %d", *p.ReplicationMissCount, *r.ReplicationMissCount, missed+6)
	}
}

// The replica applies a replication a few seconds after it arrives. Until then LastApplyTime is the previous one.
func TestLastApplyTime(t *testing.T) {
	d := newSingleVMDriver(t)
	d.clock.Advance(time.Minute)
	r := d.rows("HV02")[0]
	last, applied, arrivals, applies := *r.LastReplicationTime, *r.LastApplyTime, 0, 0
	for range 3600 {
		d.clock.Advance(time.Second)
		now, r := d.clock.Now(), d.rows("HV02")[0]
		if !r.LastReplicationTime.Equal(last) {
			last, arrivals = *r.LastReplicationTime, arrivals+1
		}
		if r.LastApplyTime.Equal(applied) {
			continue
		}
		applied, applies = *r.LastApplyTime, applies+1
		if !applied.Equal(now) {
			t.Errorf("LastApplyTime at %v is %v, want now", now, applied)
		}
		if d := applied.Sub(last); d < 2*time.Second || d > 6*time.Second {
			t.Errorf("replication of %v was applied after %v, want 2 to 6 s", last, d)
		}
	}
	if arrivals < 11 || applies != arrivals {
		t.Errorf("%d replications arrived and %d were applied, want 12 of each", arrivals, applies)
	}
	if got := d.rows("HV01")[0].LastApplyTime; got.Year() != 1601 {
		t.Errorf("LastApplyTime of the primary is %v, want none", got)
	}
}

// The extended link sends what the replica receives, although the replica is off.
func TestExtendedLinkSends(t *testing.T) {
	d := extended(t)
	before := *d.statistics("HV03").ReplicationSize
	d.clock.Advance(2 * time.Hour)
	third := d.statistics("HV03")
	if *third.ReplicationSuccessCount < 20 || *third.ReplicationSize <= before || *third.PendingReplicationSize != 0 {
		t.Errorf("statistics of the extended replica are %+v, want cycles with data", counters(third))
	}
}

// Changes are not tracked while a resynchronization is required. When it starts, the backlog starts at 0. A prepared
// VM has nothing to send.
func TestBacklogStartsAgain(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.setPower("HV01", false)
	if err := d.world.ModifyDisk(d.vm, "HV01"); err != nil {
		t.Fatal(err)
	}
	d.setPower("HV01", true)
	d.wantStates("disk modified", "1[9] 2[3 0] -")
	d.clock.Advance(299 * time.Second)
	if got := *d.statistics("HV01").PendingReplicationSize; got != 0 {
		t.Errorf("pending size before the resynchronization is %d, want 0", got)
	}
	d.call("HV01", "Resynchronize")
	if got := *d.statistics("HV01").PendingReplicationSize; got != 0 {
		t.Errorf("pending size when the resynchronization begins is %d, want 0", got)
	}
	d.clock.Advance(time.Minute)
	if got := *d.statistics("HV01").PendingReplicationSize; got == 0 {
		t.Error("changes are not tracked during the resynchronization")
	}

	d = newVMDriver(t, healthy)
	d.advanceUntil(10*time.Second, "pending", func() bool { return *d.statistics("HV01").PendingReplicationSize > 1e6 })
	d.setPower("HV01", false)
	d.do("HV01", request(4))
	if got := *d.statistics("HV01").PendingReplicationSize; got != 0 {
		t.Errorf("pending size of a prepared VM is %d, want 0", got)
	}
}
