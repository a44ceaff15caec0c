package admin

import (
	"net/http"
	"testing"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The endpoint acts through COM as it does on a host that is called directly: pause,
// resume, a test and its cleanup, a planned failover and the way back.
func TestOverCOM(t *testing.T) {
	for name, objects := range map[string]bool{"embedded instances as text": false, "embedded instances as objects": true} {
		t.Run(name, func(t *testing.T) { drillOverCOM(t, objects) })
	}
}

func drillOverCOM(t *testing.T, objects bool) {
	env := newTestEnvVia(t, []string{"HV02"}, func(t *testing.T, open func() (wmiquery.Session, error)) func() (wmiquery.Session, error) {
		fakewmi.Serve(t, &fakewmi.Host{Open: open, Objects: objects})
		return wmiquery.OpenCOM
	})
	vm := env.vms[vmReplicating]
	env.want("a viewer", env.act("HV02", "vic", vmReplicating, "primary", "suspend", nil), http.StatusForbidden, "forbidden")
	env.finish("suspend", "HV02", env.act("HV02", "tim", vmReplicating, "primary", "suspend", object{"expected_state": "replicating"}), "succeeded")
	env.finish("resume", "HV02", env.act("HV02", "tim", vmReplicating, "primary", "resume", nil), "succeeded")
	env.want("resume again", env.act("HV02", "tim", vmReplicating, "primary", "resume", nil), http.StatusConflict, "invalid-state")
	done := env.finish("test failover", "HV02", env.act("HV02", "olga", vmReplicating, "primary", "test-failover", nil), "succeeded")
	if test, _ := done.json["test_vm_id"].(string); !msvm.IsGUID(test) {
		t.Errorf("the test VM is %q", test)
	}
	env.finish("cleanup", "HV02", env.confirmed("HV02", "olga", vmReplicating, "cleanup-test-failover", nil), "succeeded")
	if err := env.world.SetPower(vm, "HV01", false); err != nil { // a reverse needs the old primary off
		t.Fatal(err)
	}
	env.finish("failover", "HV02", env.confirmed("HV02", "fred", vmReplicating, "failover", nil), "succeeded")
	env.finish("reverse", "HV02", env.confirmed("HV02", "fred", vmReplicating, "reverse", nil), "succeeded")
	if shown := env.get("HV02", "vic", env.replica(vmReplicating, "primary")).json; shown["mode"] != "primary" {
		t.Errorf("after the reverse it is %v %v", shown["mode"], shown["state"])
	}
	env.finish("settings", "HV02", env.method("HV02", "omar", "ModifyReplicationSettings", object{"parameters": object{
		"ComputerSystem": vm, "ReplicationSettingData": object{"RecoveryHistory": 3},
	}}), "succeeded")
	env.hosts["HV02"].close() // before COM goes
}
