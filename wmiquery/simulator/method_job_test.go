package simulator_test

import (
	"errors"
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
