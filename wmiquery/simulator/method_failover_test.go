package simulator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A complete planned failover. Q33: state 4 is reported before the VM is prepared. Q40: a running VM
// cannot be prepared.
func TestPlannedFailover(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.wantStates("at first", "1[3] 2[3 0] -")
	d.wantStartBlocked("HV02")
	d.wantCode("prepare a running VM", d.requestState("HV01", 4), wmiquery.CodeInvalidState)
	d.setPower("HV01", false)
	prepare := d.requestState("HV01", 4)
	d.wantStartBlocked("HV01")
	if *d.rows("HV01")[0].LastReplicationType == msvm.TypePlanned {
		t.Error("the VM is prepared before the job has completed")
	}
	d.wantCode("a second request", d.requestState("HV01", 7), wmiquery.CodeInUse)
	d.checkJob("prepare", "HV01", prepare, msvm.JobInitiateSyncedReplication, "1[4] 2[3 0] -", "1[4] 2[3 0] -")
	if r := d.rows("HV02")[0]; *r.LastReplicationType != msvm.TypePlanned || !r.LastReplicationTime.Equal(d.clock.Now()) {
		t.Errorf("last replication of the replica is %s at %v, want a planned one now", r.LastReplicationType,
			r.LastReplicationTime)
	}
	if kinds, _ := d.recoveryPoints(); kinds[len(kinds)-1] != msvm.PointPlannedFailover {
		t.Errorf("recovery points are %s", kinds)
	}
	d.wantCode("pause a prepared VM", d.requestState("HV01", 7), wmiquery.CodeInvalidState)
	d.wantStartBlocked("HV01")
	d.wantCode("fail over on the primary", d.call("HV01", "InitiateFailover"), wmiquery.CodeInvalidState)
	d.checkJob("failover", "HV02", d.call("HV02", "InitiateFailover"), msvm.JobInitiateFailover,
		"1[4] 2[12 0] -", "1[4] 2[5 0] -")
	if r := d.rows("HV02")[0]; *r.FailedOverReplicationType != msvm.TypePlanned {
		t.Errorf("failover type is %s, want planned", r.FailedOverReplicationType)
	}
	reversed := d.settingsParam("HV02", msvm.Primary, toServer("HV01"))
	count := func(host string) uint64 { return counters(relationships(t, d.hosts[host], d.vm)[0].stats).Cycles }
	counts := []uint64{count("HV01"), count("HV02")}
	d.checkJob("reverse", "HV02", d.call("HV02", "ReverseReplicationRelationship", reversed...),
		msvm.JobReverseReplication, "1[4] 2[5 0] -", "2[3 0] 1[3] -")
	if got := []uint64{count("HV01"), count("HV02")}; counts[0] == 0 || !slices.Equal(got, counts) {
		t.Errorf("cycles in the window before and after are %d and %d, want equal", counts, got)
	}
	d.setPower("HV02", true)
	d.wantStartBlocked("HV01")
	d.clock.Advance(20 * time.Minute)
	d.wantStates("later", "2[3 0] 1[3] -")
	if last, _ := msvm.Known(d.rows("HV01")[0].LastReplicationTime); d.clock.Now().Sub(last) > 6*time.Minute ||
		*d.rows("HV01")[0].FailedOverReplicationType != msvm.TypeNone {
		t.Errorf("last replication in the new direction was at %v", last)
	}
	for _, host := range hosts[:2] {
		s := d.settings(host)
		if *s.PrimaryHostSystem != "HV02.contoso.com" || *s.RecoveryHostSystem != "HV01.contoso.com" {
			t.Errorf("settings on %s replicate from %s to %s, want HV02 to HV01",
				host, *s.PrimaryHostSystem, *s.RecoveryHostSystem)
		}
	}
}

func TestCancelPlannedFailover(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.setPower("HV01", false)
	d.checkJob("prepare", "HV01", d.requestState("HV01", 4), msvm.JobInitiateSyncedReplication,
		"1[4] 2[3 0] -", "1[4] 2[3 0] -")
	d.checkJob("cancel", "HV01", d.call("HV01", "RevertFailover"), msvm.JobCancelSyncedReplication,
		"1[4] 2[3 0] -", "1[3] 2[3 0] -")
	if kinds, _ := d.recoveryPoints(); slices.Contains(kinds, msvm.PointPlannedFailover) {
		t.Errorf("recovery points are %s", kinds)
	}
	d.setPower("HV01", true)
}

// An unplanned failover to a recovery point is reverted; another one to the latest point is committed
// and reversed. Q49: the old primary must be a replica server that authorizes the new one.
func TestUnplannedFailover(t *testing.T) {
	d := newVMDriver(t, withHistory(t))
	_, paths := d.recoveryPoints()
	d.wantCode("unknown recovery point", d.call("HV02", "InitiateFailover", "SnapshotSettingData", paths[0]+"x"),
		wmiquery.CodeInvalidParam)
	d.checkJob("failover", "HV02", d.call("HV02", "InitiateFailover", "SnapshotSettingData", paths[0]),
		msvm.JobInitiateFailover, "1[3] 2[12 0] -", "1[3] 2[5 0] -")
	d.clock.Advance(15 * time.Minute) // the primary detects the failover
	d.wantStates("a little later", "1[8] 2[5 0] -")
	d.wantCode("fail over again", d.call("HV02", "InitiateFailover"), wmiquery.CodeInvalidState)
	d.setPower("HV02", true)
	d.wantCode("revert while the VM is running", d.call("HV02", "RevertFailover"), wmiquery.CodeInvalidState)
	d.setPower("HV02", false)
	d.checkJob("revert", "HV02", d.call("HV02", "RevertFailover"), msvm.JobRevertFailover,
		"1[8] 2[5 0] -", "1[8] 2[3 0] -")
	d.checkJob("resume", "HV01", d.requestState("HV01", 3), msvm.JobStateChange, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
	d.checkJob("failover", "HV02", d.call("HV02", "InitiateFailover"), msvm.JobInitiateFailover,
		"1[3] 2[12 0] -", "1[3] 2[5 0] -")
	if kinds, _ := d.recoveryPoints(); len(kinds) == 0 {
		t.Error("the failover removed the recovery points")
	}
	d.checkJob("commit", "HV02", d.call("HV02", "CommitFailover"), msvm.JobCommitFailover,
		"1[3] 2[5 0] -", "1[3] 2[6 0] -")
	if kinds, _ := d.recoveryPoints(); len(kinds) > 0 {
		t.Errorf("recovery points are %s", kinds)
	}
	d.wantCode("commit again", d.call("HV02", "CommitFailover"), wmiquery.CodeInvalidState)
	d.wantCode("revert after commit", d.call("HV02", "RevertFailover"), wmiquery.CodeInvalidState)
	d.clock.Advance(15 * time.Minute)
	reverse := func() wmiquery.Reply {
		return d.call("HV02", "ReverseReplicationRelationship", d.settingsParam("HV02", msvm.Primary, toServer("HV01"))...)
	}
	d.waitForJob("reverse while the old primary runs", "HV02", reverse(), msvm.JobReverseReplication, msvm.JobException)
	d.setPower("HV01", false)
	d.wantCode("remove the entry",
		d.call("HV01", "RemoveAuthorizationEntry", "AllowedPrimaryHostSystem", "hv02.CONTOSO.com"), wmiquery.CodeCompleted)
	if j := d.waitForJob("reverse without authorization", "HV02", reverse(), msvm.JobReverseReplication,
		msvm.JobException); *j.ErrorCode != wmiquery.CodeAccessDenied {
		t.Errorf("ErrorCode is %d, want %d", *j.ErrorCode, wmiquery.CodeAccessDenied)
	}
	d.wantStates("after that", "1[8] 2[6 0] -")
	d.call("HV01", "AddAuthorizationEntry", entryParam(t, "HV02.contoso.com", `D:\Replica`)...)
	d.checkJob("reverse", "HV02", reverse(), msvm.JobReverseReplication, "1[8] 2[6 0] -", "2[2 0] 1[1] -")
	start := d.call("HV02", "StartReplication", "InitialReplicationType", uint16(3))
	d.checkJob("start", "HV02", start, msvm.JobStartResynchronizingInitialReplication, "2[2 0] 1[2] -", "2[2 0] 1[2] -")
	d.clock.Advance(2 * time.Hour)
	d.wantStates("in the end", "2[3 0] 1[3] -")
}

// A running failover can be reverted, whatever the primary server does.
func TestRevertRunningFailover(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.clock.Advance(10 * time.Minute)
	d.call("HV02", "InitiateFailover")
	d.wantStates("during failover", "1[3] 2[12 0] -")
	d.wantCode("test during failover", d.call("HV02", "TestReplicaSystem"), wmiquery.CodeInUse)
	d.checkJob("revert", "HV02", d.call("HV02", "RevertFailover"), msvm.JobRevertFailover,
		"1[3] 2[12 0] -", "1[3] 2[3 0] -")
}

// Q38: only test replicas can be deleted. Q42: a replica has at most one.
func TestTestFailover(t *testing.T) {
	d := newVMDriver(t, healthy)
	reply := d.call("HV02", "TestReplicaSystem")
	if v, ok := reply.Out["ResultingSystem"]; !ok || v != nil {
		t.Errorf("ResultingSystem is %v while the job is running, want null", v)
	}
	d.checkJob("test", "HV02", reply, msvm.JobInitiateTestReplica, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
	test := wmiquery.Ref("")
	for _, a := range read[msvm.AffectedJobElement](t, d.hosts["HV02"]) {
		if a.AffectingElement == reply.Job && msvm.VMOf(a.AffectedElement) != d.vm {
			test = a.AffectedElement
		}
	}
	dependency := msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(d.vm), Dependent: test}
	if all := read[msvm.ReplicaSystemDependency](t, d.hosts["HV02"]); !slices.Contains(all, dependency) {
		t.Errorf("dependencies are %v, want %v among them", all, dependency)
	}
	if got := describe(t, d.hosts["HV02"], msvm.VMOf(test)); got != "test_replica: disabled/not_applicable" {
		t.Errorf("test replica is %q", got)
	}
	stats := relationships(t, d.hosts["HV02"], d.vm)[0].stats
	if !stats.LastTestFailoverTime.Equal(d.clock.Now()) {
		t.Errorf("last test failover was at %v, want now", stats.LastTestFailoverTime)
	}
	d.wantCode("a second test", d.call("HV02", "TestReplicaSystem"), wmiquery.CodeInvalidState)
	d.wantCode("a test on the primary", d.call("HV01", "TestReplicaSystem"), wmiquery.CodeInvalidState)
	destroy := func(vm wmiquery.Ref) wmiquery.Reply {
		return call(t, d.hosts["HV02"],
			newCall(`Msvm_VirtualSystemManagementService.Name="vmms"`, "DestroySystem", params("AffectedSystem", vm)...))
	}
	d.wantCode("delete the replica", destroy(msvm.VMRef(d.vm)), wmiquery.CodeInvalidState)
	if err := d.world.SetPower(msvm.VMOf(test), "HV02", true); err != nil {
		t.Error(err)
	}
	d.wantCode("delete a running test replica", destroy(test), wmiquery.CodeInvalidState)
	if err := d.world.SetPower(msvm.VMOf(test), "HV02", false); err != nil {
		t.Error(err)
	}
	d.checkJob("delete", "HV02", destroy(test), msvm.JobRemoveTestReplica, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
	if slices.Contains(read[msvm.ReplicaSystemDependency](t, d.hosts["HV02"]), dependency) ||
		describe(t, d.hosts["HV02"], msvm.VMOf(test)) != "" {
		t.Error("the test replica still exists")
	}
	d.wantCode("delete it again", destroy(test), wmiquery.CodeInvalidParam)
	d.checkJob("another test", "HV02", d.call("HV02", "TestReplicaSystem"), msvm.JobInitiateTestReplica,
		"1[3] 2[3 0] -", "1[3] 2[3 0] -")
}

// Extended replication is created, started, protected by Q36, and continued after the primary is lost.
func TestExtendedReplication(t *testing.T) {
	d := newVMDriver(t, healthy)
	extended := func(seconds uint16) []any {
		return d.settingsParam("HV02", msvm.Extended,
			func(s *msvm.ReplicationSettingData) { toServer("HV03")(s); s.ReplicationInterval = &seconds })
	}
	d.wantCode("interval of 30 s", d.call("HV02", "CreateReplicationRelationship", extended(30)...),
		wmiquery.CodeInvalidParam)
	d.checkJob("extend", "HV02", d.call("HV02", "CreateReplicationRelationship", extended(300)...),
		msvm.JobCreateRelationship, "1[3] 2[3 0] -", "1[3] 2[3 1] 4[2]")
	d.wantCode("extend again", d.call("HV02", "CreateReplicationRelationship", extended(300)...),
		wmiquery.CodeInvalidState)
	start := d.call("HV02", "StartReplication", "InitialReplicationType", uint16(1))
	d.checkJob("start", "HV02", start, msvm.JobStartInitialReplication, "1[3] 2[3 2] 4[2]", "1[3] 2[3 2] 4[2]")
	if j := d.runningJob("HV02"); j != msvm.JobSendInitialReplica {
		t.Errorf("running job is %s, want %s", j, msvm.JobSendInitialReplica)
	}
	d.clock.Advance(2 * time.Hour)
	d.wantStates("started", "1[3] 2[3 3] 4[3]")
	d.wantCode("remove the primary link first",
		d.call("HV02", "RemoveReplicationRelationshipEx", d.relationshipParam(msvm.Primary)...), wmiquery.CodeInvalidState)
	d.wantCode("become primary", d.call("HV02", "ChangeReplicationModeToPrimary", d.relationshipParam(msvm.Extended)...),
		wmiquery.CodeInvalidState)

	d.checkJob("pause", "HV02", d.requestState("HV02", 7, d.relationshipParam(msvm.Extended)...), msvm.JobStateChange,
		"1[3] 2[3 7] 4[3]", "1[3] 2[3 7] 4[3]")
	d.checkJob("resynchronize", "HV02", d.call("HV02", "Resynchronize"), msvm.JobResynchronizeExtended,
		"1[3] 2[3 10] 4[10]", "1[3] 2[3 3] 4[3]")
	d.setPower("HV01", false)

	d.checkJob("failover", "HV02", d.call("HV02", "InitiateFailover"), msvm.JobInitiateFailover,
		"1[3] 2[12 3] 4[3]", "1[3] 2[5 3] 4[3]")
	d.wantCode("reverse", d.call("HV02", "ReverseReplicationRelationship",
		d.settingsParam("HV02", msvm.Primary, toServer("HV01"))...), wmiquery.CodeInvalidState)
	d.checkJob("commit", "HV02", d.call("HV02", "CommitFailover"), msvm.JobCommitFailover,
		"1[3] 2[5 3] 4[3]", "1[3] 2[6 3] 4[3]")
	d.wantCode("become primary of the primary relationship",
		d.call("HV02", "ChangeReplicationModeToPrimary", d.relationshipParam(msvm.Primary)...), wmiquery.CodeInvalidParam)
	d.checkJob("become primary", "HV02",
		d.call("HV02", "ChangeReplicationModeToPrimary", d.relationshipParam(msvm.Extended)...),
		msvm.JobChangeModeToPrimary, "1[3] 2[6 3] 4[3]", "1[3] 1[3] 2[3 0]")
	d.clock.Advance(time.Hour)
	d.wantStates("old primary after an hour", "1[8] 1[3] 2[3 0]")
}

// A replica that has failed over to an earlier point and becomes the primary requires a
// resynchronization of its extended replica.
func TestChangeToPrimaryFromEarlierPoint(t *testing.T) {
	d := newVMDriver(t, withHistory(t))
	extend := d.settingsParam("HV02", msvm.Extended, toServer("HV03"))
	d.waitForJob("extend", "HV02", d.call("HV02", "CreateReplicationRelationship", extend...), msvm.JobCreateRelationship,
		msvm.JobCompleted)
	d.call("HV02", "StartReplication", "InitialReplicationType", uint16(1))
	d.clock.Advance(2 * time.Hour)
	_, paths := d.recoveryPoints()
	d.waitForJob("failover", "HV02", d.call("HV02", "InitiateFailover", "SnapshotSettingData", paths[0]),
		msvm.JobInitiateFailover, msvm.JobCompleted)
	d.waitForJob("commit", "HV02", d.call("HV02", "CommitFailover"), msvm.JobCommitFailover, msvm.JobCompleted)
	next := d.call("HV02", "ChangeReplicationModeToPrimary", d.relationshipParam(msvm.Extended)...)
	d.waitForJob("become primary", "HV02", next, msvm.JobChangeModeToPrimary, msvm.JobCompleted)
	d.clock.Advance(16 * time.Minute) // the old primary detects it
	if got := d.states()[5:]; got != "1[9] 2[3 0]" {
		t.Errorf("states are %s, want a required resynchronization", got)
	}
	d.checkJob("resynchronize", "HV02", d.call("HV02", "Resynchronize"), msvm.JobResynchronize,
		"1[8] 1[10] 2[10 0]", "1[8] 1[3] 2[3 0]")
}

// New VMs are sorted by the time of their creation, however late they are read.
func TestNewVMsAreSortedByCreation(t *testing.T) {
	names := func(look bool) (names []string) {
		d := newVMDriver(t, healthy)
		for _, vm := range []int{22, 20, 6, 2, 0} {
			d.vm = vms(t, d.hosts["HV01"])[vm]
			d.call("HV02", "TestReplicaSystem")
		}
		for range 60 {
			d.clock.Advance(time.Second)
			if look {
				read[msvm.ComputerSystem](t, d.hosts["HV02"])
			}
		}
		for _, c := range read[msvm.ComputerSystem](t, d.hosts["HV02"]) {
			names = append(names, *c.ElementName)
		}
		return names
	}
	if late, early := names(false), names(true); !slices.Equal(late, early) ||
		!strings.HasSuffix(late[len(late)-3], "- Test") {
		t.Errorf("VMs read once are\n%v, read often\n%v", late, early)
	}
}
