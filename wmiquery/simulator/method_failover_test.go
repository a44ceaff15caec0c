package simulator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A planned failover from end to end. Q33: 4 is shown before the VM
// is prepared. Q40: nothing is prepared while the VM runs.
func TestPlannedFailover(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.wantStates("at first", "1[3] 2[3 0] -")
	d.locked("HV02")
	d.code("prepare a VM that runs", d.request("HV01", 4), wmiquery.CodeInvalidState)
	d.power("HV01", false)
	prepare := d.request("HV01", 4)
	d.locked("HV01")
	if *d.rows("HV01")[0].LastReplicationType == msvm.TypePlanned {
		t.Error("it is prepared at once")
	}
	d.code("a second request", d.request("HV01", 7), wmiquery.CodeInUse)
	d.does("prepare", "HV01", prepare, msvm.JobInitiateSyncedReplication, "1[4] 2[3 0] -", "1[4] 2[3 0] -")
	if r := d.rows("HV02")[0]; *r.LastReplicationType != msvm.TypePlanned || !r.LastReplicationTime.Equal(d.clock.Now()) {
		t.Errorf("the replica got a %s at %v", r.LastReplicationType, r.LastReplicationTime)
	}
	if kinds, _ := d.points(); kinds[len(kinds)-1] != msvm.PointPlannedFailover {
		t.Errorf("recovery points are %s", kinds)
	}
	d.code("pause a prepared VM", d.request("HV01", 7), wmiquery.CodeInvalidState)
	d.locked("HV01")
	d.code("fail over on the primary", d.call("HV01", "InitiateFailover"), wmiquery.CodeInvalidState)
	d.does("failover", "HV02", d.call("HV02", "InitiateFailover"), msvm.JobInitiateFailover, "1[4] 2[12 0] -", "1[4] 2[5 0] -")
	if r := d.rows("HV02")[0]; *r.FailedOverReplicationType != msvm.TypePlanned {
		t.Errorf("the failover is %s", r.FailedOverReplicationType)
	}
	reversed := d.settings("HV02", msvm.Primary, to("HV01"))
	count := func(host string) uint64 { return figures(relationships(t, d.hosts[host], d.vm)[0].stats).Cycles }
	counts := []uint64{count("HV01"), count("HV02")}
	d.does("reverse", "HV02", d.call("HV02", "ReverseReplicationRelationship", reversed...), msvm.JobReverseReplication, "1[4] 2[5 0] -", "2[3 0] 1[3] -")
	if got := []uint64{count("HV01"), count("HV02")}; counts[0] == 0 || !slices.Equal(got, counts) {
		t.Errorf("cycles of the window were %d, are %d", counts, got)
	}
	d.power("HV02", true)
	d.locked("HV01")
	d.clock.Advance(20 * time.Minute)
	d.wantStates("later", "2[3 0] 1[3] -")
	if last, _ := msvm.Known(d.rows("HV01")[0].LastReplicationTime); d.clock.Now().Sub(last) > 6*time.Minute || *d.rows("HV01")[0].FailedOverReplicationType != msvm.TypeNone {
		t.Errorf("the last replication of the other way was %v", last)
	}
	for _, s := range read[msvm.ReplicationSettingData](t, d.hosts["HV01"]) {
		if s.InstanceID == d.rows("HV01")[0].InstanceID && (*s.PrimaryHostSystem != "HV02.contoso.com" || *s.RecoveryHostSystem != "HV01.contoso.com") {
			t.Errorf("the settings say %s to %s", *s.PrimaryHostSystem, *s.RecoveryHostSystem)
		}
	}
}

func TestCancelPlannedFailover(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.power("HV01", false)
	d.does("prepare", "HV01", d.request("HV01", 4), msvm.JobInitiateSyncedReplication, "1[4] 2[3 0] -", "1[4] 2[3 0] -")
	d.does("cancel", "HV01", d.call("HV01", "RevertFailover"), msvm.JobCancelSyncedReplication, "1[4] 2[3 0] -", "1[3] 2[3 0] -")
	if kinds, _ := d.points(); slices.Contains(kinds, msvm.PointPlannedFailover) {
		t.Errorf("recovery points are %s", kinds)
	}
	d.power("HV01", true)
}

// An unplanned failover: to a recovery point, back, to the latest, for good, and
// the other way. Q49: the old primary must be a replica server that lets the new
// one in.
func TestUnplannedFailover(t *testing.T) {
	d := newVMDriver(t, withHistory(t))
	_, paths := d.points()
	d.code("no such point", d.call("HV02", "InitiateFailover", "SnapshotSettingData", paths[0]+"x"), wmiquery.CodeInvalidParam)
	d.does("failover", "HV02", d.call("HV02", "InitiateFailover", "SnapshotSettingData", paths[0]), msvm.JobInitiateFailover, "1[3] 2[12 0] -", "1[3] 2[5 0] -")
	d.clock.Advance(15 * time.Minute) // the primary notices
	d.wantStates("a little later", "1[8] 2[5 0] -")
	d.code("fail over again", d.call("HV02", "InitiateFailover"), wmiquery.CodeInvalidState)
	d.power("HV02", true)
	d.code("revert what runs", d.call("HV02", "RevertFailover"), wmiquery.CodeInvalidState)
	d.power("HV02", false)
	d.does("revert", "HV02", d.call("HV02", "RevertFailover"), msvm.JobRevertFailover, "1[8] 2[5 0] -", "1[8] 2[3 0] -")
	d.does("resume", "HV01", d.request("HV01", 3), msvm.JobStateChange, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
	d.does("failover", "HV02", d.call("HV02", "InitiateFailover"), msvm.JobInitiateFailover, "1[3] 2[12 0] -", "1[3] 2[5 0] -")
	if kinds, _ := d.points(); len(kinds) == 0 {
		t.Error("the failover took the recovery points")
	}
	d.does("commit", "HV02", d.call("HV02", "CommitFailover"), msvm.JobCommitFailover, "1[3] 2[5 0] -", "1[3] 2[6 0] -")
	if kinds, _ := d.points(); len(kinds) > 0 {
		t.Errorf("recovery points are %s", kinds)
	}
	d.code("commit again", d.call("HV02", "CommitFailover"), wmiquery.CodeInvalidState)
	d.code("revert what is committed", d.call("HV02", "RevertFailover"), wmiquery.CodeInvalidState)
	d.clock.Advance(15 * time.Minute)
	reverse := func() wmiquery.Reply {
		return d.call("HV02", "ReverseReplicationRelationship", d.settings("HV02", msvm.Primary, to("HV01"))...)
	}
	d.finish("reverse while the old primary runs", "HV02", reverse(), msvm.JobReverseReplication, msvm.JobException)
	d.power("HV01", false)
	d.code("remove the entry", d.call("HV01", "RemoveAuthorizationEntry", "AllowedPrimaryHostSystem", "hv02.CONTOSO.com"), wmiquery.CodeCompleted)
	if j := d.finish("reverse without rights", "HV02", reverse(), msvm.JobReverseReplication, msvm.JobException); *j.ErrorCode != wmiquery.CodeAccessDenied {
		t.Errorf("error %d", *j.ErrorCode)
	}
	d.wantStates("after that", "1[8] 2[6 0] -")
	d.call("HV01", "AddAuthorizationEntry", entry(t, "HV02.contoso.com", `D:\Replica`)...)
	d.does("reverse", "HV02", reverse(), msvm.JobReverseReplication, "1[8] 2[6 0] -", "2[2 0] 1[1] -")
	start := d.call("HV02", "StartReplication", "InitialReplicationType", uint16(3))
	d.does("start", "HV02", start, msvm.JobStartResynchronizingInitialReplication, "2[2 0] 1[2] -", "2[2 0] 1[2] -")
	d.clock.Advance(2 * time.Hour)
	d.wantStates("in the end", "2[3 0] 1[3] -")
}

// A failover that runs can be taken back, and what is under way elsewhere does not
// matter.
func TestRevertRunningFailover(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.clock.Advance(10 * time.Minute)
	d.call("HV02", "InitiateFailover")
	d.wantStates("during failover", "1[3] 2[12 0] -")
	d.code("test now", d.call("HV02", "TestReplicaSystem"), wmiquery.CodeInUse)
	d.does("revert", "HV02", d.call("HV02", "RevertFailover"), msvm.JobRevertFailover, "1[3] 2[12 0] -", "1[3] 2[3 0] -")
}

// Q38: only test replicas are deleted. Q42: a replica has one at most.
func TestTestFailover(t *testing.T) {
	d := newVMDriver(t, healthy)
	reply := d.call("HV02", "TestReplicaSystem")
	if v, ok := reply.Out["ResultingSystem"]; !ok || v != nil {
		t.Errorf("ResultingSystem is %v while the job runs", v)
	}
	d.does("test", "HV02", reply, msvm.JobInitiateTestReplica, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
	test := wmiquery.Ref("")
	for _, a := range read[msvm.AffectedJobElement](t, d.hosts["HV02"]) {
		if a.AffectingElement == reply.Job && msvm.VMOf(a.AffectedElement) != d.vm {
			test = a.AffectedElement
		}
	}
	dependency := msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(d.vm), Dependent: test}
	if all := read[msvm.ReplicaSystemDependency](t, d.hosts["HV02"]); !slices.Contains(all, dependency) {
		t.Errorf("dependencies are %v, without %v", all, dependency)
	}
	if got := describe(t, d.hosts["HV02"], msvm.VMOf(test)); got != "test_replica: disabled/not_applicable" {
		t.Errorf("the test VM is %q", got)
	}
	stats := relationships(t, d.hosts["HV02"], d.vm)[0].stats
	if !stats.LastTestFailoverTime.Equal(d.clock.Now()) {
		t.Errorf("the last test was at %v", stats.LastTestFailoverTime)
	}
	d.code("a second test", d.call("HV02", "TestReplicaSystem"), wmiquery.CodeInvalidState)
	d.code("a test on the primary", d.call("HV01", "TestReplicaSystem"), wmiquery.CodeInvalidState)
	destroy := func(vm wmiquery.Ref) wmiquery.Reply {
		return call(t, d.hosts["HV02"], newCall(`Msvm_VirtualSystemManagementService.Name="vmms"`, "DestroySystem", in("AffectedSystem", vm)...))
	}
	d.code("delete the replica", destroy(msvm.VMRef(d.vm)), wmiquery.CodeInvalidState)
	if err := d.world.SetPower(msvm.VMOf(test), "HV02", true); err != nil {
		t.Error(err)
	}
	d.code("delete what runs", destroy(test), wmiquery.CodeInvalidState)
	if err := d.world.SetPower(msvm.VMOf(test), "HV02", false); err != nil {
		t.Error(err)
	}
	d.does("delete", "HV02", destroy(test), msvm.JobRemoveTestReplica, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
	if slices.Contains(read[msvm.ReplicaSystemDependency](t, d.hosts["HV02"]), dependency) || describe(t, d.hosts["HV02"], msvm.VMOf(test)) != "" {
		t.Error("the test VM is still there")
	}
	d.code("delete it again", destroy(test), wmiquery.CodeInvalidParam)
	d.does("a test once more", "HV02", d.call("HV02", "TestReplicaSystem"), msvm.JobInitiateTestReplica, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
}

// Extended replication: made, started, guarded by Q36, and what is left when the
// primary is lost.
func TestExtendedReplication(t *testing.T) {
	d := newVMDriver(t, healthy)
	extended := func(seconds uint16) []any {
		return d.settings("HV02", msvm.Extended, func(s *msvm.ReplicationSettingData) { to("HV03")(s); s.ReplicationInterval = &seconds })
	}
	d.code("every 30 s", d.call("HV02", "CreateReplicationRelationship", extended(30)...), wmiquery.CodeInvalidParam)
	d.does("extend", "HV02", d.call("HV02", "CreateReplicationRelationship", extended(300)...), msvm.JobCreateRelationship, "1[3] 2[3 0] -", "1[3] 2[3 1] 4[2]")
	d.code("extend again", d.call("HV02", "CreateReplicationRelationship", extended(300)...), wmiquery.CodeInvalidState)
	start := d.call("HV02", "StartReplication", "InitialReplicationType", uint16(1))
	d.does("start", "HV02", start, msvm.JobStartInitialReplication, "1[3] 2[3 2] 4[2]", "1[3] 2[3 2] 4[2]")
	if j := d.jobOf("HV02"); j != msvm.JobSendInitialReplica {
		t.Errorf("job %s runs", j)
	}
	d.clock.Advance(2 * time.Hour)
	d.wantStates("started", "1[3] 2[3 3] 4[3]")
	d.code("remove the primary link first", d.call("HV02", "RemoveReplicationRelationshipEx", d.link(msvm.Primary)...), wmiquery.CodeInvalidState)
	d.code("become primary", d.call("HV02", "ChangeReplicationModeToPrimary", d.link(msvm.Extended)...), wmiquery.CodeInvalidState)

	d.does("pause", "HV02", d.request("HV02", 7, d.link(msvm.Extended)...), msvm.JobStateChange, "1[3] 2[3 7] 4[3]", "1[3] 2[3 7] 4[3]")
	d.does("resynchronize", "HV02", d.call("HV02", "Resynchronize"), msvm.JobResynchronizeExtended, "1[3] 2[3 10] 4[10]", "1[3] 2[3 3] 4[3]")
	d.power("HV01", false)

	d.does("failover", "HV02", d.call("HV02", "InitiateFailover"), msvm.JobInitiateFailover, "1[3] 2[12 3] 4[3]", "1[3] 2[5 3] 4[3]")
	d.code("reverse", d.call("HV02", "ReverseReplicationRelationship", d.settings("HV02", msvm.Primary, to("HV01"))...), wmiquery.CodeInvalidState)
	d.does("commit", "HV02", d.call("HV02", "CommitFailover"), msvm.JobCommitFailover, "1[3] 2[5 3] 4[3]", "1[3] 2[6 3] 4[3]")
	d.code("become primary of the wrong one", d.call("HV02", "ChangeReplicationModeToPrimary", d.link(msvm.Primary)...), wmiquery.CodeInvalidParam)
	d.does("become primary", "HV02", d.call("HV02", "ChangeReplicationModeToPrimary", d.link(msvm.Extended)...), msvm.JobChangeModeToPrimary, "1[3] 2[6 3] 4[3]", "1[3] 1[3] 2[3 0]")
	d.clock.Advance(time.Hour)
	d.wantStates("the old primary is alone", "1[8] 1[3] 2[3 0]")
}

// A replica that went back to an earlier point and becomes primary must
// resynchronize its extended replica.
func TestChangeToPrimaryFromEarlierPoint(t *testing.T) {
	d := newVMDriver(t, withHistory(t))
	extend := d.settings("HV02", msvm.Extended, to("HV03"))
	d.finish("extend", "HV02", d.call("HV02", "CreateReplicationRelationship", extend...), msvm.JobCreateRelationship, msvm.JobCompleted)
	d.call("HV02", "StartReplication", "InitialReplicationType", uint16(1))
	d.clock.Advance(2 * time.Hour)
	_, paths := d.points()
	d.finish("failover", "HV02", d.call("HV02", "InitiateFailover", "SnapshotSettingData", paths[0]), msvm.JobInitiateFailover, msvm.JobCompleted)
	d.finish("commit", "HV02", d.call("HV02", "CommitFailover"), msvm.JobCommitFailover, msvm.JobCompleted)
	next := d.call("HV02", "ChangeReplicationModeToPrimary", d.link(msvm.Extended)...)
	d.finish("continue", "HV02", next, msvm.JobChangeModeToPrimary, msvm.JobCompleted)
	d.clock.Advance(16 * time.Minute) // the old primary notices
	if got := d.states()[5:]; got != "1[9] 2[3 0]" {
		t.Errorf("states are %s", got)
	}
	d.does("resynchronize", "HV02", d.call("HV02", "Resynchronize"), msvm.JobResynchronize, "1[8] 1[10] 2[10 0]", "1[8] 1[3] 2[3 0]")
}

// New machines stand in the order of their coming, however late they are noticed.
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
	if late, early := names(false), names(true); !slices.Equal(late, early) || !strings.HasSuffix(late[len(late)-3], "- Test") {
		t.Errorf("machines are\n%v, then\n%v", late, early)
	}
}
