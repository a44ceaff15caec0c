package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Pause and resume on both sides. Q45: the same request completes at once for one
// VM and starts a job for another. Q33: the state shows at once in either case.
func TestPauseAndResume(t *testing.T) {
	for _, host := range hosts[:2] {
		d := newVMDriver(t, healthy)
		paused := map[string]string{"HV01": "1[7] 2[3 0] -", "HV02": "1[3] 2[7 0] -"}[host]
		d.code("resume what replicates", d.request(host, 3), wmiquery.CodeInvalidState)
		d.does("pause", host, d.request(host, 7), msvm.JobStateChange, paused, paused)
		want := map[string]msvm.ReplicationHealth{"HV01": msvm.HealthWarning, "HV02": msvm.HealthCritical}[host]
		if got := *d.rows(host)[0].ReplicationHealth; got != want { // Q72
			t.Errorf("paused on %s: health %s", host, got)
		}
		d.code("pause again", d.request(host, 7), wmiquery.CodeInvalidState)
		d.clock.Advance(40 * time.Minute)
		d.wantStates("later", paused)
		d.does("resume", host, d.request(host, 3), msvm.JobStateChange, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
		d.clock.Advance(12 * time.Minute)
		if health := *d.rows("HV01")[0].ReplicationHealth; health == msvm.HealthCritical {
			t.Error("it did not recover")
		}
	}
	d := newVMDriver(t, healthyOdd)
	d.code("pause", d.request("HV01", 7), wmiquery.CodeCompleted)
	d.wantStates("paused", "1[7] 2[3 0] -")
	d.code("resume", d.call("HV01", "RequestReplicationStateChange", "RequestedState", uint16(3)), wmiquery.CodeCompleted)
	d.wantStates("resumed", "1[3] 2[3 0] -")
}

// What can be asked for and what cannot.
func TestStateRequestsAreChecked(t *testing.T) {
	d := newVMDriver(t, healthy)
	for n := range uint16(30) {
		want := uint32(wmiquery.CodeInvalidParam)
		for _, q := range msvm.StateRequests() {
			if uint16(q.State) == n {
				want = wmiquery.CodeInvalidState // the primary runs, and replicates
			}
		}
		if n != 7 {
			d.code("request "+msvm.ReplicationState(n).String(), d.request("HV01", n), want)
		}
	}
	d.code("another VM's relationship", d.request("HV01", 7, newVMDriver(t, inbound).link(msvm.Primary)...), wmiquery.CodeInvalidParam)
	d.code("no number", d.call("HV01", msvm.MethodRequestReplicationStateChangeEx, "RequestedState", "seven"), wmiquery.CodeInvalidDataType)
	d.code("no text", d.call("HV01", msvm.MethodRequestReplicationStateChangeEx, "RequestedState", uint16(7), "ReplicationRelationship", "junk"), wmiquery.CodeInvalidParam)
	d.code("no state", d.call("HV01", msvm.MethodRequestReplicationStateChangeEx), wmiquery.CodeInvalidParam)
	d.vm = "HV01"
	d.code("the host", d.request("HV01", 7), wmiquery.CodeNotSupported)
}
