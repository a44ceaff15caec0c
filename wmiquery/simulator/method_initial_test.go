package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The way from a VM without replication to replication over the network, with all ways to cancel it.
func TestInitialReplication(t *testing.T) {
	d := newVMDriver(t, neverReplicated)
	settings := d.settingsParam("HV01", msvm.Primary, toServer("HV02"))
	d.wantStates("at first", "0[0] - -")
	d.checkJob("create", "HV01", d.call("HV01", "CreateReplicationRelationship", settings...), msvm.JobCreateRelationship,
		"0[0] - -", "1[1] 2[2 0] -")
	d.wantCode("create again", d.call("HV01", "CreateReplicationRelationship", settings...), wmiquery.CodeInvalidState)
	d.wantCode("pause before the initial replication", d.requestState("HV01", 7), wmiquery.CodeInvalidState)
	d.wantCode("fail over before the initial replication", d.call("HV02", "InitiateFailover"), wmiquery.CodeInvalidState)
	start := func(pairs ...any) wmiquery.Reply { return d.call("HV01", "StartReplication", pairs...) }
	d.wantCode("type 4", start("InitialReplicationType", uint16(4)), wmiquery.CodeInvalidParam)
	d.wantCode("export without a folder", start("InitialReplicationType", uint16(2)), wmiquery.CodeInvalidParam)
	d.wantCode("start on the replica", d.call("HV02", "StartReplication", "InitialReplicationType", uint16(1)),
		wmiquery.CodeInvalidState)

	reply := start("InitialReplicationType", uint16(1))
	d.checkJob("start", "HV01", reply, msvm.JobStartInitialReplication, "1[2] 2[2 0] -", "1[2] 2[2 0] -")
	if j := d.runningJob("HV01"); j != msvm.JobSendInitialReplica {
		t.Errorf("running job is %s, want %s", j, msvm.JobSendInitialReplica)
	}
	d.wantCode("start again", start("InitialReplicationType", uint16(1)), wmiquery.CodeInUse)
	d.checkJob("pause", "HV01", d.requestState("HV01", 7), msvm.JobStateChange, "1[7] 2[2 0] -", "1[7] 2[2 0] -")
	d.clock.Advance(2 * time.Hour)
	d.wantStates("paused", "1[7] 2[2 0] -")
	d.checkJob("resume", "HV01", d.requestState("HV01", 3), msvm.JobStateChange, "1[3] 2[2 0] -", "1[2] 2[2 0] -")
	d.checkJob("cancel", "HV01", d.requestState("HV01", 1), msvm.JobStopInitialReplication,
		"1[1] 2[2 0] -", "1[1] 2[2 0] -")
	d.clock.Advance(5 * time.Hour)
	d.wantStates("cancelled", "1[1] 2[2 0] -")

	d.waitForJob("start", "HV01", start("InitialReplicationType", uint16(1)), msvm.JobStartInitialReplication,
		msvm.JobCompleted)
	for _, j := range read[msvm.ConcreteJob](t, d.hosts["HV01"]) {
		if d.clock.Now().Sub(*j.TimeSubmitted) == 0 {
			call(t, d.hosts["HV01"], newCall(j.Ref(), "RequestStateChange", params("RequestedState", uint16(4))...))
		}
	}
	d.wantStates("cancelled by job", "1[1] 2[2 0] -")
	d.waitForJob("start", "HV01", start("InitialReplicationType", uint16(1)), msvm.JobStartInitialReplication,
		msvm.JobCompleted)
	for range 3600 {
		if d.clock.Advance(10 * time.Second); d.runningJob("HV01") == 0 {
			break
		}
		d.wantStates("sending", "1[2] 2[2 0] -")
	}
	d.wantStates("after the transfer", "1[3] 2[3 0] -")
}

// Q48: a start can be scheduled at most seven days ahead. Q32: it can be cancelled by its job or by a
// state request.
func TestScheduledStart(t *testing.T) {
	d := newVMDriver(t, newlyEnabled)
	at := d.clock.Now().Add(time.Hour)
	start := func(at time.Time) wmiquery.Reply {
		return d.call("HV01", "StartReplication", "InitialReplicationType", uint16(1), "StartTime", at)
	}
	d.wantCode("in the past", start(d.clock.Now()), wmiquery.CodeInvalidParam)
	d.wantCode("in eight days", start(d.clock.Now().Add(8*24*time.Hour)), wmiquery.CodeInvalidParam)
	reply := start(at)
	if j, _ := d.job("HV01", reply.Job); *j.JobState != msvm.JobNew || !j.ScheduledStartTime.Equal(at) ||
		j.StartTime != nil || !*j.Cancellable {
		t.Errorf("scheduled job is %+v", j)
	}
	d.wantCode("schedule again", start(at), wmiquery.CodeInUse)
	d.wantStates("scheduled", "1[1] 2[2 0] -")
	cancel := newCall(reply.Job, "RequestStateChange", params("RequestedState", uint16(4))...)
	if code := call(t, d.hosts["HV01"], cancel).Code; code != 0 {
		t.Errorf("cancel the job: code %d, want 0", code)
	}
	if code := call(t, d.hosts["HV01"], cancel).Code; code != 32775 {
		t.Errorf("cancel the job again: code %d, want 32775", code)
	}
	d.clock.Advance(2 * time.Hour)
	d.wantStates("cancelled", "1[1] 2[2 0] -")
	start(d.clock.Now().Add(time.Hour))
	d.waitForJob("cancel by request", "HV01", d.requestState("HV01", 1), msvm.JobStopInitialReplication, msvm.JobCompleted)
	d.clock.Advance(2 * time.Hour)
	d.wantStates("cancelled by request", "1[1] 2[2 0] -")
	at = d.clock.Now().Add(time.Hour)
	start(at)
	d.clock.Set(at.Add(-time.Second))
	d.wantStates("a second before", "1[1] 2[2 0] -")
	d.clock.Set(at)
	d.wantStates("at that time", "1[2] 2[2 0] -")
}

// An exported initial replica takes effect when it is imported.
func TestExportAndImportInitialReplica(t *testing.T) {
	d := newVMDriver(t, newlyEnabled)
	importReplica := func() wmiquery.Reply {
		return d.call("HV02", "ImportInitialReplica", "InitialReplicationImportLocation", `E:\import`)
	}
	d.wantCode("import without a folder", d.call("HV02", "ImportInitialReplica"), wmiquery.CodeInvalidParam)
	d.wantCode("import on the primary", d.call("HV01", "ImportInitialReplica", "InitialReplicationImportLocation", "x"),
		wmiquery.CodeInvalidState)
	if j := d.waitForJob("import too early", "HV02", importReplica(), msvm.JobImportReplication,
		msvm.JobException); *j.ErrorCode != wmiquery.CodeFileNotFound {
		t.Errorf("ErrorCode is %d, want %d", *j.ErrorCode, wmiquery.CodeFileNotFound)
	}
	d.call("HV01", "StartReplication", "InitialReplicationType", uint16(2), "InitialReplicationExportLocation", `E:\`)
	if j := d.waitForJob("import too early", "HV02", importReplica(), msvm.JobImportReplication,
		msvm.JobException); *j.ErrorCode != wmiquery.CodeFileNotFound {
		t.Errorf("ErrorCode is %d, want %d", *j.ErrorCode, wmiquery.CodeFileNotFound)
	}
	d.waitForJob("cancel", "HV01", d.requestState("HV01", 1), msvm.JobStopInitialReplication, msvm.JobCompleted)
	export := d.call("HV01", "StartReplication", "InitialReplicationType", uint16(2), "InitialReplicationExportLocation",
		`E:\`)
	d.checkJob("export", "HV01", export, msvm.JobStartExportInitialReplication, "1[2] 2[2 0] -", "1[2] 2[2 0] -")
	d.clock.Advance(2 * time.Hour)
	d.wantStates("before the import", "1[2] 2[2 0] -")
	d.checkJob("import", "HV02", importReplica(), msvm.JobImportReplication, "1[2] 2[2 0] -", "1[3] 2[3 0] -")
}

// An export takes effect only together with its import.
func TestExportedInitialReplica(t *testing.T) {
	importReplica := method("ImportInitialReplica", "InitialReplicationImportLocation", `E:\`)
	export := start(2, "InitialReplicationExportLocation", `E:\`)
	d := newVMDriver(t, newlyEnabled)
	export(d, "HV01")
	d.do("HV01", request(1))
	d.wantStates("cancelled during the export", "1[1] 2[2 0] -")
	d.wantFailedJob("import after the cancellation", "HV02", importReplica, 32779)
	d.do("HV01", start(1))
	d.wantFailedJob("import after another start", "HV02", importReplica, 32779)

	d = newVMDriver(t, newlyEnabled)
	d.do("HV01", export, request(7))
	d.wantFailedJob("import while the primary is paused", "HV02", importReplica, 32779)
	d.do("HV01", request(3))
	d.wantStates("resumed", "1[2] 2[2 0] -")
	if j := d.runningJob("HV01"); j != 0 {
		t.Errorf("a job of type %d is running after the export, want none", j)
	}
	d.do("HV02", importReplica)
	d.wantStates("imported", "1[3] 2[3 0] -")

	d = newVMDriver(t, newlyEnabled)
	d.call("HV01", "StartReplication", "InitialReplicationType", uint16(2), "InitialReplicationExportLocation", "x",
		"StartTime", d.clock.Now().Add(time.Hour))
	d.wantStates("an export ignores the start time", "1[2] 2[2 0] -")

	d = newVMDriver(t, newlyEnabled)
	d.wantCode("type 0", start(0)(d, "HV01"), 32773)
	d.wantCode("import without a folder",
		d.call("HV02", "ImportInitialReplica", "InitialReplicationImportLocation", ""), 32773)
}

// Sources: Microsoft's virtualization blog, 2013-06-28: after the export, changes are sent to the placeholder VM and merged
// with the initial replica when that is imported. Stop-VMInitialReplication in MicrosoftDocs/windows-powershell-docs: the
// initial replication cannot be stopped after the export. replication-virtual-machines.md in
// MicrosoftDocs/windowsserverdocs: the health of the placeholder is Warning (2) until the import, and then Normal (1).
func TestChangesAreSentAfterExport(t *testing.T) {
	d := newVMDriver(t, newlyEnabled)
	d.do("HV01", start(2, "InitialReplicationExportLocation", `E:\`))
	before := *d.statistics("HV01").ReplicationSuccessCount
	d.wantCode("stop after the export", d.requestState("HV01", 1), 32775)
	d.clock.Advance(12 * time.Hour)
	d.wantStates("waiting for the import", "1[2] 2[2 0] -")
	for _, host := range []string{"HV01", "HV02"} {
		r, s := d.rows(host)[0], d.statistics(host)
		if _, replicated := msvm.Known(r.LastReplicationTime); replicated || *r.ReplicationHealth != 2 {
			t.Errorf("%s: last replication is %v, health %d; want none, 2", host, r.LastReplicationTime, *r.ReplicationHealth)
		}
		if *s.ReplicationSuccessCount < before+20 || *s.ReplicationSize == 0 {
			t.Errorf("%s: %d replications with %d bytes in 12 hours", host, *s.ReplicationSuccessCount, *s.ReplicationSize)
		}
	}
	if got := *d.statistics("HV01").PendingReplicationSize; got > 2e9 {
		t.Errorf("pending size is %d, want only the changes since the last replication", got)
	}
	d.setPower("HV01", false) // nothing pending any more
	d.clock.Advance(30 * time.Minute)
	d.do("HV02", method("ImportInitialReplica", "InitialReplicationImportLocation", `E:\`))
	d.wantStates("imported", "1[3] 2[3 0] -")
	for _, host := range []string{"HV01", "HV02"} {
		r := d.rows(host)[0]
		if age := d.clock.Now().Sub(*r.LastReplicationTime); *r.ReplicationHealth != 1 || age < 0 || age > 20*time.Minute {
			t.Errorf("%s: health %d, last replication %v ago; want 1 and the last one before the import",
				host, *r.ReplicationHealth, age)
		}
	}
	if err := d.world.Invariants(); err != nil {
		t.Error(err)
	}
}

// Start and resynchronization can be scheduled for the next seven days.
func TestLimitsOfStartTime(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for after, want := range map[time.Duration]uint32{
		-time.Second: 32773, 0: 32773, time.Second: 4096, week: 4096, week + time.Second: 32773,
	} {
		d := newVMDriver(t, newlyEnabled)
		if got := start(1, "StartTime", d.clock.Now().Add(after))(d, "HV01").Code; got != want {
			t.Errorf("start after %v: code %d, want %d", after, got, want)
		}
		d = newVMDriver(t, resyncRequired)
		if got := d.call("HV01", "Resynchronize", "StartTime", d.clock.Now().Add(after)).Code; got != want {
			t.Errorf("resynchronize after %v: code %d, want %d", after, got, want)
		}
	}
}
