package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// RevertFailover of a replica with an extended relationship is about the failover of the replica first. Only a replica
// that has not failed over cancels the prepared failover of its extended relationship.
func TestRevertChoosesRelationship(t *testing.T) {
	d := extended(t)
	d.do("HV02", requestExtended(4))
	d.wantStates("extended relationship prepared", "1[3] 2[3 4] 4[3]")
	d.do("HV02", method("InitiateFailover"))
	d.wantStates("failed over", "1[3] 2[5 4] 4[3]")
	d.setPower("HV02", true) // a prepared extended relationship does not prevent it
	d.setPower("HV02", false)
	d.do("HV02", method("RevertFailover"))
	d.wantStates("first revert", "1[3] 2[3 4] 4[3]")
	reply := d.call("HV02", "RevertFailover")
	if j, _ := d.job("HV02", reply.Job); *j.JobType != 101 {
		t.Errorf("type of the second job is %d, want 101", *j.JobType)
	}
	d.finish("HV02", reply)
	d.wantStates("second revert", "1[3] 2[3 3] 4[3]")
	d.wantCode("third revert", d.call("HV02", "RevertFailover"), 32775)
}

// RevertFailover stops a running failover, but no other job.
func TestRevertStopsOnlyAFailover(t *testing.T) {
	d := newVMDriver(t, failedOver)
	commit := d.call("HV01", "CommitFailover")
	d.wantCode("revert during the commit", d.call("HV01", "RevertFailover"), 32774)
	if j := d.finish("HV01", commit); *j.JobState != 7 {
		t.Errorf("final state of the commit is %d, want 7", *j.JobState)
	}
	d.wantStates("after the commit", "2[6 0] 1[8] -")

	d = newVMDriver(t, healthy)
	failover := d.call("HV02", "InitiateFailover")
	d.clock.Advance(5 * time.Second)
	revert := d.call("HV02", "RevertFailover")
	if j, _ := d.job("HV02", failover.Job); *j.JobState != 8 || *j.ErrorCode != 0 || *j.Cancellable {
		t.Errorf("stopped failover: state is %d, ErrorCode %d, want 8 and 0", *j.JobState, *j.ErrorCode)
	}
	d.wantStates("stopped", "1[3] 2[12 0] -")
	d.clock.Advance(2 * time.Minute)
	if j := d.finish("HV02", revert); *j.JobState != 7 {
		t.Errorf("final state of the revert is %d, want 7", *j.JobState)
	}
	d.wantStates("reverted", "1[3] 2[3 0] -")
}

// A failed revert leaves the replica failed over. If it has stopped a running failover, the replica is in an error
// state.
func TestFailedRevert(t *testing.T) {
	d := newVMDriver(t, failedOver)
	d.world.SetFaults(parseFaults(t, "job-failing"))
	d.wantFailedJob("revert", "HV01", method("RevertFailover"), 32768)
	d.wantStates("after it failed", "2[5 0] 1[8] -")
	if got := *d.rows("HV01")[0].FailedOverReplicationType; got != 1 {
		t.Errorf("type of the failover is %d, want 1", got)
	}

	d = newVMDriver(t, healthy)
	d.call("HV02", "InitiateFailover")
	d.world.SetFaults(parseFaults(t, "job-failing"))
	d.wantFailedJob("revert", "HV02", method("RevertFailover"), 32768)
	d.wantStates("after it failed", "1[3] 2[8 0] -")

	d = newVMDriver(t, failedOver)
	reply := d.call("HV01", "RevertFailover")
	d.setPower("HV01", true)
	if j := d.finish("HV01", reply); *j.JobState != 10 || *j.ErrorCode != 32775 {
		t.Errorf("revert of a VM that was turned on: state is %d, ErrorCode %d, want 10, 32775", *j.JobState, *j.ErrorCode)
	}
	d.wantStates("turned on", "2[5 0] 1[8] -")
}

// A reverted failover to an earlier point has no effect on what comes later.
func TestRevertForgetsRecoveryPoint(t *testing.T) {
	d := newVMDriver(t, withHistory(t))
	d.do("HV02", extend(), start(1))
	d.clock.Advance(2 * time.Hour)
	_, paths := d.points()
	d.do("HV02", method("InitiateFailover", "SnapshotSettingData", paths[0]), method("RevertFailover"))
	if got := *d.rows("HV02")[0].FailedOverReplicationType; got != 0 {
		t.Errorf("type of the failover after the revert is %d, want 0", got)
	}
	d.do("HV02", method("InitiateFailover"), method("CommitFailover"),
		withRelationship("ChangeReplicationModeToPrimary", msvm.Extended))
	if got := d.states()[5:]; got != "1[3] 2[3 0]" {
		t.Errorf("states are %s, want no resynchronization", got)
	}
	pending := *d.statistics("HV02").PendingReplicationSize
	d.clock.Advance(20 * time.Second)
	if got := *d.statistics("HV02").PendingReplicationSize; got > pending {
		t.Errorf("the pending size of the new primary, which is off, grows from %d to %d", pending, got)
	}
}

// Only after a planned failover whose primary is still prepared are the disks identical.
func TestReverseInSync(t *testing.T) {
	d := newVMDriver(t, prepared)
	d.do("HV02", method("InitiateFailover"))
	d.do("HV01", method("RevertFailover"))
	d.do("HV02", reverseTo("HV01"))
	d.wantStates("preparation cancelled", "2[2 0] 1[1] -")

	d = newVMDriver(t, withHistory(t))
	d.setPower("HV01", false)
	d.do("HV01", request(4))
	_, paths := d.points()
	d.do("HV02", method("InitiateFailover", "SnapshotSettingData", paths[0]), reverseTo("HV01"))
	d.wantStates("failed over to an earlier point", "2[2 0] 1[1] -")
}

// The statistics and the time of the last test failover stay with the VM on each host when the roles change.
func TestReverseKeepsStatistics(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.do("HV02", method("TestReplicaSystem"))
	d.do("HV01", withRelationship("ResetReplicationStatisticsEx", msvm.Primary))
	d.clock.Advance(12 * time.Minute)
	d.setPower("HV01", false)
	d.do("HV01", request(4))
	d.do("HV02", method("InitiateFailover"))
	primary, replica := d.statistics("HV01"), d.statistics("HV02")
	d.do("HV02", reverseTo("HV01"))
	d.wantStates("reversed", "2[3 0] 1[3] -")
	for host, before := range map[string]msvm.ReplicationStatistics{"HV01": primary, "HV02": replica} {
		after := d.statistics(host)
		if counters(after) != counters(before) || !after.StartStatisticTime.Equal(*before.StartStatisticTime) ||
			!after.LastTestFailoverTime.Equal(*before.LastTestFailoverTime) {
			t.Errorf("%s: statistics are %+v since %v with a test at %v, want %+v since %v with a test at %v", host,
				counters(after), after.StartStatisticTime, after.LastTestFailoverTime,
				counters(before), before.StartStatisticTime, before.LastTestFailoverTime)
		}
	}
	if counters(primary).Cycles >= counters(replica).Cycles {
		t.Errorf("the reset statistics have %d cycles, the others %d", counters(primary).Cycles, counters(replica).Cycles)
	}
}

// A link that is too slow is too slow in the other direction, too.
func TestReverseKeepsTraffic(t *testing.T) {
	d := newVMDriver(t, slowLink)
	d.setPower("HV01", false)
	d.do("HV01", request(4))
	d.do("HV02", method("InitiateFailover"), reverseTo("HV01"))
	d.setPower("HV02", true)
	before := *d.statistics("HV02").ReplicationMissCount
	d.clock.Advance(2 * time.Hour)
	d.wantStates("two hours later", "2[3 0] 1[3] -")
	if missed := *d.statistics("HV02").ReplicationMissCount - before; missed < 10 {
		t.Errorf("%d of 24 cycles were missed, want about half of them", missed)
	}
}

// Sources: the page of ReverseReplicationRelationship in MicrosoftDocs/win32, HyperV_v2, and Microsoft's virtualization
// blog, 2012-07-31: the old primary must be a replica server that authorizes the new primary. The rest is inferred.
func TestReverseIsRejected(t *testing.T) {
	d := newVMDriver(t, failedOver)
	d.wantFailedJob("while the old primary runs", "HV01", reverseTo("HV02"), 32775)
	d.setPower("HV02", false)
	d.wantFailedJob("to another server", "HV01", reverseTo("HV03"), 32768)
	d.wantFailedJob("to an unknown server", "HV01", reverseTo("HV09"), 32768)
	reply := d.call("HV01", "ReverseReplicationRelationship",
		d.settingsParam("HV01", msvm.Primary, toServer("HV02"))...)
	for {
		j, _ := d.job("HV01", reply.Job)
		if *j.PercentComplete > 90 {
			break
		}
		d.clock.Advance(time.Second)
	}
	d.requestState("HV02", 3) // it runs longer than the rest of the other job
	if j := d.finish("HV01", reply); *j.JobState != 10 || *j.ErrorCode != 32774 {
		t.Errorf("during a job of the old primary: state is %d, ErrorCode %d, want 10, 32774", *j.JobState, *j.ErrorCode)
	}
	d.clock.Advance(time.Minute)
	d.do("HV02", withRelationship("RemoveReplicationRelationshipEx", msvm.Primary))
	d.wantFailedJob("after the old primary left", "HV01", reverseTo("HV02"), 32768)
	d.wantStates("afterwards", "2[5 0] 0[0] -")
}

// An extended replica that has failed over cannot be reversed, because its primary is a replica itself.
func TestExtendedReplicaCannotBeReversed(t *testing.T) {
	d := extended(t)
	d.do("HV03", method("InitiateFailover"))
	d.wantStates("failed over", "1[3] 2[3 3] 4[5]")
	d.wantFailedJob("reverse", "HV03", reverseTo("HV02"), 32775)
	d.clock.Advance(10 * time.Minute)
	d.wantStates("afterwards", "1[3] 2[3 8] 4[5]")
}
