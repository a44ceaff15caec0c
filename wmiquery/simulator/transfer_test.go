package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A resynchronization is forced, paused, cancelled, ended by the replica (Q41), and completed, which
// merges the recovery points.
func TestResynchronize(t *testing.T) {
	d := newVMDriver(t, withHistory(t))
	d.wantCode("resynchronize while replicating", d.call("HV01", "Resynchronize"), wmiquery.CodeInvalidState)
	d.wantCode("on the replica", d.call("HV02", "Resynchronize"), wmiquery.CodeInvalidState)
	force := func() wmiquery.Reply {
		t.Helper()
		if d.stateNumbers("HV01")[0] == 3 {
			d.waitForJob("pause", "HV01", d.requestState("HV01", 7), msvm.JobStateChange, msvm.JobCompleted)
		}
		reply := d.call("HV01", "Resynchronize")
		d.wantStates("resynchronizing", "1[10] 2[10 0] -")
		return reply
	}
	transfer := force().Job
	d.clock.Advance(2 * time.Minute)
	d.wantCode("prepare during resynchronization", d.requestState("HV01", 4), wmiquery.CodeInvalidState)
	d.wantCode("fail over during resynchronization", d.call("HV02", "InitiateFailover"), wmiquery.CodeInvalidState)
	d.wantCode("test during resynchronization", d.call("HV02", "TestReplicaSystem"), wmiquery.CodeInvalidState)
	d.wantCode("reset statistics during resynchronization", d.call("HV01", "ResetReplicationStatistics"),
		wmiquery.CodeInUse)
	d.wantCode("end it on the primary", d.requestState("HV01", 3), wmiquery.CodeInvalidState)
	d.checkJob("pause", "HV01", d.requestState("HV01", 7), msvm.JobStateChange, "1[7] 2[10 0] -", "1[11] 2[10 0] -")
	before, _ := d.job("HV01", transfer)
	d.clock.Advance(3 * time.Hour)
	after, _ := d.job("HV01", transfer)
	if *before.JobState != msvm.JobSuspended || *before.PercentComplete == 0 ||
		*after.PercentComplete != *before.PercentComplete || *after.ElapsedTime != *before.ElapsedTime {
		t.Errorf("the suspended job progressed from %d to %d percent", *before.PercentComplete, *after.PercentComplete)
	}
	d.checkJob("resume", "HV01", d.requestState("HV01", 3), msvm.JobStateChange, "1[3] 2[10 0] -", "1[10] 2[10 0] -")
	if after, _ := d.job("HV01", transfer); *after.PercentComplete > *before.PercentComplete+4 {
		t.Errorf("the resumed job progressed from %d to %d percent at once", *before.PercentComplete, *after.PercentComplete)
	}
	cancel := d.requestState("HV01", 9)
	if j := d.runningJob("HV01"); j != msvm.JobStopResynchronizing {
		t.Errorf("running job is %s, want %s", j, msvm.JobStopResynchronizing)
	}
	d.checkJob("cancel", "HV01", cancel, msvm.JobStopResynchronizing, "1[9] 2[3 0] -", "1[9] 2[3 0] -")
	d.checkJob("resume when a resynchronization is required", "HV01", d.requestState("HV01", 3), msvm.JobStateChange,
		"1[3] 2[3 0] -", "1[10] 2[10 0] -")
	if j := d.runningJob("HV01"); j != msvm.JobResynchronize {
		t.Errorf("running job is %s, want %s", j, msvm.JobResynchronize)
	}
	d.do("HV01", request(9))
	d.wantStates("cancelled by request", "1[9] 2[3 0] -")

	reply := force()
	if code := call(t, d.hosts["HV01"],
		newCall(reply.Job, "RequestStateChange", params("RequestedState", uint16(4))...)).Code; code != 0 {
		t.Errorf("cancel the job: code %d, want 0", code)
	}
	d.wantStates("cancelled by job", "1[9] 2[3 0] -")

	force()
	d.checkJob("end it on the replica", "HV02", d.requestState("HV02", 3), msvm.JobStateChange,
		"1[9] 2[3 0] -", "1[9] 2[3 0] -")
	d.checkJob("fail over", "HV02", d.call("HV02", "InitiateFailover"), msvm.JobInitiateFailover,
		"1[9] 2[12 0] -", "1[9] 2[5 0] -")
	if j := d.waitForJob("resynchronize to a failed-over replica", "HV01", d.call("HV01", "Resynchronize"),
		msvm.JobResynchronize, msvm.JobException); j.ErrorDescription == nil {
		t.Error("the failed job has no ErrorDescription")
	}
	d.wantStates("after resynchronization failed", "1[9] 2[5 0] -")
	d.waitForJob("revert", "HV02", d.call("HV02", "RevertFailover"), msvm.JobRevertFailover, msvm.JobCompleted)
	if kinds, _ := d.recoveryPoints(); len(kinds) == 0 {
		t.Error("no recovery points before the resynchronization")
	}
	reply = force()
	j, _ := d.job("HV01", reply.Job)
	for *j.PercentComplete < 95 {
		d.clock.Advance(10 * time.Second)
		if j, _ = d.job("HV01", reply.Job); *j.Cancellable != (*j.PercentComplete < 95) {
			t.Errorf("at %d percent Cancellable is %v", *j.PercentComplete, *j.Cancellable)
		}
	}
	if code := call(t, d.hosts["HV01"],
		newCall(reply.Job, "RequestStateChange", params("RequestedState", uint16(4))...)).Code; code != 32775 {
		t.Errorf("cancel the job during the final merge: code %d, want 32775", code)
	}
	d.checkJob("resynchronize", "HV01", reply, msvm.JobResynchronize, "1[10] 2[10 0] -", "1[3] 2[3 0] -")
	if kinds, _ := d.recoveryPoints(); len(kinds) != 0 {
		t.Errorf("recovery points are %v, want none", kinds)
	}
}

// Q48: a resynchronization can be scheduled. An automatic one starts at night.
func TestScheduledAndAutomaticResynchronization(t *testing.T) {
	d := newVMDriver(t, resyncRequired)
	d.wantStates("at first", "1[9] 2[3 0] -")
	at := d.clock.Now().Add(time.Hour)
	d.wantCode("in the past", d.call("HV01", "Resynchronize", "StartTime", at.Add(-2*time.Hour)),
		wmiquery.CodeInvalidParam)
	reply := d.call("HV01", "Resynchronize", "StartTime", at)
	d.wantCode("schedule again", d.call("HV01", "Resynchronize"), wmiquery.CodeInUse)
	d.clock.Set(at.Add(-time.Second))
	d.wantStates("a second before", "1[9] 2[3 0] -")
	d.clock.Set(at)
	d.checkJob("at that time", "HV01", reply, msvm.JobResynchronize, "1[10] 2[10 0] -", "1[3] 2[3 0] -")

	d.waitForJob("pause", "HV01", d.requestState("HV01", 7), msvm.JobStateChange, msvm.JobCompleted)
	d.call("HV01", "Resynchronize")
	d.waitForJob("cancel", "HV01", d.requestState("HV01", 9), msvm.JobStopResynchronizing, msvm.JobCompleted)
	evening := time.Date(2026, 11, 23, 18, 30, 0, 0, time.UTC)
	d.clock.Set(evening.Add(-time.Second))
	d.wantStates("in the evening", "1[9] 2[3 0] -")
	d.clock.Set(evening.Add(5 * time.Minute))
	d.wantStates("at night", "1[10] 2[10 0] -")
	if j := d.runningJob("HV01"); j != msvm.JobResynchronize {
		t.Errorf("running job is %s, want %s", j, msvm.JobResynchronize)
	}
	d.clock.Set(evening.Add(2 * time.Hour))
	d.wantStates("the next morning", "1[3] 2[3 0] -")
}

// Source: Microsoft's virtualization blog, 2013-05-10: a backlog of more than half of the size of the disks requires a
// resynchronization. Every simulated disk has 60 GB.
func TestLargeBacklogRequiresResynchronization(t *testing.T) {
	d := newVMDriver(t, pausedOnReplica)
	if n := len(d.settings("HV02").IncludedDisks); n != 2 {
		t.Fatalf("the VM has %d disks, want 2", n)
	}
	largest := uint64(0)
	for range 14 * 24 * 12 {
		d.clock.Advance(5 * time.Minute)
		pending := *d.statistics("HV02").PendingReplicationSize
		if d.stateNumbers("HV02")[0] != 9 {
			largest = max(largest, pending)
			continue
		}
		d.wantStates("after a long pause", "2[7 0] 1[9] -")
		if pending != 0 || largest < 58e9 || largest > 62e9 {
			t.Errorf("pending size is %d after %d, want 0 after about 60 GB", pending, largest)
		}
		return
	}
	t.Errorf("after two weeks states are %s, want a required resynchronization", d.states())
}
