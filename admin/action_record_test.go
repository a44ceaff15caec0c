package admin

import (
	"context"
	"net/http"
	"testing"
	"time"

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

// A policy needs callers who authenticate. TLS alone does not do that.
func TestPolicyNeedsAuthentication(t *testing.T) {
	env := newTestEnv(t)
	o := env.hosts["HV01"].server.options
	for _, tls := range []string{"", "tls_server_config: {cert_file: c.pem, key_file: k.pem}\n"} {
		env.writeFile(o.WebConfigFile, tls)
		if err := Check(o); err == nil {
			t.Errorf("a policy without users is accepted, web config %q", tls)
		}
	}
}
