package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// After a job fails, the states are those from before the call. Exceptions are the states that mean a failure: 9 (the
// resynchronization must start again), 16 and 8.
func TestStatesAfterFailedJob(t *testing.T) {
	for _, tt := range []struct {
		name    string
		vm      int
		prepare func(d *vmDriver)
		host    string
		call    step
		want    string
	}{
		{
			"create", neverReplicated, nil, "HV01",
			withSettings("CreateReplicationRelationship", msvm.Primary, toServer("HV02")), "0[0] - -",
		},
		{"extend", healthy, nil, "HV02", extend(), "1[3] 2[3 0] -"},
		{"remove", healthy, nil, "HV01", withRelationship("RemoveReplicationRelationshipEx", msvm.Primary), "1[3] 2[3 0] -"},
		{"start", newlyEnabled, nil, "HV01", start(1), "1[1] 2[2 0] -"},
		{"export", newlyEnabled, nil, "HV01", start(2, "InitialReplicationExportLocation", "x"), "1[1] 2[2 0] -"},
		{"pause", healthy, nil, "HV01", request(7), "1[3] 2[3 0] -"},
		{"resume", pausedOnPrimary, nil, "HV01", request(3), "1[7] 2[3 0] -"},
		{"pause the resynchronization", resynchronizing, nil, "HV01", request(7), "1[10] 2[10 0] -"},
		{
			"cancel the initial replication", newlyEnabled, func(d *vmDriver) { d.do("HV01", start(1)) }, "HV01", request(1),
			"1[1] 2[2 0] -",
		},
		{"cancel the resynchronization", resynchronizing, nil, "HV01", request(9), "1[9] 2[3 0] -"},
		{"prepare", healthy, func(d *vmDriver) { d.setPower("HV01", false) }, "HV01", request(4), "1[3] 2[3 0] -"},
		{"cancel a prepared failover", prepared, nil, "HV01", method("RevertFailover"), "1[4] 2[3 0] -"},
		{"fail over", healthy, nil, "HV02", method("InitiateFailover"), "1[3] 2[3 0] -"},
		{"commit", failedOver, nil, "HV01", method("CommitFailover"), "2[5 0] 1[8] -"},
		{"reverse", failedOver, func(d *vmDriver) { d.setPower("HV02", false) }, "HV01", reverseTo("HV02"), "2[5 0] 1[8] -"},
		{"test", healthy, nil, "HV02", method("TestReplicaSystem"), "1[3] 2[3 0] -"},
		{"resynchronize", resyncRequired, nil, "HV01", method("Resynchronize"), "1[9] 2[3 0] -"},
		{"resynchronize a paused VM", pausedOnPrimary, nil, "HV01", method("Resynchronize"), "1[9] 2[3 0] -"},
		{"change the disks", healthy, nil, "HV01", setDisks("one"), "1[16] 2[16 0] -"},
		{"retry the change of the disks", healthy, failToChangeDisks, "HV01", request(15), "1[16] 2[16 0] -"},
		{"modify", healthy, nil, "HV01", modify(func(*msvm.ReplicationSettingData) {}), "1[3] 2[3 0] -"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newVMDriver(t, tt.vm)
			if tt.prepare != nil {
				tt.prepare(d)
			}
			d.world.SetFaults(parseFaults(t, "job-failing"))
			d.wantFailedJob(tt.name, tt.host, tt.call, 32768)
			d.wantStates("after the job failed", tt.want)
			if err := d.world.Invariants(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A failing job runs for half of its time. It has an error only after it has failed.
func TestErrorOfJob(t *testing.T) {
	d := newVMDriver(t, newlyEnabled)
	getErrors := func(job wmiquery.Ref) []string {
		reply := call(t, d.hosts["HV01"], newCall(job, "GetErrorEx"))
		if reply.Code != 0 {
			t.Errorf("GetErrorEx: code %d, want 0", reply.Code)
		}
		texts, _ := reply.Out["Errors"].([]string)
		return texts
	}
	d.world.SetFaults(parseFaults(t, "job-failing"))
	reply := d.call("HV01", "StartReplication", "InitialReplicationType", uint16(2),
		"InitialReplicationExportLocation", "x")
	d.clock.Advance(time.Minute)
	if j, _ := d.job("HV01", reply.Job); *j.JobState != 4 || *j.ErrorCode != 0 || j.ErrorDescription != nil ||
		j.ErrorSummaryDescription != nil || len(getErrors(reply.Job)) != 0 {
		t.Errorf("the running job has an error: %+v", j)
	}
	j := d.finish("HV01", reply)
	if *j.JobState != 10 || *j.PercentComplete < 49 || *j.PercentComplete > 50 {
		t.Errorf("the job failed at %d percent in state %d, want 50, 10", *j.PercentComplete, *j.JobState)
	}
	texts := getErrors(reply.Job)
	var e msvm.Error
	if len(texts) != 1 {
		t.Fatalf("errors are %q, want one", texts)
	}
	if _, err := cimxml.Unmarshal(texts[0], &e); err != nil || *e.PerceivedSeverity != 6 ||
		*e.Message != *j.ErrorDescription {
		t.Errorf("error is %+v, %v, want severity 6 and %s", e, err, *j.ErrorDescription)
	}

	d.world.SetFaults(parseFaults(t))
	pause := newVMDriver(t, healthy)
	reply = pause.requestState("HV01", 7)
	pause.finish("HV01", reply)
	out := call(t, pause.hosts["HV01"], newCall(reply.Job, "GetErrorEx")).Out
	if v, ok := out["Errors"]; !ok || v != nil {
		t.Errorf("errors of a completed job are %v, want null", v)
	}
}

// A failed test of the connection has the reason as its ErrorCode.
func TestErrorCodeOfConnectionTest(t *testing.T) {
	d := newSingleVMDriver(t)
	connect := method("TestReplicationConnection", "RecoveryConnectionPoint", "HV02.contoso.com",
		"RecoveryServerPortNumber", uint16(80), "AuthenticationType", uint16(1))
	d.do("HV01", connect)
	d.world.SetFaults(parseFaults(t, "job-failing"))
	d.wantFailedJob("fault", "HV01", connect, 32768)
	if j := d.finish("HV01", d.modifyService("HV01",
		func(s *msvm.ReplicationServiceSettingData) { s.HttpPort = new(uint16(8080)) })); *j.JobState != 10 {
		t.Errorf("modify with a fault: job state is %d, want 10", *j.JobState)
	}
	d.world.SetFaults(parseFaults(t))
	if got := *read[msvm.ReplicationServiceSettingData](t, d.hosts["HV01"])[0].HttpPort; got != 80 {
		t.Errorf("port after the job failed is %d, want 80", got)
	}
	d.wantFailedJob("to itself", "HV02", connect, 32768)
	d.do("HV02", method("RemoveAuthorizationEntry", "AllowedPrimaryHostSystem", "*"))
	d.wantFailedJob("not authorized", "HV01", connect, 32769)
	d.do("HV02", method("AddAuthorizationEntry", entryParam(t, "HV01.contoso.com", `D:\`)...))
	d.do("HV01", connect)
	for _, tt := range []struct {
		change func(*msvm.ReplicationServiceSettingData)
		fails  bool
	}{
		{func(s *msvm.ReplicationServiceSettingData) { s.AllowedAuthenticationType = new(msvm.Authentication(2)) }, true},
		{func(s *msvm.ReplicationServiceSettingData) { s.AllowedAuthenticationType = new(msvm.Authentication(1)) }, false},
		{func(s *msvm.ReplicationServiceSettingData) { s.HttpPort = new(uint16(8080)) }, true},
		{func(s *msvm.ReplicationServiceSettingData) { s.HttpPort = new(uint16(80)) }, false},
		{func(s *msvm.ReplicationServiceSettingData) { s.RecoveryServerEnabled = new(false) }, true},
	} {
		d.finish("HV02", d.modifyService("HV02", tt.change))
		if j := d.finish("HV01", connect(d, "HV01")); (*j.JobState == 10) != tt.fails ||
			(*j.ErrorCode == 32768) != tt.fails {
			t.Errorf("job state is %d, ErrorCode %d, want a failure: %v", *j.JobState, *j.ErrorCode, tt.fails)
		}
	}
}
