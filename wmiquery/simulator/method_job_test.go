package simulator_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Q43: a finished job is visible for five minutes. Q44: a method fails with a code, or its job fails.
func TestFailedJob(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.world.SetFaults(parseFaults(t, "job-failing"))
	reply := d.requestState("HV01", 7)
	d.wantStates("while it runs", "1[7] 2[3 0] -")
	j := d.waitForJob("pause", "HV01", reply, msvm.JobStateChange, msvm.JobException)
	d.wantStates("after it failed", "1[3] 2[3 0] -")
	d.world.SetFaults(parseFaults(t, "method-failing="+msvm.MethodRequestReplicationStateChangeEx))
	d.wantCode("refused", d.requestState("HV01", 7), wmiquery.CodeFailed)
	d.world.SetFaults(parseFaults(t))
	if *j.ErrorCode != wmiquery.CodeFailed || *j.Cancellable {
		t.Errorf("failed job is %+v", j)
	}
	ask := func(method string) (wmiquery.Reply, error) {
		return d.hosts["HV01"].Call(newCall(reply.Job, method))
	}
	errorsOut, err := ask("GetErrorEx")
	texts, _ := errorsOut.Out["Errors"].([]string)
	last, err2 := ask("GetError")
	var e msvm.Error
	if errors.Join(err, err2) != nil || len(texts) != 1 || last.Out["Error"] != texts[0] {
		t.Fatalf("GetErrorEx: %v, %v; GetError: %v, %v", errorsOut, err, last, err2)
	}
	if class, err := cimxml.Unmarshal(texts[0], &e); err != nil || class != "Msvm_Error" ||
		*e.Message != *j.ErrorDescription {
		t.Errorf("error of the job is %s %+v, %v", class, e, err)
	}
	if r, err := ask("KillJob"); err != nil || r.Code != 1 {
		t.Errorf("KillJob: code %d, %v, want 1", r.Code, err)
	}
	d.clock.Advance(5*time.Minute - time.Second)
	if _, ok := d.job("HV01", reply.Job); !ok {
		t.Error("the job was removed before five minutes")
	}
	d.clock.Advance(time.Second)
	if _, ok := d.job("HV01", reply.Job); ok {
		t.Error("the job was not removed after five minutes")
	}
	if _, err := ask("GetErrorEx"); !errors.Is(err, wmiquery.ErrNotFound) {
		t.Errorf("removed job: error is %v, want %v", err, wmiquery.ErrNotFound)
	}
	for _, a := range read[msvm.AffectedJobElement](t, d.hosts["HV01"]) {
		if a.AffectingElement == reply.Job {
			t.Error("the association of the removed job still exists")
		}
	}
}

// Source: the schema of Msvm_ConcreteJob in Justsenger/HyperV-WMI-Documentation: 0 completed, 32773 invalid parameter,
// 32775 invalid state. requeststatechange-msvm-concretejob.md in MicrosoftDocs/win32, HyperV_v2, has the codes that CIM
// defines instead. Clients are known to use only 4, terminate.
func TestRequestedStatesOfJob(t *testing.T) {
	for n, want := range []uint32{32773, 32773, 32775, 32775, 0, 32775, 32775, 32773, 32773} {
		d := newVMDriver(t, newlyEnabled)
		job := d.call("HV01", "StartReplication", "InitialReplicationType", uint16(1)).Job
		reply := call(t, d.hosts["HV01"], newCall(job, "RequestStateChange", params("RequestedState", uint16(n))...))
		d.wantCode("request of a job", reply, want)
		if j, _ := d.job("HV01", job); (*j.JobState == 8) != (want == 0) || *j.Cancellable != (want != 0) {
			t.Errorf("request %d: job state is %d, Cancellable is %v", n, *j.JobState, *j.Cancellable)
		}
	}
	d := newVMDriver(t, healthy)
	job := d.requestState("HV01", 7).Job
	reply := call(t, d.hosts["HV01"], newCall(job, "RequestStateChange", params("RequestedState", uint16(4))...))
	d.wantCode("cancel a state change", reply, 32775)
	d.wantCode("kill", call(t, d.hosts["HV01"], newCall(job, "KillJob")), 1)
	d.wantCode("missing parameter", call(t, d.hosts["HV01"], newCall(job, "RequestStateChange")), 32773)
}

// Sources: geterrorex-msvm-concretejob.md and geterror-msvm-concretejob.md in MicrosoftDocs/win32, HyperV_v2: the errors
// are of jobs that failed or that a client terminated. A job that runs or has completed has none.
func TestErrorsOfTerminatedJob(t *testing.T) {
	d := newVMDriver(t, newlyEnabled)
	errorsOf := func(job wmiquery.Ref) (texts []string, last any) {
		texts, _ = call(t, d.hosts["HV01"], newCall(job, "GetErrorEx")).Out["Errors"].([]string)
		return texts, call(t, d.hosts["HV01"], newCall(job, "GetError")).Out["Error"]
	}
	export := d.call("HV01", "StartReplication",
		"InitialReplicationType", uint16(2), "InitialReplicationExportLocation", `E:\`)
	if texts, last := errorsOf(export.Job); texts != nil || last != nil {
		t.Errorf("job that runs: errors are %q and %v, want null", texts, last)
	}
	call(t, d.hosts["HV01"], newCall(export.Job, "RequestStateChange", params("RequestedState", uint16(4))...))
	if j, _ := d.job("HV01", export.Job); *j.JobState != 8 {
		t.Fatalf("state of the terminated job is %d, want 8", *j.JobState)
	}
	texts, last := errorsOf(export.Job)
	var e msvm.Error
	if len(texts) != 1 || last != texts[0] {
		t.Fatalf("terminated job: errors are %q and %v", texts, last)
	}
	if class, err := cimxml.Unmarshal(texts[0], &e); err != nil || class != "Msvm_Error" ||
		!strings.Contains(*e.Message, d.vm) || *e.MessageID != "32768" {
		t.Errorf("terminated job: error is %s %+v, %v", class, e, err)
	}
	started := d.call("HV01", "StartReplication", "InitialReplicationType", uint16(1))
	d.finish("HV01", started)
	if texts, last := errorsOf(started.Job); texts != nil || last != nil {
		t.Errorf("job that has completed: errors are %q and %v, want null", texts, last)
	}
}

// The jobs that start, send, export and import an initial replica can be cancelled.
func TestCancellableJobs(t *testing.T) {
	export := start(2, "InitialReplicationExportLocation", `E:\`)
	for _, tt := range []struct {
		name, host string
		prepare    []step // on HV01
		call       step
		want       string // states after the job is cancelled; "" if it cannot be
	}{
		{"start", "HV01", nil, start(1), "1[1] 2[2 0] -"},
		{"start with an existing VM", "HV01", nil, start(3), "1[1] 2[2 0] -"},
		{"export", "HV01", nil, export, "1[1] 2[2 0] -"},
		{
			"import", "HV02",
			[]step{export},
			method("ImportInitialReplica", "InitialReplicationImportLocation", "x"),
			"1[2] 2[2 0] -",
		},
		{"remove", "HV01", nil, method("RemoveReplicationRelationship"), ""},
		{"request 1", "HV01", []step{start(1)}, request(1), ""},
	} {
		d := newVMDriver(t, newlyEnabled)
		d.do("HV01", tt.prepare...)
		reply := tt.call(d, tt.host)
		d.clock.Advance(time.Second)
		cancel := newCall(reply.Job, "RequestStateChange", params("RequestedState", uint16(4))...)
		code := call(t, d.hosts[tt.host], cancel).Code
		if tt.want == "" {
			if code != 32775 {
				t.Errorf("cancel %s: code %d, want 32775", tt.name, code)
			}
			continue
		}
		if code != 0 {
			t.Errorf("cancel %s: code %d, want 0", tt.name, code)
		}
		d.clock.Advance(time.Hour)
		d.wantStates(tt.name+" cancelled", tt.want)
	}
}

// Source: the schema of Msvm_ConcreteJob: a job is removed five minutes after its end.
func TestJobIsRemoved(t *testing.T) {
	d := newVMDriver(t, healthy)
	reply := d.requestState("HV01", 7)
	d.finish("HV01", reply)
	d.clock.Advance(5*time.Minute - time.Second)
	if _, ok := d.job("HV01", reply.Job); !ok {
		t.Error("the job was removed before five minutes")
	}
	d.clock.Advance(time.Second)
	if _, ok := d.job("HV01", reply.Job); ok {
		t.Error("the job was not removed after five minutes")
	}
}
