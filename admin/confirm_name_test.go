package admin

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// blankNames are names that identify nothing: null, the empty text, and text without a visible character.
func blankNames() map[string]*string {
	return map[string]*string{"null": nil, "empty": new(""), "blank": new(" \t")}
}

// A VM whose name is unknown is confirmed by its GUID. Neither a blank name nor a missing vm_name confirms it.
func TestBlankVMNameConfirmsNothing(t *testing.T) {
	for what, name := range blankNames() {
		env := newTestEnv(t)
		env.hosts["HV02"].pool.onRead = func(dst any) {
			if rows, ok := dst.(*[]msvm.ComputerSystem); ok {
				for i := range *rows {
					(*rows)[i].ElementName = name
				}
			}
		}
		vm := env.vms[vmReplicating]
		first := env.postAction("HV02", "omar", vmReplicating, "primary", "remove", nil)
		env.want(what+", first request", first, 409, "confirmation-required")
		wantDetail(t, what, first, "vm_name (the GUID of the VM "+vm+"; its name is unknown)")
		second := env.confirmation("HV02", vmReplicating, first, nil)
		for _, given := range []any{nil, "", " \t", "null", "HV02", env.vms[vmInbound], vm + " ", " \t" + vm} {
			second["vm_name"] = given
			r := env.postAction("HV02", "omar", vmReplicating, "primary", "remove", second)
			env.want(what+", wrong vm_name", r, 409, "confirmation-invalid")
			wantDetail(t, what, r, "vm_name is not the GUID of the VM "+vm)
		}
		delete(second, "vm_name")
		env.want(what+", without vm_name",
			env.postAction("HV02", "omar", vmReplicating, "primary", "remove", second), 409, "confirmation-invalid")
		if n := env.hosts["HV02"].pool.callCount(); n > 0 {
			t.Errorf("%s: %d calls, want 0", what, n)
		}
		second["vm_name"] = strings.ToLower(vm) // the case of a GUID does not matter
		env.want(what+", GUID", env.postAction("HV02", "omar", vmReplicating, "primary", "remove", second), 202, "")
	}
}

// The GUID does not replace a name that is known.
func TestGUIDDoesNotReplaceAKnownName(t *testing.T) {
	env := newTestEnv(t)
	first := env.postAction("HV02", "omar", vmReplicating, "primary", "remove", nil)
	second := env.confirmation("HV02", vmReplicating, first, object{"vm_name": env.vms[vmReplicating]})
	env.want("GUID", env.postAction("HV02", "omar", vmReplicating, "primary", "remove", second),
		409, "confirmation-invalid")
}

// A test VM whose name is unknown is deleted after a confirmation by its own GUID, not by that of its replica. The
// clean-up of a test failover names the replica.
func TestBlankNameOfATestVM(t *testing.T) {
	for what, name := range blankNames() {
		env := newTestEnv(t)
		test, replica := env.testVMOf("HV01", vmWithTestVM), env.vms[vmWithTestVM]
		env.hosts["HV01"].pool.onRead = func(dst any) {
			if rows, ok := dst.(*[]msvm.ComputerSystem); ok {
				for i := range *rows {
					(*rows)[i].ElementName = name
				}
			}
		}
		cleanup := env.postAction("HV01", "omar", vmWithTestVM, "primary", "cleanup-test-failover", nil)
		env.want(what, cleanup, 409, "confirmation-required")
		wantDetail(t, what, cleanup, "the GUID of the replica "+replica+", which is kept; its name is unknown")
		payload := object{"parameters": object{"AffectedSystem": test}}
		first := env.postMethod("HV01", "omar", "DestroySystem", payload)
		env.want(what, first, 409, "confirmation-required")
		wantDetail(t, what, first, "the GUID of the test VM "+test+", which is deleted; its name is unknown")
		second := env.confirmation("HV01", vmWithTestVM, first, payload)
		for _, wrong := range []string{"", " \t", replica} {
			second["vm_name"] = wrong
			env.want(what+", wrong vm_name", env.postMethod("HV01", "omar", "DestroySystem", second),
				409, "confirmation-invalid")
		}
		second["vm_name"] = test
		env.want(what+", GUID", env.postMethod("HV01", "omar", "DestroySystem", second), 202, "")
	}
}

// Nothing can be confirmed on a host that does not show its own name. What destroys nothing needs no name.
func TestBlankHostNameConfirmsNothing(t *testing.T) {
	for what, name := range blankNames() {
		if name == nil {
			continue // a key property is never null
		}
		env := newTestEnv(t)
		env.hosts["HV01"].pool.onRead = func(dst any) {
			if rows, ok := dst.(*[]msvm.ReplicationService); ok {
				for i := range *rows {
					(*rows)[i].SystemName = *name
				}
			}
		}
		payload := object{"parameters": object{"SettingData": object{"RecoveryServerEnabled": false}}}
		r := env.postMethod("HV01", "omar", "ModifyServiceSettings", payload)
		env.want(what, r, 409, "invalid-state")
		wantDetail(t, what, r, "the name of this host is unknown")
		for _, given := range []string{"", *name, "HV01"} {
			env.want(what+", confirmation", env.postMethod("HV01", "omar", "ModifyServiceSettings",
				env.confirmation("HV01", vmReplicating, r, object{
					"vm_name": given, "confirmation_token": "x", "parameters": payload["parameters"],
				})), 409, "invalid-state")
		}
		if n := env.hosts["HV01"].pool.callCount(); n > 0 {
			t.Errorf("%s: %d calls, want 0", what, n)
		}
	}
}

// wantDetail checks that the detail of a problem contains a text.
func wantDetail(t *testing.T, what string, r response, text string) {
	t.Helper()
	if detail, _ := r.json["detail"].(string); !strings.Contains(detail, text) {
		t.Errorf("%s: the detail is %q, want it to contain %q", what, detail, text)
	}
}
