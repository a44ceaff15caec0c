package admin

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// An action begins with its request. Its duration includes the checks and the call.
func TestTimesOfAnAction(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	began := env.clock.Now()
	spy.onRead = func(dst any) {
		if _, ok := dst.(*[]msvm.ReplicationService); ok {
			env.clock.Advance(3 * time.Second) // twice: for the plan and for the check under the lock
		}
	}
	spy.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		env.clock.Advance(10 * time.Second)
		return wmiquery.Reply{}, nil
	}
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", r, 200, "")
	at := func(seconds int) string {
		return began.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339Nano)
	}
	if r.json["created"] != at(0) || r.json["ended"] != at(16) || r.json["updated"] != at(16) {
		t.Errorf("the record is %s, want it from %s to %s", r, at(0), at(16))
	}
	records := env.auditRecords("HV01")
	if len(records) != 3 {
		t.Fatalf("got %+v, want the intent, the end and the outcome", records)
	}
	for _, record := range records {
		want := map[audit.Event]int{audit.Intent: 6, audit.Outcome: 16, audit.JobEnded: 16}[record.Event]
		if got := record.Time.Format(time.RFC3339Nano); got != at(want) {
			t.Errorf("%s: time %s, want %s", record.Event, got, at(want))
		}
		if record.Event != audit.Intent && (record.Duration == nil || *record.Duration != 16) {
			t.Errorf("%s: duration %v, want 16", record.Event, record.Duration)
		}
	}
}

// The duration of an action is unknown if the clock was set back in the meantime.
func TestDurationWhenTheClockIsSetBack(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV01"].pool.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		env.clock.Advance(-time.Hour)
		return wmiquery.Reply{}, nil
	}
	env.want("suspend", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 200, "")
	records := env.auditRecords("HV01")
	for _, record := range records {
		if record.Duration != nil {
			t.Errorf("%s: duration %v, want none", record.Event, *record.Duration)
		}
	}
	durations := testutil.CollectAndCount(env.hosts["HV01"].server.Metrics(), "test_admin_action_duration_seconds")
	if len(records) != 3 || durations != 0 {
		t.Errorf("%d audit records, want 3; %d durations, want 0", len(records), durations)
	}
}

// The intent in the audit log has what the request expects and accepts.
func TestIntentHasWhatTheRequestExpects(t *testing.T) {
	env := newTestEnv(t)
	env.want("suspend", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend",
		object{"expected_state": "replicating", "expected_mode": "primary", "reason": "disks"}), 202, "")
	intent := env.auditRecords("HV01")[0]
	if a := intent.Accepted; a == nil || *a != (audit.Accepted{State: "replicating", Mode: "primary"}) ||
		intent.Reason != "disks" || intent.Event != audit.Intent {
		t.Errorf("the intent is %+v, accepted %+v", intent, intent.Accepted)
	}
	env.want("cleanup", env.postConfirmed("HV01", "olga", vmWithTestVM, "cleanup-test-failover",
		object{"test_result": "failed", "max_data_loss_seconds": 7, "accept_unknown_loss": true}), 202, "")
	for _, record := range env.auditRecords("HV01") {
		if record.Event != audit.Intent || record.Action != "cleanup-test-failover" {
			continue
		}
		intent = record
	}
	if a := intent.Accepted; a == nil || a.MaxLossSeconds == nil || *a.MaxLossSeconds != 7 || !a.UnknownLoss ||
		!a.Confirmed || intent.TestResult != "failed" {
		t.Errorf("the intent is %+v, accepted %+v", intent, intent.Accepted)
	}
}

// A dry run says whether the request must be confirmed: that depends on its parameters and on the state.
func TestDryRunSaysWhetherToConfirm(t *testing.T) {
	env := newTestEnv(t)
	settings := func(change object) object {
		return object{
			"dry_run":    true,
			"parameters": object{"ComputerSystem": env.vms[vmWithRecoveryPoints], "ReplicationSettingData": change},
		}
	}
	if err := env.world.SetState("HV01", msvm.Key{VM: env.vms[vmReplicating], Link: msvm.Primary},
		msvm.SyncedReplicationComplete); err != nil {
		t.Fatal(err)
	}
	if err := env.world.SetPower(env.vms[vmReplicating], "HV01", false); err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		r    response
		want bool
	}{
		"fewer recovery points": {
			env.postMethod("HV01", "omar", "ModifyReplicationSettings", settings(object{"RecoveryHistory": 0})), true,
		},
		"more recovery points": {
			env.postMethod("HV01", "omar", "ModifyReplicationSettings", settings(object{"RecoveryHistory": 24})), false,
		},
		"prepared failover": {
			env.postAction("HV01", "fred", vmReplicating, "primary", "cancel-failover", object{"dry_run": true}), false,
		},
		"failover": {env.postAction("HV01", "fred", vmInbound, "primary", "failover", object{"dry_run": true}), true},
	} {
		env.want(what, tt.r, 200, "")
		if tt.r.json["requires_confirmation"] != tt.want {
			t.Errorf("%s: got %s, want %v", what, tt.r, tt.want)
		}
	}
}

// The view of a running job says when to ask again. The dry run of its cancellation shows the call, and the response to
// the cancellation shows what the host made of it.
func TestRunningJobAndItsCancellation(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.startFakeJob(e.pool)
	path := started.header.Get("Location")
	if got := started.header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After of the action is %q, want 2", got)
	}
	if r := env.get("HV01", "vic", path); r.json["state"] != "running" || r.header.Get("Retry-After") != "2" {
		t.Errorf("the running job: %s %v", r, r.header)
	}
	dry := env.request("HV01", "tim", http.MethodPost, path+"/cancel", object{"dry_run": true})
	plan, _ := dry.json["plan"].(object)
	if plan["method"] != "RequestStateChange" || plan["class"] != "Msvm_ConcreteJob" || plan["role"] != "operator" ||
		plan["parameters"].(object)["RequestedState"] != 4.0 || dry.json["requires_confirmation"] != false {
		t.Errorf("the plan is %s", dry)
	}
	e.pool.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		e.pool.onRead = func(dst any) {
			if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
				*rows = append(*rows, msvm.ConcreteJob{InstanceID: fakeJobID, JobState: new(msvm.JobState(8))})
			}
		}
		return wmiquery.Reply{}, nil
	}
	r := env.request("HV01", "tim", http.MethodPost, path+"/cancel", object{"reason": "a mistake"})
	env.want("cancel", r, 202, "")
	if r.json["state"] != "cancelled" || r.header.Get("Location") != path {
		t.Errorf("the response to the cancellation is %s %v", r, r.header)
	}
	if r := env.get("HV01", "vic", path); r.json["state"] != "cancelled" || r.header.Get("Retry-After") != "" {
		t.Errorf("the job that has ended: %s %v", r, r.header)
	}
	for _, record := range env.auditRecords("HV01") {
		if record.Event == audit.Intent && record.Action == "cancel-job" &&
			(record.Reason != "a mistake" || record.User != "tim" || record.VMID != env.vms[vmReplicating]) {
			t.Errorf("the intent of the cancellation is %+v", record)
		}
	}
}

// Only the primary relationship of a VM has recovery points and test VMs.
func TestRecoveryPointsOfThePrimaryRelationship(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.VirtualSystemSettingData); ok {
			for i := range *rows {
				(*rows)[i].VirtualSystemIdentifier = &env.vms[vmExtended]
			}
		}
	}
	for link, want := range map[string]bool{"primary": true, "extended": false} {
		points, _ := env.get("HV01", "vic", env.replicaPath(vmExtended, link)).json["recovery_points"].([]any)
		if (len(points) > 0) != want {
			t.Errorf("the %s relationship has %d recovery points, want some: %v", link, len(points), want)
		}
	}
}

// The audit record of maintenance has its scope, contact and end.
func TestAuditRecordOfMaintenance(t *testing.T) {
	env := newTestEnv(t)
	until := env.clock.Now().Add(time.Hour)
	announcement := object{"owner": "Ada", "reason": "disks", "until": until}
	first := env.keyed("tim", "k", apiMaintenance, announcement)
	env.want("announcement", first, 201, "")
	for range 2 {
		env.wantReplay("same announcement", env.keyed("tim", "k", apiMaintenance, announcement), first)
	}
	records := env.auditRecords("HV01")
	if len(records) != 1 {
		t.Fatalf("the audit log has %d records, want 1", len(records))
	}
	r := records[0]
	if r.Parameters["scope"] != "host" || r.Parameters["owner"] != "Ada" || r.Reason != "disks" || r.User != "tim" ||
		r.Parameters["until"] != until.Format(time.RFC3339) || r.ID != first.json["id"] || r.Remote != "127.0.0.1" {
		t.Errorf("the record is %+v", r)
	}
}

// A job is cancelled by a caller who may start its action: the record has the role.
func TestJobHasTheRoleOfItsAction(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	if err := env.world.SetPower(env.vms[vmReplicating], "HV01", false); err != nil {
		t.Fatal(err)
	}
	env.get("HV01", "vic", env.startFakeJob(e.pool).header.Get("Location"))
	show := e.pool.onRead
	e.pool.onRead = nil // the job of the suspend is gone
	env.get("HV01", "vic", apiJobs)
	started := env.postAction("HV01", "fred", vmReplicating, "primary", "prepare-failover", nil)
	env.want("prepare-failover", started, 202, "")
	e.pool.onRead = show
	if started.json["role"] != "failover" {
		t.Errorf("the role of the job is %v, want failover", started.json["role"])
	}
	cancel := started.header.Get("Location") + "/cancel"
	for _, user := range []string{"vic", "olga"} {
		env.want("cancel by "+user, env.request("HV01", user, http.MethodPost, cancel, nil), 403, "forbidden")
	}
	env.want("cancel by fred", env.request("HV01", "fred", http.MethodPost, cancel, nil), 202, "")
}

// The return code of a method that only reads is reported like that of any other.
func TestReturnCodeOfAReadMethod(t *testing.T) {
	env := newTestEnv(t)
	for code, want := range map[uint32]string{
		0: "", 32768: "host-failed", 32769: "access-denied", 32773: "invalid-parameter", 32775: "invalid-state",
	} {
		env.hosts["HV01"].pool.get = func(wmiquery.Call) (wmiquery.Reply, error) { return wmiquery.Reply{Code: code}, nil }
		r := env.postMethod("HV01", "vic", "GetSystemCertificates", nil)
		if r.slug() != want || r.json["return_code"] != float64(code) {
			t.Errorf("code %d: got %s, want %q", code, r, want)
		}
	}
}

// A resume that no longer continues a resynchronization when the VM is locked is executed.
func TestResumeThatNoLongerResynchronizes(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	onSecondRead(env.hosts["HV01"].pool, func(r *msvm.ReplicationRelationship) {
		if *r.ReplicationState == msvm.ResynchronizationSuspended {
			r.ReplicationState = new(msvm.Suspended)
		}
	})
	r := env.postAction("HV01", "tim", vmResyncPaused, "primary", "resume", nil)
	env.want("resume", r, 200, "") // the host resumes at once
	if n := env.hosts["HV01"].pool.callCount(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// The response that asks for a confirmation has what a person needs to decide: the plan, the state, and what could be
// lost. The pending bytes are known on the sending side only.
func TestRequestForAConfirmationHasThePlanAndTheState(t *testing.T) {
	env := newTestEnv(t)
	for host, mode := range map[string]string{"HV01": "primary", "HV02": "replica"} {
		r := env.postAction(host, "omar", vmReplicating, "primary", "remove", nil)
		env.want("remove on "+host, r, 409, "confirmation-required")
		plan, _ := r.json["plan"].(object)
		current, _ := r.json["current"].(object)
		loss, _ := r.json["estimated_loss"].(object)
		if plan["action"] != "remove" || plan["method"] != "RemoveReplicationRelationshipEx" || plan["role"] != "owner" ||
			plan["destroys"] != "the relationship and, on the replica side, the recovery points" {
			t.Errorf("%s: the plan is %v", host, plan)
		}
		if current["state"] != "replicating" || current["mode"] != mode || current["lag_seconds"] == nil {
			t.Errorf("%s: the state is %v", host, current)
		}
		if loss["lag_seconds"] != current["lag_seconds"] || (loss["pending_bytes"] != nil) != (host == "HV01") {
			t.Errorf("%s: the estimated loss is %v", host, loss)
		}
	}
}

// Requests are counted by the method of the host that they are about, and by their status.
func TestRequestsAreCountedByMethod(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	cancel := env.startFakeJob(e.pool).header.Get("Location") + "/cancel"
	env.get("HV01", "vic", apiReplicas)
	env.request("HV01", "vic", http.MethodPost, cancel, nil)
	env.request("HV01", "tim", http.MethodPost, cancel, nil)
	env.postMethod("HV01", "vic", "GetSystemCertificates", nil)
	env.postMethod("HV01", "omar", "CommitFailover?dry_run=true",
		object{"parameters": object{"ComputerSystem": env.vms[vmInbound]}})
	env.postAction("HV01", "tim", vmReplicating, "primary", "explode", nil)
	env.postMaintenance("vic", object{"owner": "a", "reason": "b", "until": env.clock.Now().Add(time.Hour)})
	for _, tt := range []struct{ method, code string }{
		{"RequestReplicationStateChangeEx", "202"},
		{"none", "200"},
		{"RequestStateChange", "403"},
		{"RequestStateChange", "202"},
		{"GetSystemCertificates", "200"},
		{"CommitFailover", "409"},
		{"none", "404"},
		{"none", "403"},
	} {
		if got := testutil.ToFloat64(e.server.metrics.requests.WithLabelValues(tt.method, tt.code)); got != 1 {
			t.Errorf("%s %s: %v requests, want 1", tt.method, tt.code, got)
		}
	}
}
