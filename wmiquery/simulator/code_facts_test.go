package simulator_test

import (
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Sources: what Microsoft's PowerShell module checks before it calls a method; the pages of the methods in
// MicrosoftDocs/win32, HyperV_v2. That the host returns 32775 (invalid state) otherwise is inferred.
func TestMethodsAcceptOnlyDocumentedStates(t *testing.T) {
	for _, tt := range []struct {
		name     string
		host     string // HV01 sends, HV02 receives
		call     step
		accepted []uint16
		code     uint32 // of accepted calls
	}{
		{"start", "HV01", start(1), []uint16{1}, 4096},
		{"start on the replica", "HV02", start(1), nil, 0},
		{"import", "HV02", method("ImportInitialReplica", "InitialReplicationImportLocation", "x"), []uint16{2}, 4096},
		{"import on the primary", "HV01", method("ImportInitialReplica", "InitialReplicationImportLocation", "x"), nil, 0},
		{"resynchronize", "HV01", method("Resynchronize"), []uint16{7, 8, 9, 11}, 4096},
		{"resynchronize on the replica", "HV02", method("Resynchronize"), nil, 0},
		{"fail over", "HV02", method("InitiateFailover"), []uint16{3, 15}, 4096},
		{"fail over on the primary", "HV01", method("InitiateFailover"), nil, 0},
		{"revert", "HV02", method("RevertFailover"), []uint16{4, 5, 12}, 4096},
		{"revert on the primary", "HV01", method("RevertFailover"), []uint16{4, 5, 12}, 4096},
		{"commit", "HV02", method("CommitFailover"), []uint16{5}, 4096},
		{"commit on the primary", "HV01", method("CommitFailover"), nil, 0},
		{"test", "HV02", method("TestReplicaSystem"), []uint16{3, 5, 6, 7, 8}, 4096},
		{"test on the primary", "HV01", method("TestReplicaSystem"), nil, 0},
		{"reverse", "HV02", reverseTo("HV01"), []uint16{5, 6}, 4096},
		{"reverse on the primary", "HV01", reverseTo("HV02"), nil, 0},
		{"fail back", "HV02", withSettings("InitiateFailback", msvm.Primary, toServer("HV01")), []uint16{5, 6}, 32770},
		{
			"create on the primary", "HV01",
			withSettings("CreateReplicationRelationship", msvm.Primary, toServer("HV03")), nil, 0,
		},
		{"become primary", "HV02", withRelationship("ChangeReplicationModeToPrimary", msvm.Extended), nil, 0},
		{
			"become primary on the primary", "HV01",
			withRelationship("ChangeReplicationModeToPrimary", msvm.Primary), nil, 0,
		},

		{"request 1", "HV01", request(1), []uint16{1, 2, 15, 16}, 4096},
		{"request 1 on the replica", "HV02", request(1), nil, 0},
		{"request 2", "HV01", request(2), []uint16{3, 7, 8, 9, 11}, 4096},
		{"request 2 on the replica", "HV02", request(2), []uint16{15, 16}, 4096},
		{"request 3", "HV01", request(3), []uint16{7, 8, 9, 11, 15, 16}, 4096},
		{"request 3 on the replica", "HV02", request(3), []uint16{7, 8, 9, 10, 11, 15, 16}, 4096},
		{"request 4", "HV01", request(4), []uint16{3}, 4096},
		{"request 4 on the replica", "HV02", request(4), nil, 0},
		{"request 7", "HV01", request(7), []uint16{2, 3, 10}, 4096},
		{"request 7 on the replica", "HV02", request(7), []uint16{2, 3, 10}, 4096},
		{"request 9", "HV01", request(9), []uint16{10}, 4096},
		{"request 9 on the replica", "HV02", request(9), nil, 0},
		{"request 15", "HV01", request(15), []uint16{16}, 4096},
		{"request 15 on the replica", "HV02", request(15), []uint16{16}, 4096},
	} {
		for n := uint16(1); n <= 21; n++ {
			d := newSingleVMDriver(t)
			d.setPower("HV01", false)
			err := d.world.SetState(tt.host, msvm.Key{VM: d.vm, Link: msvm.Primary}, msvm.ReplicationState(n))
			if err != nil {
				t.Fatal(err)
			}
			want := uint32(32775)
			if slices.Contains(tt.accepted, n) {
				want = tt.code
			}
			if got := tt.call(d, tt.host).Code; got != want {
				t.Errorf("%s in state %d: code %d, want %d", tt.name, n, got, want)
			}
		}
	}
}

// Source: as above; MicrosoftDocs/win32, HyperV_v2, requestreplicationstatechangeex: the documented states are 1, 2, 3,
// 4, 7 and 9. Microsoft's PowerShell module also requests 15. That others are invalid parameters is inferred.
func TestOtherStatesCannotBeRequested(t *testing.T) {
	d := newSingleVMDriver(t)
	for n := range uint16(40) {
		got := d.requestState("HV02", n).Code == 32773
		if want := !slices.Contains([]uint16{1, 2, 3, 4, 7, 9, 15}, n); got != want {
			t.Errorf("request %d: rejected as invalid parameter is %v, want %v", n, got, want)
		}
	}
}

// A replica that has never replicated has nothing to fail over to.
func TestFailoverRequiresReplication(t *testing.T) {
	d := newVMDriver(t, newlyEnabled)
	if err := d.world.SetState("HV02", msvm.Key{VM: d.vm, Link: msvm.Primary}, 3); err != nil {
		t.Fatal(err)
	}
	d.wantCode("fail over", d.call("HV02", "InitiateFailover"), 32775)
	d.wantCode("test", d.call("HV02", "TestReplicaSystem"), 32775)
}

// Only a primary that is off can be prepared, and a running test replica cannot be deleted.
func TestMethodsRequireVMToBeOff(t *testing.T) {
	d := newSingleVMDriver(t)
	d.wantCode("prepare a running VM", d.requestState("HV01", 4), 32775)
	d.wantStates("afterwards", "1[3] 2[3 0] -")
	d = newVMDriver(t, committed)
	if err := d.world.SetState("HV01", msvm.Key{VM: d.vm, Link: msvm.Primary}, 3); err != nil {
		t.Fatal(err)
	}
	d.wantCode("fail over a running replica", d.call("HV01", "InitiateFailover"), 32775)
	d = newVMDriver(t, failedOver)
	d.setPower("HV01", true)
	d.wantCode("revert a running VM", d.call("HV01", "RevertFailover"), 32775)
}

// While a job is running, methods that change the VM return 32774 (in use). Methods that read, and those that do not
// change replication, are accepted.
func TestRunningJobBlocksChanges(t *testing.T) {
	for _, tt := range []struct {
		name string
		call step
		want uint32
	}{
		{"modify", modify(func(*msvm.ReplicationSettingData) {}), 32774},
		{"remove", withRelationship("RemoveReplicationRelationshipEx", msvm.Primary), 32774},
		{"remove with the deprecated method", method("RemoveReplicationRelationship"), 32774},
		{"resynchronize", method("Resynchronize"), 32774},
		{"reset the statistics", withRelationship("ResetReplicationStatisticsEx", msvm.Primary), 32774},
		{"revert", method("RevertFailover"), 32775}, // the state does not allow it
		{"request 3", request(3), 32774},
		{"request 7", request(7), 32774},
		{"read the statistics", withRelationship("GetReplicationStatisticsEx", msvm.Primary), 0},
	} {
		d := newSingleVMDriver(t)
		d.wantStates("at first", "1[3] 2[3 0] -")
		pause := d.requestState("HV01", 7)
		d.wantCode(tt.name, tt.call(d, "HV01"), tt.want)
		if j := d.finish("HV01", pause); *j.JobState != 7 {
			t.Errorf("%s: final state of the first job is %d, want 7", tt.name, *j.JobState)
		}
		d.wantStates(tt.name, "1[7] 2[3 0] -")
	}
	d := newSingleVMDriver(t)
	d.call("HV02", "InitiateFailover")
	d.wantCode("test during a failover", d.call("HV02", "TestReplicaSystem"), 32774)
	d.do("HV02", method("SetAuthorizationEntry", entryParam(t, "*", "")...))
	d.wantStates("bound during a failover", "1[3] 2[12 0] -")
}

// A VM without replication and a test replica reject everything that needs a relationship.
func TestMethodsRequireARelationship(t *testing.T) {
	for _, tt := range []struct {
		name string
		call step
	}{
		{"modify", modify(toServer("HV02"))},
		{"remove", withRelationship("RemoveReplicationRelationshipEx", msvm.Primary)},
		{"remove with the deprecated method", method("RemoveReplicationRelationship")},
		{"start", start(1)},
		{"import", method("ImportInitialReplica", "InitialReplicationImportLocation", "x")},
		{"resynchronize", method("Resynchronize")},
		{"fail over", method("InitiateFailover")},
		{"revert", method("RevertFailover")},
		{"commit", method("CommitFailover")},
		{"test", method("TestReplicaSystem")},
		{"reverse", reverseTo("HV02")},
		{"statistics", withRelationship("GetReplicationStatisticsEx", msvm.Primary)},
		{"deprecated statistics", method("GetReplicationStatistics")},
		{"reset the statistics", method("ResetReplicationStatistics")},
		{"request 1", request(1)},
		{"request 3", request(3)},
		{"request 4", request(4)},
		{"request 7", request(7)},
		{"request 9", request(9)},
		{"request 15", request(15)},
	} {
		d := newVMDriver(t, neverReplicated)
		d.setPower("HV01", false)
		d.wantCode(tt.name, tt.call(d, "HV01"), 32775)
		d.wantStates(tt.name, "0[0] - -")

		d = newSingleVMDriver(t)
		reply := d.call("HV02", "TestReplicaSystem")
		d.finish("HV02", reply)
		d.vm = d.testReplica(reply.Job)
		d.wantCode(tt.name+" of a test replica", tt.call(d, "HV02"), 32775)
	}
}

// Sources: the common return codes of Msvm_ReplicationService in MicrosoftDocs/win32, HyperV_v2. Which of them stands
// for which mistake is inferred.
func TestInvalidParameters(t *testing.T) {
	d := newSingleVMDriver(t)
	requested := func(value any) step { return method("RequestReplicationStateChangeEx", "RequestedState", value) }
	connect := func(pairs ...any) step {
		return method("TestReplicationConnection", append(pairs, "RecoveryConnectionPoint", "HV02")...)
	}
	key := msvm.Key{VM: d.vm, Link: msvm.Primary}
	settings := embeddedParam(t, "", msvm.ReplicationSettingData{InstanceID: key.InstanceID()})[1]
	for _, tt := range []struct {
		name string
		call step
		want uint32
	}{
		{"negative number", requested(-1), 32773},
		{"number of more than 16 bits", requested(65536), 32773},
		{"unsigned number of more than 16 bits", requested(uint32(65536)), 32773},
		{"text instead of a number", requested("7"), 32776},
		{"Boolean instead of a number", requested(true), 32776},
		{"number instead of a text", connect("CertificateThumbPrint", 5), 32776},
		{"number instead of a Boolean", connect("BypassProxyServer", uint16(1)), 32776},
		{"time that is not valid", method("Resynchronize", "StartTime", "tomorrow"), 32773},
		{"instance of another class", method("RequestReplicationStateChangeEx",
			"RequestedState", uint16(7), "ReplicationRelationship", settings), 32773},
		{"missing parameter", connect("AuthenticationType", uint16(1)), 32773},
		{"unknown parameter", method("InitiateFailover", "Snapshot", ""), 32773},
		{"null parameter", connect("AuthenticationType", uint16(1), "RecoveryServerPortNumber", nil), 32773},
		{"highest port", connect("AuthenticationType", uint16(1), "RecoveryServerPortNumber", uint16(65535)), 4096},
		{"negative port", connect("AuthenticationType", uint16(1), "RecoveryServerPortNumber", -1), 32773},
		{
			"lower-case names of parameters",
			connect("authenticationtype", uint16(1), "RECOVERYSERVERPORTNUMBER", uint16(80)), 4096,
		},
	} {
		if got := tt.call(d, "HV01").Code; got != tt.want {
			t.Errorf("%s: code %d, want %d", tt.name, got, tt.want)
		}
	}
	d.wantStates("afterwards", "1[3] 2[3 0] -")
	d.wantCode("empty instance",
		d.requestState("HV01", 7, "ReplicationRelationship", wmiquery.Embedded("")), 32773)
	d.wantCode("extended relationship of a primary", requestExtended(7)(d, "HV01"), 32773)
	d.wantCode("statistics of the extended relationship of a primary",
		d.call("HV01", "GetReplicationStatisticsEx", d.relationshipParam(msvm.Extended)...), 32773)
	d.wantCode("statistics of a replica that is not extended",
		d.call("HV02", "GetReplicationStatisticsEx", d.relationshipParam(msvm.Extended)...), 32775)
	ref := read[msvm.ReplicationService](t, d.hosts["HV01"])[0].Ref()
	unknown := params("ComputerSystem", msvm.VMRef("00000000-0000-4000-8000-000000000000"))
	d.wantCode("unknown VM", call(t, d.hosts["HV01"], newCall(ref, "CommitFailover", unknown...)), 32773)
	d.vm = "HV01"
	d.wantCode("state of the host itself", d.requestState("HV01", 7), 32770)
}

// A start time with another zone is the same time.
func TestStartTimeInAnotherZone(t *testing.T) {
	d := newVMDriver(t, newlyEnabled)
	at := time.Date(2026, 11, 23, 15, 30, 0, 0, time.UTC)
	reply := d.call("HV01", "StartReplication", "InitialReplicationType", uint16(1),
		"StartTime", at.In(time.FixedZone("", 8*3600)))
	if j, _ := d.job("HV01", reply.Job); !j.ScheduledStartTime.Equal(at) || j.ScheduledStartTime.Location() != time.UTC {
		t.Errorf("ScheduledStartTime is %v, want %v", j.ScheduledStartTime, at)
	}
	d.clock.Set(at.Add(-time.Second))
	d.wantStates("a second before", "1[1] 2[2 0] -")
	d.clock.Set(at)
	d.wantStates("at that time", "1[2] 2[2 0] -")
}
