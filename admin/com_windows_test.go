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
	l := newLabThrough(t, []string{"HV02"}, func(t *testing.T, open func() (wmiquery.Session, error)) func() (wmiquery.Session, error) {
		fakewmi.Serve(t, &fakewmi.Host{Open: open, Objects: objects})
		return wmiquery.OpenCOM
	})
	vm := l.vms[healthy]
	l.want("a viewer", l.act("HV02", "vic", healthy, "primary", "suspend", nil), http.StatusForbidden, "forbidden")
	l.finish("suspend", "HV02", l.act("HV02", "tim", healthy, "primary", "suspend", m{"expected_state": "replicating"}), "succeeded")
	l.finish("resume", "HV02", l.act("HV02", "tim", healthy, "primary", "resume", nil), "succeeded")
	l.want("resume again", l.act("HV02", "tim", healthy, "primary", "resume", nil), http.StatusConflict, "invalid-state")
	done := l.finish("test failover", "HV02", l.act("HV02", "olga", healthy, "primary", "test-failover", nil), "succeeded")
	if test, _ := done.json["test_vm_id"].(string); !msvm.IsGUID(test) {
		t.Errorf("the test VM is %q", test)
	}
	l.finish("cleanup", "HV02", l.confirmed("HV02", "olga", healthy, "cleanup-test-failover", nil), "succeeded")
	if err := l.world.SetPower(vm, "HV01", false); err != nil { // a reverse needs the old primary off
		t.Fatal(err)
	}
	l.finish("failover", "HV02", l.confirmed("HV02", "fred", healthy, "failover", nil), "succeeded")
	l.finish("reverse", "HV02", l.confirmed("HV02", "fred", healthy, "reverse", nil), "succeeded")
	if shown := l.get("HV02", "vic", l.replica(healthy, "primary")).json; shown["mode"] != "primary" {
		t.Errorf("after the reverse it is %v %v", shown["mode"], shown["state"])
	}
	l.finish("settings", "HV02", l.method("HV02", "omar", "ModifyReplicationSettings", m{"parameters": m{
		"ComputerSystem": vm, "ReplicationSettingData": m{"RecoveryHistory": 3},
	}}), "succeeded")
	l.hosts["HV02"].close() // before COM goes
}
