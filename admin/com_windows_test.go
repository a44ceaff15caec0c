package admin

import (
	"net/http"
	"testing"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Actions through COM have the same results as on a simulated host: suspend, resume, test failover and cleanup, planned
// failover and reverse.
func TestActionsOverCOM(t *testing.T) {
	for name, objects := range map[string]bool{
		"embedded instances as text":    false,
		"embedded instances as objects": true,
	} {
		t.Run(name, func(t *testing.T) { runActionsOverCOM(t, objects) })
	}
}

func runActionsOverCOM(t *testing.T, objects bool) {
	env := newTestEnvVia(t, []string{"HV02"},
		func(t *testing.T, open func() (wmiquery.Session, error)) func() (wmiquery.Session, error) {
			fakewmi.Serve(t, &fakewmi.Host{Open: open, Objects: objects})
			return wmiquery.OpenCOM
		})
	vm := env.vms[vmReplicating]
	env.want("suspend by a viewer",
		env.postAction("HV02", "vic", vmReplicating, "primary", "suspend", nil), http.StatusForbidden, "forbidden")
	env.waitForJob("suspend", "HV02",
		env.postAction("HV02", "tim", vmReplicating, "primary", "suspend", object{"expected_state": "replicating"}),
		"succeeded")
	env.waitForJob("resume", "HV02", env.postAction("HV02", "tim", vmReplicating, "primary", "resume", nil), "succeeded")
	env.want("resume again", env.postAction("HV02", "tim", vmReplicating, "primary", "resume", nil),
		http.StatusConflict, "invalid-state")
	done := env.waitForJob("test failover",
		"HV02", env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil), "succeeded")
	if test, _ := done.json["test_vm_id"].(string); !msvm.IsGUID(test) {
		t.Errorf("the test VM is %q", test)
	}
	env.waitForJob("cleanup", "HV02",
		env.postConfirmed("HV02", "olga", vmReplicating, "cleanup-test-failover", nil), "succeeded")
	if err := env.world.SetPower(vm, "HV01", false); err != nil { // a reverse needs the old primary turned off
		t.Fatal(err)
	}
	env.waitForJob("failover", "HV02", env.postConfirmed("HV02", "fred", vmReplicating, "failover", nil), "succeeded")
	env.waitForJob("start", "HV02", env.postConfirmed("HV02", "fred", vmReplicating, "start-vm", nil), "succeeded")
	env.waitForJob("shutdown", "HV02", env.postAction("HV02", "fred", vmReplicating, "primary", "shut-down-vm", nil), "succeeded")
	env.wantPower("shutting down", "HV02", "other")
	env.waitForJob("turn off", "HV02", env.postConfirmed("HV02", "fred", vmReplicating, "turn-off-vm", nil), "succeeded")
	env.wantPower("turned off", "HV02", "off")
	env.waitForJob("reverse", "HV02", env.postConfirmed("HV02", "fred", vmReplicating, "reverse", nil), "succeeded")
	if shown := env.get("HV02", "vic", env.replicaPath(vmReplicating, "primary")).json; shown["mode"] != "primary" {
		t.Errorf("after the reverse: mode %v, state %v", shown["mode"], shown["state"])
	}
	env.waitForJob("modify settings",
		"HV02", env.postMethod("HV02", "omar", "ModifyReplicationSettings", object{"parameters": object{
			"ComputerSystem": vm, "ReplicationSettingData": object{"RecoveryHistory": 3},
		}}), "succeeded")
	env.changeAllSettings("HV02")
	env.hosts["HV02"].close() // before the COM provider stops
}
