package admin

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The detail of a failure says more than the return code: the parameters with their range, the state, or where to look.
func TestReturnCodesAreExplained(t *testing.T) {
	env := newTestEnv(t)
	settings := object{"parameters": object{
		"ComputerSystem":         env.vms[vmReplicating],
		"ReplicationSettingData": object{"ReplicationInterval": 7, "CompressionEnabled": true},
	}}
	const job = "9947DC62-9DA2-4B25-BB27-BA9A161D75A9"
	cancel := object{"target": job, "parameters": object{"RequestedState": 4}}
	for _, tt := range []struct {
		code    uint32
		method  string
		payload object
		want    string
	}{
		{
			32773, msvm.MethodModifyReplicationSettings, settings,
			"invalid parameter (32773); the host does not say which; the request gives ComputerSystem, CompressionEnabled, " +
				"ReplicationInterval (30, 300 or 900 seconds; at least 300 for an extended relationship)",
		},
		{32776, msvm.MethodModifyReplicationSettings, settings, "incorrect data type (32776); the host does not say which"},
		{
			32775, msvm.MethodModifyReplicationSettings, settings,
			"invalid state for this operation (32775); before the call, the state was replicating and the mode primary",
		},
		{
			32768, msvm.MethodModifyReplicationSettings, settings,
			"failed (32768); the event log Microsoft-Windows-Hyper-V-VMMS-Admin of the host can have the reason",
		},
		{6, msvm.MethodModifyReplicationSettings, settings, "return code 6; the event log Microsoft-Windows-Hyper-V-VMMS-Admin"},
		{32769, msvm.MethodModifyReplicationSettings, settings, "denied (32769); the account of the exporter needs the rights"},
		{32774, msvm.MethodModifyReplicationSettings, settings, "in use (32774); try again when the other operation"},
		{32778, msvm.MethodModifyReplicationSettings, settings, "out of memory (32778); try again later"},
		{
			4097, "Msvm_ConcreteJob.RequestStateChange", cancel,
			"cannot enter the requested state (4097); the job has ended, or the host cannot cancel it now",
		},
		{
			5, "Msvm_ConcreteJob.RequestStateChange", cancel,
			"invalid parameter (5); the host does not say which; the request gives RequestedState",
		},
		{
			1, msvm.MethodStartService,
			object{},
			"not supported (1); this method has no effect: the host returns 1 (not supported)",
		},
	} {
		env.hosts["HV01"].pool.reply = replyWith(wmiquery.Reply{Code: tt.code})
		wantDetail(t, tt.method, env.postMethod("HV01", "omar", tt.method, tt.payload), tt.want)
	}
	env.hosts["HV01"].pool.reply = replyWith(wmiquery.Reply{Code: 32773})
	wantDetail(t, "without parameters", env.postAction("HV01", "omar", vmReplicating, "primary", "suspend", nil),
		"the request gives no parameter")
}

// The estimated loss is shown for what loses data that was not sent, and for nothing else.
func TestEstimatedLossOnlyOfWhatLosesData(t *testing.T) {
	env := newTestEnv(t)
	for action, want := range map[string]bool{"reset-statistics": false, "suspend": false, "remove": true} {
		for _, payload := range []object{{"dry_run": true}, {}} {
			if action == "suspend" && payload["dry_run"] == nil {
				continue // it would be executed
			}
			r := env.postAction("HV01", "omar", vmReplicating, "primary", action, payload)
			if r.json["current"] == nil || (r.json["estimated_loss"] != nil) != want {
				t.Errorf("%s %v: got %s", action, payload, r)
			}
		}
	}
}

// A job is found by its ID, and by the InstanceID and the path of the host's own job.
func TestNativeJobNamesAJob(t *testing.T) {
	env := newTestEnv(t)
	r := env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil)
	id, native := r.json["id"], r.json["native_job"].(string)
	guid := msvm.JobID(wmiquery.Ref(native))
	for _, name := range []string{guid, strings.ToLower(guid), strings.NewReplacer(`"`, "%22").Replace(native)} {
		if got := env.get("HV02", "vic", apiJobs+"/"+name); got.json["id"] != id {
			t.Errorf("%s: got %s", name, got)
		}
	}
	env.want("unknown job", env.get("HV02", "vic", apiJobs+"/9947DC62-9DA2-4B25-BB27-BA9A161D75A9"), 404, "not-found")
	for target, want := range map[string]int{
		native: 200, guid: 200, `\\HV02\root\virtualization\v2:` + native: 200, native + ",X=1": 400, "job": 400,
	} {
		got := env.postMethod("HV02", "omar", "GetErrorEx", object{"target": target})
		if got.code != want && (want == 400 || got.slug() == "invalid-parameter") {
			t.Errorf("target %s: got %s, want %d", target, got, want)
		}
	}
}

// A refusal names the few states that matter.
func TestRefusalNamesTheStatesThatMatter(t *testing.T) {
	env := newTestEnv(t)
	for action, want := range map[string]string{
		"remove":  "the state is disabled; requires any state but disabled",
		"suspend": "the state is disabled; requires waiting_to_complete_initial_replication or replicating or resynchronizing",
	} {
		e := env.hosts["HV01"]
		e.pool.onRead = func(dst any) {
			if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
				for i := range *rows {
					(*rows)[i].ReplicationState = new(msvm.Disabled)
				}
			}
		}
		r := env.postAction("HV01", "omar", vmReplicating, "primary", action, object{"dry_run": true})
		wantDetail(t, action, r, want)
		if states, _ := r.json["works_in_states"].([]any); len(states) > 7 {
			t.Errorf("%s: the problem lists %d states", action, len(states))
		}
	}
}

// A confirmation of the deletion of a test VM says which VM is deleted and which one is kept, with their names.
func TestConfirmationOfACleanupNamesTheVMs(t *testing.T) {
	env := newTestEnv(t)
	test := env.testVMOf("HV01", vmWithTestVM)
	name := env.get("HV01", "vic", env.replicaPath(vmWithTestVM, "primary")).json["vm"].(string)
	wantJSON(t, "test_vm_names", env.listed("HV01", env.vms[vmWithTestVM])["test_vm_names"], `["`+name+` - Test"]`)
	deleted := "this destroys the test VM " + name + " - Test (" + test + ")"
	cleanup := env.postAction("HV01", "omar", vmWithTestVM, "primary", "cleanup-test-failover", nil)
	wantDetail(t, "action", cleanup, deleted)
	wantDetail(t, "action", cleanup, "the name of the replica "+env.vms[vmWithTestVM]+", which is kept")
	method := env.postMethod("HV01", "omar", msvm.MethodDestroySystem, object{"parameters": object{"AffectedSystem": test}})
	wantDetail(t, "method", method, deleted)
	wantDetail(t, "method", method, "the name of the test VM "+test+", which is deleted")
	again := env.postAction("HV01", "omar", vmWithTestVM, "primary", "test-failover", nil)
	wantDetail(t, "second test", again, "the VM already has a test VM: "+name+" - Test ("+test+")")
}
