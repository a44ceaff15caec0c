package simulator_test

import (
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Pause and resume on both sides. Q45: the same request completes at once for one VM and starts a job
// for another. Q33: in both cases the state changes at once.
func TestPauseAndResume(t *testing.T) {
	for _, host := range hosts[:2] {
		d := newVMDriver(t, healthy)
		paused := map[string]string{"HV01": "1[7] 2[3 0] -", "HV02": "1[3] 2[7 0] -"}[host]
		d.wantCode("resume without a pause", d.requestState(host, 3), wmiquery.CodeInvalidState)
		d.checkJob("pause", host, d.requestState(host, 7), msvm.JobStateChange, paused, paused)
		want := map[string]msvm.ReplicationHealth{"HV01": msvm.HealthWarning, "HV02": msvm.HealthCritical}[host]
		if got := *d.rows(host)[0].ReplicationHealth; got != want { // Q72
			t.Errorf("paused on %s: health is %s, want %s", host, got, want)
		}
		d.wantCode("pause again", d.requestState(host, 7), wmiquery.CodeInvalidState)
		d.clock.Advance(40 * time.Minute)
		d.wantStates("later", paused)
		d.checkJob("resume", host, d.requestState(host, 3), msvm.JobStateChange, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
		d.clock.Advance(12 * time.Minute)
		if health := *d.rows("HV01")[0].ReplicationHealth; health == msvm.HealthCritical {
			t.Error("health did not recover after resume")
		}
	}
	d := newVMDriver(t, healthyWithoutJobs)
	d.wantCode("pause", d.requestState("HV01", 7), wmiquery.CodeCompleted)
	d.wantStates("paused", "1[7] 2[3 0] -")
	d.wantCode("resume", d.call("HV01", "RequestReplicationStateChange", "RequestedState", uint16(3)),
		wmiquery.CodeCompleted)
	d.wantStates("resumed", "1[3] 2[3 0] -")
}

// Requests with an invalid state, relationship or type return the documented codes.
func TestStateRequestsAreChecked(t *testing.T) {
	d := newVMDriver(t, healthy)
	for n := range uint16(30) {
		want := uint32(32773)
		if slices.Contains([]uint16{1, 2, 3, 4, 9, 15}, n) {
			want = 32775 // the primary is running and replicating
		}
		if n != 7 {
			d.wantCode("request "+msvm.ReplicationState(n).String(), d.requestState("HV01", n), want)
		}
	}
	d.wantCode("another VM's relationship",
		d.requestState("HV01", 7, newVMDriver(t, inbound).relationshipParam(msvm.Primary)...), wmiquery.CodeInvalidParam)
	d.wantCode("state is not a number", d.call("HV01", "RequestReplicationStateChangeEx", "RequestedState", "seven"),
		wmiquery.CodeInvalidDataType)
	d.wantCode("relationship is not an instance",
		d.requestState("HV01", 7, "ReplicationRelationship", "junk"), wmiquery.CodeInvalidParam)
	d.wantCode("no state", d.call("HV01", msvm.MethodRequestReplicationStateChangeEx), wmiquery.CodeInvalidParam)
	d.vm = "HV01"
	d.wantCode("the host", d.requestState("HV01", 7), wmiquery.CodeNotSupported)
}

// A planned failover cannot be prepared while the replica does not accept the last changes.
func TestPrepareRequiresReplica(t *testing.T) {
	d := newSingleVMDriver(t)
	d.setPower("HV01", false)
	d.do("HV02", request(7))
	d.wantFailedJob("replica paused", "HV01", request(4), 32768)
	d.wantStates("replica paused", "1[3] 2[7 0] -")
	d.do("HV02", request(3), method("RemoveAuthorizationEntry", "AllowedPrimaryHostSystem", "*"))
	d.wantFailedJob("replica server does not authorize the primary", "HV01", request(4), 32769)
	d.wantStates("not authorized", "1[3] 2[3 0] -")
}
