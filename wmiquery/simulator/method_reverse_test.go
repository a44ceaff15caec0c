package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Source: replication-failover.md in MicrosoftDocs/windowsserverdocs: after an unplanned failover the old primary is
// made a replica, which moves no data and leads to "waiting for initial replication" (2). Then the replication is
// reversed on the replica server, and the initial replication starts. The wizard of Windows Admin Center does without
// the first step, so the host must reverse both ways.
func TestReverseAfterUnplannedFailover(t *testing.T) {
	for _, tt := range []struct {
		name string
		vm   int
		// states after the failover, after the first step, and after the reverse
		makeReplica                 bool
		failedOver, before, reverse string
	}{
		{"as replica", healthy, true, "1[3] 2[5 0] -", "2[2 0] 2[5 0] -", "2[2 0] 1[1] -"},
		{"as replica without a job", healthyWithoutJobs, true, "1[3] 2[5 0] -", "2[2 0] 2[5 0] -", "2[2 0] 1[1] -"},
		{"directly", healthy, false, "1[3] 2[5 0] -", "1[8] 2[5 0] -", "2[2 0] 1[1] -"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newVMDriver(t, tt.vm)
			last := *d.rows("HV02")[0].LastReplicationTime
			d.do("HV02", method("InitiateFailover"))
			d.wantStates("failed over", tt.failedOver)
			d.setPower("HV01", false)
			if tt.makeReplica {
				d.do("HV01", request(2))
				d.wantStartBlocked("HV01")
			} else {
				d.clock.Advance(time.Hour)
			}
			d.wantStates("before the reverse", tt.before)
			if got := *d.rows("HV02")[0].LastReplicationTime; got.Before(last) || got.Sub(last) > 15*time.Minute {
				t.Errorf("last replication of the failed-over VM is %v, was %v", got, last)
			}
			d.do("HV02", reverseTo("HV01"))
			d.wantStates("reversed", tt.reverse)
			d.do("HV02", start(1))
			d.wantStates("initial replication", "2[2 0] 1[2] -")
			d.clock.Advance(3 * time.Hour)
			d.wantStates("at the end", "2[3 0] 1[3] -")
			if err := d.world.Invariants(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Source: replication-failover.md in MicrosoftDocs/windowsserverdocs: after a failover is completed, the health is Warning
// (2), because no direction of replication is configured. After the reverse and the replication it is Normal (1).
func TestHealthUntilReverse(t *testing.T) {
	d := newVMDriver(t, healthy)
	health := func(want msvm.ReplicationHealth) {
		t.Helper()
		if got := *d.rows("HV02")[0].ReplicationHealth; got != want {
			t.Errorf("health is %d, want %d", got, want)
		}
	}
	d.do("HV02", method("InitiateFailover"), method("CommitFailover"))
	health(2)
	d.clock.Advance(13 * time.Hour) // also in the next monitoring window
	health(2)
	d.setPower("HV01", false)
	d.do("HV01", request(2))
	d.do("HV02", reverseTo("HV01"), start(1))
	health(2) // the initial replication is not complete
	d.clock.Advance(3 * time.Hour)
	d.wantStates("reversed", "2[3 0] 1[3] -")
	health(1)
}

// If the old primary cannot be made a replica, it keeps its relationship and its state.
func TestMakeReplicaFails(t *testing.T) {
	d := newVMDriver(t, failedOver)
	d.setPower("HV02", false)
	d.world.SetFaults(parseFaults(t, "job-failing"))
	d.wantFailedJob("make it a replica", "HV02", request(2), 32768)
	d.wantStates("failed", "2[5 0] 1[8] -")
	d.world.SetFaults(parseFaults(t))
	reply := d.requestState("HV02", 2)
	d.setPower("HV02", true)
	if j := d.finish("HV02", reply); *j.JobState != 10 || *j.ErrorCode != 32775 {
		t.Errorf("job of a VM that was turned on: state %d, ErrorCode %d; want 10, 32775", *j.JobState, *j.ErrorCode)
	}
	d.wantStates("turned on", "2[5 0] 1[8] -")
}

// A replica that has not failed over loses its primary when that is made a replica. That this is an error is inferred.
func TestMakeReplicaOfReplicatingVM(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.setPower("HV01", false)
	d.do("HV01", request(2))
	d.wantStates("made a replica", "2[2 0] 2[3 0] -")
	d.clock.Advance(time.Hour)
	d.wantStates("later", "2[2 0] 2[8 0] -")
	if s := d.settings("HV01"); s.PrimaryHostSystem != nil || s.PrimaryConnectionPoint != nil {
		t.Errorf("settings of a replica without a primary are %+v", s)
	}
	if err := d.world.Invariants(); err != nil {
		t.Error(err)
	}
}
