package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// needsResync is a driver for a VM that requires a resynchronization, and the second of its next cycle.
func needsResync(t *testing.T) (*vmDriver, time.Time) {
	t.Helper()
	// Cycles begin at the same seconds in every World of the same seed. A pause of the replica shows them.
	probe := newSingleVMDriver(t)
	probe.do("HV02", request(7))
	probe.advanceToFailures("HV01", 1)
	cycle := probe.clock.Now()

	d := newSingleVMDriver(t)
	d.setPower("HV01", false)
	if err := d.world.ModifyDisk(d.vm, "HV01"); err != nil {
		t.Fatal(err)
	}
	d.wantStates("modified", "1[3] 2[3 0] -")
	d.setPower("HV01", true)
	d.wantStates("turned on", "1[9] 2[3 0] -")
	return d, cycle
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationsettingdata.md: an automatic resynchronization starts from
// AutoResynchronizeIntervalStart to AutoResynchronizeIntervalEnd, which may be on the next day. That the end does not
// belong to the window is inferred.
func TestWindowOfAutomaticResynchronization(t *testing.T) {
	const second = time.Second
	for _, tt := range []struct {
		name       string
		enabled    bool
		begin, end time.Duration // relative to the second of a cycle
		want       string        // states at that second
	}{
		{"begins at the cycle", true, 0, 10 * second, "1[10] 2[10 0] -"},
		{"begins after the cycle", true, second, 10 * second, "1[9] 2[3 0] -"},
		{"ends at the cycle", true, -10 * second, 0, "1[9] 2[3 0] -"},
		{"ends after the cycle", true, -10 * second, second, "1[10] 2[10 0] -"},
		{"over midnight, begins at the cycle", true, 0, -10 * second, "1[10] 2[10 0] -"},
		{"over midnight, begins after the cycle", true, second, -10 * second, "1[9] 2[3 0] -"},
		{"over midnight, ends at the cycle", true, 10 * second, 0, "1[9] 2[3 0] -"},
		{"over midnight, ends after the cycle", true, 10 * second, second, "1[10] 2[10 0] -"},
		{"disabled", false, -10 * second, 10 * second, "1[9] 2[3 0] -"},
	} {
		d, cycle := needsResync(t)
		clock := cycle.Sub(cycle.Truncate(24 * time.Hour))
		d.do("HV01", modify(func(s *msvm.ReplicationSettingData) {
			s.AutoResynchronizeEnabled = &tt.enabled
			s.AutoResynchronizeIntervalStart, s.AutoResynchronizeIntervalEnd = new(clock+tt.begin), new(clock+tt.end)
		}))
		d.clock.Set(cycle.Add(-time.Second))
		d.wantStates(tt.name+", a second before", "1[9] 2[3 0] -")
		d.clock.Set(cycle)
		d.wantStates(tt.name, tt.want)
	}
}

// An automatic resynchronization waits for a replica that accepts it.
func TestAutomaticResynchronizationWaitsForReplica(t *testing.T) {
	d, cycle := needsResync(t)
	d.do("HV01", modify(func(s *msvm.ReplicationSettingData) {
		s.AutoResynchronizeIntervalStart = new(time.Duration(0))
		s.AutoResynchronizeIntervalEnd = new(24*time.Hour - time.Second)
	}))
	d.do("HV02", request(7))
	d.clock.Set(cycle.Add(time.Hour))
	d.wantStates("replica paused", "1[9] 2[7 0] -")
	d.do("HV02", request(3))
	d.clock.Advance(5 * time.Minute)
	d.wantStates("replica resumed", "1[10] 2[10 0] -")
}

// A cancelled transfer has the job state 8. A suspended one has 5 and goes on where it was.
func TestStatesOfTransferJob(t *testing.T) {
	stateOf := func(d *vmDriver, job wmiquery.Ref) uint16 {
		j, ok := d.job("HV01", job)
		if !ok {
			t.Fatal("the job does not exist")
		}
		return uint16(*j.JobState)
	}
	jobOfType := func(d *vmDriver, kind msvm.JobType) wmiquery.Ref {
		for _, a := range read[msvm.AffectedJobElement](t, d.hosts["HV01"]) {
			if j, ok := d.job("HV01", a.AffectingElement); ok && msvm.VMOf(a.AffectedElement) == d.vm && *j.JobType == kind {
				return a.AffectingElement
			}
		}
		t.Fatalf("no job of type %d", kind)
		return ""
	}
	d := newVMDriver(t, resynchronizing)
	transfer := jobOfType(d, 107)
	d.do("HV01", request(9))
	if got := stateOf(d, transfer); got != 8 {
		t.Errorf("cancelled resynchronization: job state is %d, want 8", got)
	}

	d = newVMDriver(t, resyncSuspended)
	transfer = jobOfType(d, 107)
	if got := stateOf(d, transfer); got != 5 {
		t.Errorf("suspended resynchronization: job state is %d, want 5", got)
	}
	d.call("HV01", "Resynchronize")
	if got := stateOf(d, transfer); got != 8 {
		t.Errorf("replaced resynchronization: job state is %d, want 8", got)
	}

	d = newVMDriver(t, resynchronizing)
	transfer = jobOfType(d, 107)
	d.world.SetFaults(parseFaults(t, "job-failing"))
	d.wantFailedJob("pause", "HV01", request(7), 32768)
	if got := stateOf(d, transfer); got != 4 {
		t.Errorf("resynchronization after a pause failed: job state is %d, want 4", got)
	}

	// A transfer to a paused replica waits.
	d = newVMDriver(t, initialReplication)
	transfer = jobOfType(d, 116)
	d.do("HV02", request(7))
	d.clock.Advance(126 * time.Minute) // see TestSituationsChangeWithTime
	if got := stateOf(d, transfer); got != 4 {
		t.Errorf("transfer to a paused replica: job state is %d, want 4", got)
	}
	d.wantStates("replica paused", "1[2] 2[7 0] -")
	d.do("HV02", request(3))
	d.clock.Advance(126 * time.Minute)
	d.wantStates("replica resumed", "1[3] 2[3 0] -")

	d = newVMDriver(t, initialReplication)
	transfer = jobOfType(d, 116)
	d.do("HV01", request(7))
	d.wantFailedJob("resynchronize before the initial replication", "HV01", method("Resynchronize"), 32768)
	if got := stateOf(d, transfer); got != 8 {
		t.Errorf("replaced initial replication: job state is %d, want 8", got)
	}
}

// The time for which a transfer is suspended counts neither as elapsed nor as progress.
func TestSuspendedTransfer(t *testing.T) {
	d := newVMDriver(t, resyncRequired)
	reply := d.call("HV01", "Resynchronize")
	d.clock.Advance(100 * time.Second)
	first, _ := d.job("HV01", reply.Job)
	if *first.ElapsedTime != 100*time.Second || *first.PercentComplete == 0 {
		t.Errorf("elapsed time is %v, want 100s", *first.ElapsedTime)
	}
	d.do("HV01", request(7))
	d.clock.Advance(time.Hour)
	d.do("HV01", request(3))
	d.clock.Advance(10 * time.Second)
	resumed, _ := d.job("HV01", reply.Job)
	if e := *resumed.ElapsedTime; e != 110*time.Second {
		t.Errorf("elapsed time after an hour of suspension is %v, want 110s", e)
	}
	done := d.finish("HV01", reply)
	total := 100 * *first.ElapsedTime / time.Duration(*first.PercentComplete)
	if *done.ElapsedTime < total*9/10 || *done.ElapsedTime > total*11/10 {
		t.Errorf("elapsed time at the end is %v, want about %v", *done.ElapsedTime, total)
	}
	d.clock.Advance(time.Minute)
	if later, _ := d.job("HV01", reply.Job); *later.ElapsedTime != *done.ElapsedTime {
		t.Errorf("elapsed time a minute after the end is %v, want %v", *later.ElapsedTime, *done.ElapsedTime)
	}
}

// An initial replication that uses an existing VM sends less.
func TestInitialReplicationFromExistingVM(t *testing.T) {
	duration := func(kind uint16) time.Duration {
		d := newVMDriver(t, newlyEnabled)
		d.do("HV01", start(kind))
		begin := d.clock.Now()
		d.advanceUntil(time.Minute, "replicating", func() bool { return d.stateNumbers("HV01")[0] == 3 })
		return d.clock.Now().Sub(begin)
	}
	if network, existing := duration(1), duration(3); existing > network/2 {
		t.Errorf("with an existing VM it took %v, over the network %v, want less than half", existing, network)
	}
}

// A scheduled job has a ScheduledStartTime; a job that has begun has a StartTime.
func TestTimesOfJob(t *testing.T) {
	d := newVMDriver(t, resyncRequired)
	now := d.clock.Now()
	reply := d.call("HV01", "Resynchronize", "StartTime", now.Add(time.Hour))
	if j, _ := d.job("HV01", reply.Job); *j.JobState != 2 || j.StartTime != nil || *j.ElapsedTime != 0 ||
		!j.ScheduledStartTime.Equal(now.Add(time.Hour)) || !j.TimeSubmitted.Equal(now) {
		t.Errorf("scheduled job is %+v", j)
	}
	d.clock.Advance(time.Hour)
	if j, _ := d.job("HV01", reply.Job); *j.JobState != 4 || !j.StartTime.Equal(d.clock.Now()) || *j.ElapsedTime != 0 {
		t.Errorf("job at its scheduled time is %+v", j)
	}
	d = newVMDriver(t, healthy)
	reply = d.requestState("HV01", 7)
	if j, _ := d.job("HV01", reply.Job); j.ScheduledStartTime != nil || !j.StartTime.Equal(d.clock.Now()) {
		t.Errorf("job that began at once is %+v", j)
	}
}

// A resynchronization cannot be cancelled once its final merge has begun. That this is at 95 percent is an assumption.
func TestFinalMergeCannotBeCancelled(t *testing.T) {
	d := newVMDriver(t, resyncRequired)
	reply := d.call("HV01", "Resynchronize")
	seen := map[uint16]bool{}
	for {
		j, _ := d.job("HV01", reply.Job)
		if *j.JobState == 7 {
			break
		}
		seen[*j.PercentComplete] = true
		if want := *j.PercentComplete < 95; *j.Cancellable != want {
			t.Errorf("at %d percent: Cancellable is %v, want %v", *j.PercentComplete, *j.Cancellable, want)
		}
		d.clock.Advance(time.Second)
	}
	if !seen[94] || !seen[95] {
		t.Error("the job was not seen at 94 and at 95 percent")
	}
}

// A scheduled resynchronization does not block other methods before it begins.
func TestScheduledResynchronizationBlocksNothing(t *testing.T) {
	d := newVMDriver(t, resyncRequired)
	d.call("HV01", "Resynchronize", "StartTime", d.clock.Now().Add(time.Hour))
	d.wantCode("schedule again", d.call("HV01", "Resynchronize", "StartTime", d.clock.Now().Add(2*time.Hour)), 32774)
	d.do("HV01", withRelationship("ResetReplicationStatisticsEx", msvm.Primary),
		modify(func(*msvm.ReplicationSettingData) {}))
	d.clock.Advance(time.Hour)
	d.wantStates("at the scheduled time", "1[10] 2[10 0] -")
	d.wantCode("reset during the resynchronization", d.call("HV01", "ResetReplicationStatistics"), 32774)
}
