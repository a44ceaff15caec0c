package admin

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The job record has the test VM, whether the host returns it, shows it as affected by the job, or neither.
func TestJobRecordHasTestVM(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV02"].pool
	const testVM = "11111111-2222-3333-4444-555555555555"
	spy.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Out: map[string]any{"ResultingSystem": msvm.VMRef(testVM)}}, nil
	}
	r := env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil)
	if r.code != 200 || r.json["test_vm_id"] != testVM {
		t.Errorf("test failover without a job: %s", r)
	}
	spy.reply = nil
	spy.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.AffectedJobElement); ok {
			*rows = nil
		}
	}
	r = env.waitForJob("test failover",
		"HV02", env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil), "succeeded")
	tests, _ := env.get("HV02", "vic", env.replicaPath(vmReplicating, "primary")).json["test_vms"].([]any)
	if len(tests) != 1 || r.json["test_vm_id"] != tests[0] {
		t.Errorf("test_vm_id is %v, the test VMs are %v", r.json["test_vm_id"], tests)
	}
}

// The job record and the audit log have the result of a test failover.
func TestTestResultIsRecorded(t *testing.T) {
	env := newTestEnv(t)
	env.waitForJob("test failover",
		"HV02", env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil), "succeeded")
	env.want("unknown result", env.postAction("HV02", "olga", vmReplicating, "primary", "cleanup-test-failover",
		object{"test_result": "so so"}), 400, "bad-request")
	env.want("result for another action",
		env.postAction("HV02", "olga", vmReplicating, "primary", "suspend", object{"test_result": "passed"}), 400,
		"bad-request")
	r := env.waitForJob("clean up", "HV02",
		env.postConfirmed("HV02", "olga", vmReplicating, "cleanup-test-failover", object{"test_result": "failed"}),
		"succeeded")
	if r.json["test_result"] != "failed" {
		t.Errorf("the record is %s", r)
	}
	records := 0
	for _, line := range env.auditRecords("HV02") {
		if line.Action == "cleanup-test-failover" && line.TestResult == "failed" {
			records++
		}
	}
	if records < 2 {
		t.Errorf("%d audit records with the result, want 2", records)
	}
}

// A test failover is cleaned up. Only its test VM can be deleted.
func TestTestFailoverAndCleanup(t *testing.T) {
	env := newTestEnv(t)
	env.want("clean up without a test VM",
		env.postAction("HV02", "olga", vmReplicating, "primary", "cleanup-test-failover", nil), http.StatusConflict,
		"invalid-state")
	done := env.waitForJob("test failover",
		"HV02", env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil), "succeeded")
	test, _ := done.json["test_vm_id"].(string)
	if !msvm.IsGUID(test) || test == env.vms[vmReplicating] {
		t.Fatalf("the test VM is %q", test)
	}
	env.want("second test failover",
		env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil), http.StatusConflict, "invalid-state")
	for name, vm := range map[string]string{"the replica": env.vms[vmReplicating], "another VM": env.vms[vmInbound]} {
		r := env.request("HV02", "omar",
			http.MethodPost, "/api/v1/methods/DestroySystem", object{"parameters": object{"AffectedSystem": vm}})
		env.want("delete "+name, r, http.StatusConflict, "invalid-state")
		if modes, _ := r.json["works_in_modes"].([]any); !slices.Equal(modes, []any{"test_replica"}) {
			t.Errorf("delete %s: works_in_modes is %v", name, modes)
		}
	}
	calls := env.hosts["HV02"].pool.callCount()
	env.waitForJob("clean up", "HV02",
		env.postConfirmed("HV02", "olga", vmReplicating, "cleanup-test-failover", nil), "succeeded")
	made := env.hosts["HV02"].pool.calls[calls:]
	if len(made) != 1 || made[0].In[0].Value != msvm.VMRef(test) {
		t.Errorf("the calls are %+v", made)
	}
}

// The deletion of a test VM locks its replica, whether it is requested as an action or as a method.
func TestCleanupLocksTheReplica(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.CallTimeout = time.Nanosecond })
	spy := env.hosts["HV01"].pool
	raw := object{"parameters": object{"AffectedSystem": env.testVMOf("HV01", vmWithTestVM)}}
	spy.block = make(chan struct{})
	env.want("action", env.postConfirmed("HV01", "olga", vmWithTestVM, "cleanup-test-failover", nil), 202, "")
	env.want("method", env.postMethod("HV01", "omar", msvm.MethodDestroySystem, raw), 409, "busy")
	close(spy.block)
	env.hosts["HV01"].server.calls.Wait()
	env.want("result for another method",
		env.postMethod("HV01", "omar", msvm.MethodRequestReplicationStateChangeEx,
			object{"target": env.vms[vmReplicating], "test_result": "passed"}), 400, "bad-request")
}
