package admin

import (
	"maps"
	"reflect"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// The view of a relationship has its settings by the names of the class. Null properties are left out, and a value of
// the view is valid in a request.
func TestSettingsOfAReplica(t *testing.T) {
	env := newTestEnv(t)
	id := `Microsoft:` + env.vms[vmReplicating] + `\HVR\0`
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ReplicationSettingData); ok {
			for i := range *rows {
				if s := &(*rows)[i]; s.InstanceID == id {
					s.RecoveryServerPortNumber, s.RootCertificateThumbPrint = new(uint16(8080)), new("B2")
					s.EnableWriteOrderPreservationAcrossDisks, s.CertificateThumbPrint = new(true), nil
				}
			}
		}
	}
	settings := env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")).json["settings"].(object)
	for name, want := range map[string]any{
		"InstanceID": id, "RecoveryServerPortNumber": 8080.0, "RootCertificateThumbPrint": "B2",
		"EnableWriteOrderPreservationAcrossDisks": true, "AutoResynchronizeIntervalStart": "18h30m0s",
	} {
		if settings[name] != want {
			t.Errorf("%s is %v, want %v", name, settings[name], want)
		}
	}
	if value, there := settings["CertificateThumbPrint"]; there {
		t.Errorf("CertificateThumbPrint is %v, want none", value)
	}
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ReplicationSettingData); ok {
			*rows = nil
		}
	}
	without := env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")).json["settings"]
	if !reflect.DeepEqual(without, object{}) {
		t.Errorf("without settings: got %v", without)
	}
}

// The authorization entries of the host have their storage locations. A caller whose rules are for some VMs cannot see
// them, and a host that cannot be read is a problem.
func TestListOfAuthorizationEntries(t *testing.T) {
	env := newTestEnv(t)
	list := env.get("HV01", "vic", apiAuthorization)
	env.want("list", list, 200, "")
	want := []object{
		{"AllowedPrimaryHostSystem": "HV02.contoso.com", "ReplicaStorageLocation": `D:\Replica\HV02`, "TrustGroup": "Production"},
		{
			"AllowedPrimaryHostSystem": "*.branch.contoso.com", "ReplicaStorageLocation": `E:\Replica\Branches`,
			"TrustGroup": "Branches",
		},
	}
	entries := list.json["entries"].([]any)
	for i, entry := range entries {
		if i >= len(want) || !maps.Equal(entry.(object), want[i]) {
			t.Errorf("entry %d is %v, want %v", i, entry, want)
		}
	}
	if len(entries) != len(want) {
		t.Errorf("%d entries, want %d", len(entries), len(want))
	}
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ReplicationAuthorizationSettingData); ok {
			*rows = []msvm.ReplicationAuthorizationSettingData{{AllowedPrimaryHostSystem: new("*")}}
		}
	}
	wantJSON(t, "nulls", env.get("HV01", "vic", apiAuthorization).json, `{"entries":[{"AllowedPrimaryHostSystem":"*"}]}`)
	env.setFaults("class-missing=Msvm_ReplicationAuthorizationSettingData")
	env.want("missing class", env.get("HV01", "vic", apiAuthorization), 501, "not-supported")
	env.setFaults("denied")
	env.want("no rights", env.get("HV01", "vic", apiAuthorization), 403, "access-denied")
	env.writePolicy("rules:\n  - {users: [vic], role: viewer, vms: \".*\"}\n" +
		"  - {users: [omar], role: owner, destructive: true, vms: all, host: true}\n")
	env.want("reload", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	env.want("viewer of VMs", env.get("HV01", "vic", apiAuthorization), 403, "forbidden")
}
