package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// More indexes of VMs.
const (
	resyncSuspended, failoverInProgress, failedOver, committed = 13, 15, 16, 17
)

// transition is a call that succeeds.
type transition struct {
	name    string
	vm      int
	prepare func(d *vmDriver) // may be nil
	host    string
	call    step
	job     msvm.JobType // 0 if the call completes at once
	// The states of the VM on the three hosts while the job runs and afterwards. See vmDriver.states.
	during, after string
}

// Sources: MicrosoftDocs/win32, HyperV_v2, msvm-replicationrelationship.md for the states; the pages of the methods
// and msvm-requestreplicationstatechangeex-computersystem.md for what leads to them; msvm-concretejob.md for the types
// of the jobs; Microsoft's virtualization blog, 2012-06-15 to 2013-12-09, for the steps of initial replication,
// resynchronization, failover and extended replication. All numbers are those of WMI.
var transitions = []transition{
	{
		name: "create", vm: neverReplicated, host: "HV01",
		call: withSettings("CreateReplicationRelationship", msvm.Primary, toServer("HV02")),
		job:  91, during: "0[0] - -", after: "1[1] 2[2 0] -",
	},
	{
		name: "extend", host: "HV02", call: extend(),
		job: 91, during: "1[3] 2[3 0] -", after: "1[3] 2[3 1] 4[2]",
	},
	{
		name: "modify", host: "HV01", call: modify(func(*msvm.ReplicationSettingData) {}),
		job: 92, during: "1[3] 2[3 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "remove on the primary", host: "HV01", call: withRelationship("RemoveReplicationRelationshipEx", msvm.Primary),
		job: 93, during: "1[3] 2[3 0] -", after: "0[0] 2[3 0] -",
	},
	{
		name: "remove on the replica", host: "HV02", call: withRelationship("RemoveReplicationRelationshipEx", msvm.Primary),
		job: 93, during: "1[3] 2[3 0] -", after: "1[3] 0[0] -",
	},
	{
		name: "start over the network", vm: newlyEnabled, host: "HV01", call: start(1),
		job: 94, during: "1[2] 2[2 0] -", after: "1[2] 2[2 0] -",
	},
	{
		name: "start with an existing VM", vm: newlyEnabled, host: "HV01", call: start(3),
		job: 117, during: "1[2] 2[2 0] -", after: "1[2] 2[2 0] -",
	},
	{
		name: "export", vm: newlyEnabled, host: "HV01", call: start(2, "InitialReplicationExportLocation", `E:\`),
		job: 118, during: "1[2] 2[2 0] -", after: "1[2] 2[2 0] -",
	},
	{
		name: "import", vm: newlyEnabled, host: "HV02",
		prepare: func(d *vmDriver) { d.do("HV01", start(2, "InitialReplicationExportLocation", `E:\`)) },
		call:    method("ImportInitialReplica", "InitialReplicationImportLocation", `E:\`),
		job:     95, during: "1[2] 2[2 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "cancel the initial replication", vm: newlyEnabled, host: "HV01",
		prepare: func(d *vmDriver) { d.do("HV01", start(1)) },
		call:    request(1), job: 109, during: "1[1] 2[2 0] -", after: "1[1] 2[2 0] -",
	},
	{
		name: "pause the initial replication", vm: initialReplication, host: "HV01", call: request(7),
		after: "1[7] 2[2 0] -",
	},
	{
		name: "pause the initial replication on the replica", vm: initialReplication, host: "HV02", call: request(7),
		after: "1[2] 2[7 0] -",
	},
	{
		name: "resume the initial replication on the replica", vm: initialReplication, host: "HV02",
		prepare: func(d *vmDriver) { d.do("HV02", request(7)) }, call: request(3), after: "1[2] 2[2 0] -",
	},
	{
		name: "pause", host: "HV01", call: request(7),
		job: 96, during: "1[7] 2[3 0] -", after: "1[7] 2[3 0] -",
	},
	{
		name: "resume", vm: pausedOnPrimary, host: "HV01", call: request(3),
		job: 96, during: "1[3] 2[3 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "pause on the replica", host: "HV02", call: request(7),
		job: 96, during: "1[3] 2[7 0] -", after: "1[3] 2[7 0] -",
	},
	{
		name: "resume on the replica", vm: pausedOnReplica, host: "HV01", call: request(3), after: "2[3 0] 1[3] -",
	},
	{
		name: "resume after an error", vm: critical, host: "HV01", call: request(3), after: "1[3] 2[3 0] -",
	},
	{
		name: "resynchronize", vm: resyncRequired, host: "HV01", call: method("Resynchronize"),
		job: 107, during: "1[10] 2[10 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "resynchronize a paused VM", vm: pausedOnPrimary, host: "HV01", call: method("Resynchronize"),
		job: 107, during: "1[10] 2[10 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "resynchronize after an error", vm: critical, host: "HV01", call: method("Resynchronize"),
		job: 107, during: "1[10] 2[10 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "resynchronize again", vm: resyncSuspended, host: "HV01", call: method("Resynchronize"),
		job: 107, during: "1[10] 2[10 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "resynchronize the extended replica", host: "HV02",
		prepare: func(d *vmDriver) {
			d.do("HV02", extend(), start(1))
			d.clock.Advance(2 * time.Hour)
			d.do("HV02", requestExtended(7))
		},
		call: method("Resynchronize"), job: 121, during: "1[3] 2[3 10] 4[10]", after: "1[3] 2[3 3] 4[3]",
	},
	{
		// Resume-VMReplication in MicrosoftDocs/windows-powershell-docs is also for "resynchronization required".
		name: "resume when a resynchronization is required", vm: resyncRequired, host: "HV01", call: request(3),
		job: 96, during: "1[3] 2[3 0] -", after: "1[10] 2[10 0] -",
	},
	{
		name: "pause the resynchronization", vm: resynchronizing, host: "HV01", call: request(7),
		job: 96, during: "1[7] 2[10 0] -", after: "1[11] 2[10 0] -",
	},
	{
		name: "pause the resynchronization on the replica", vm: resyncSuspended, host: "HV02", call: request(7),
		after: "1[11] 2[7 0] -",
	},
	{
		name: "resume the resynchronization", vm: resyncSuspended, host: "HV01", call: request(3), after: "1[10] 2[10 0] -",
	},
	{
		name: "resume the resynchronization while the replica is paused", vm: resyncSuspended, host: "HV01",
		prepare: func(d *vmDriver) { d.do("HV02", request(7)) }, call: request(3), after: "1[9] 2[7 0] -",
	},
	{
		name: "cancel the resynchronization", vm: resynchronizing, host: "HV01", call: request(9),
		job: 110, during: "1[9] 2[3 0] -", after: "1[9] 2[3 0] -",
	},
	{
		name: "end the resynchronization on the replica", vm: resynchronizing, host: "HV02", call: request(3),
		job: 96, during: "1[9] 2[3 0] -", after: "1[9] 2[3 0] -",
	},
	{
		name: "prepare a planned failover", host: "HV01",
		prepare: func(d *vmDriver) { d.setPower("HV01", false) },
		call:    request(4), job: 100, during: "1[4] 2[3 0] -", after: "1[4] 2[3 0] -",
	},
	{
		name: "cancel a prepared failover", vm: prepared, host: "HV01", call: method("RevertFailover"),
		job: 101, during: "1[4] 2[3 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "planned failover", vm: prepared, host: "HV02", call: method("InitiateFailover"),
		job: 97, during: "1[4] 2[12 0] -", after: "1[4] 2[5 0] -",
	},
	{
		name: "reverse after a planned failover", vm: prepared, host: "HV02",
		prepare: func(d *vmDriver) { d.do("HV02", method("InitiateFailover")) },
		call:    reverseTo("HV01"), job: 104, during: "1[4] 2[5 0] -", after: "2[3 0] 1[3] -",
	},
	{
		// Windows Admin Center commits a planned failover before it reverses the replication, PowerShell does not
		// (replication-failover.md in MicrosoftDocs/windowsserverdocs).
		name: "reverse after a committed planned failover", vm: prepared, host: "HV02",
		prepare: func(d *vmDriver) { d.do("HV02", method("InitiateFailover"), method("CommitFailover")) },
		call:    reverseTo("HV01"), job: 104, during: "1[4] 2[6 0] -", after: "2[3 0] 1[3] -",
	},
	{
		name: "unplanned failover", host: "HV02", call: method("InitiateFailover"),
		job: 97, during: "1[3] 2[12 0] -", after: "1[3] 2[5 0] -",
	},
	{
		name: "revert", vm: failedOver, host: "HV01", call: method("RevertFailover"),
		job: 98, during: "2[5 0] 1[8] -", after: "2[3 0] 1[8] -",
	},
	{
		name: "commit", vm: failedOver, host: "HV01", call: method("CommitFailover"),
		job: 99, during: "2[5 0] 1[8] -", after: "2[6 0] 1[8] -",
	},
	{
		name: "reverse after an unplanned failover", vm: failedOver, host: "HV01",
		prepare: func(d *vmDriver) { d.setPower("HV02", false) },
		call:    reverseTo("HV02"), job: 104, during: "2[5 0] 1[8] -", after: "1[1] 2[2 0] -",
	},
	{
		name: "reverse after a commit", vm: committed, host: "HV01",
		prepare: func(d *vmDriver) { d.setPower("HV02", false) },
		call:    reverseTo("HV02"), job: 104, during: "2[6 0] 1[8] -", after: "1[1] 2[2 0] -",
	},
	{
		name: "make the old primary a replica", vm: failedOver, host: "HV02",
		prepare: func(d *vmDriver) { d.setPower("HV02", false) },
		call:    request(2), job: 96, during: "2[5 0] 1[2] -", after: "2[5 0] 2[2 0] -",
	},
	{
		name: "reverse after the old primary was made a replica", vm: failedOver, host: "HV01",
		prepare: func(d *vmDriver) {
			d.setPower("HV02", false)
			d.do("HV02", request(2))
		},
		call: reverseTo("HV02"), job: 104, during: "2[5 0] 2[2 0] -", after: "1[1] 2[2 0] -",
	},
	{
		name: "test failover", host: "HV02", call: method("TestReplicaSystem"),
		job: 102, during: "1[3] 2[3 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "change the disks", host: "HV01", call: setDisks("one"),
		job: 125, during: "1[15] 2[15 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "change the disks while the replica is paused", host: "HV01",
		prepare: func(d *vmDriver) { d.do("HV02", request(7)) },
		call:    setDisks("one"), job: 125, during: "1[15] 2[7 0] -", after: "1[3] 2[7 0] -",
	},
	{
		name: "retry the change of the disks", host: "HV01",
		prepare: failToChangeDisks, call: request(15), job: 125, during: "1[15] 2[15 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "resume after the change of the disks failed", host: "HV01",
		prepare: failToChangeDisks, call: request(3), job: 96, during: "1[3] 2[16 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "request 1 after the change of the disks failed", host: "HV01",
		prepare: failToChangeDisks, call: request(1), job: 109, during: "1[1] 2[16 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "request 2 after the change of the disks failed", host: "HV02",
		prepare: failToChangeDisks, call: request(2), job: 96, during: "1[16] 2[2 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "reset the statistics", host: "HV01", call: withRelationship("ResetReplicationStatisticsEx", msvm.Primary),
		job: 119, during: "1[3] 2[3 0] -", after: "1[3] 2[3 0] -",
	},
	{
		name: "test the connection", host: "HV01",
		call: method("TestReplicationConnection", "RecoveryConnectionPoint", "HV02.contoso.com",
			"RecoveryServerPortNumber", uint16(80), "AuthenticationType", uint16(1)),
		job: 115, during: "1[3] 2[3 0] -", after: "1[3] 2[3 0] -",
	},
}

// failToChangeDisks leaves both sides in state 16.
func failToChangeDisks(d *vmDriver) {
	d.Helper()
	d.world.SetFaults(parseFaults(d.T, "job-failing"))
	d.wantFailedJob("change the disks", "HV01", setDisks("one"), 32768)
	d.world.SetFaults(parseFaults(d.T))
	d.wantStates("change of the disks failed", "1[16] 2[16 0] -")
}

func TestTransitionsAreAsDocumented(t *testing.T) {
	for _, tt := range transitions {
		t.Run(tt.name, func(t *testing.T) {
			d := newVMDriver(t, tt.vm)
			if tt.prepare != nil {
				tt.prepare(d)
			}
			reply := tt.call(d, tt.host)
			if tt.job == 0 {
				d.wantCode(tt.name, reply, 0)
				d.wantStates("afterwards", tt.after)
				return
			}
			d.wantStates("during the job", tt.during)
			if j, _ := d.job(tt.host, reply.Job); reply.Code != 4096 || *j.JobType != tt.job || *j.JobState != 4 {
				t.Errorf("code is %d, type of the job is %d, state is %d; want 4096, %d, 4",
					reply.Code, *j.JobType, *j.JobState, tt.job)
			}
			if j := d.finish(tt.host, reply); *j.JobState != 7 || *j.ErrorCode != 0 || *j.PercentComplete != 100 {
				t.Errorf("final state of the job is %d, ErrorCode %d, %d percent; want 7, 0, 100",
					*j.JobState, *j.ErrorCode, *j.PercentComplete)
			}
			d.wantStates("after the job", tt.after)
		})
	}
}
