package operation

import (
	"encoding/json"
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

func allowAll(authz.Attributes) *problem.Problem { return nil }

// planMethod plans a call of a method. The parameters are JSON.
func planMethod(t *testing.T, h *fakeHost, name, target, parameters string) (*Plan, *problem.Problem) {
	t.Helper()
	m, p := FindMethod(name)
	if p != nil {
		t.Fatal(p.Detail)
	}
	req := &Request{Target: target}
	if parameters != "" {
		if err := json.Unmarshal([]byte(parameters), &req.Parameters); err != nil {
			t.Fatalf("%v in %s", err, parameters)
		}
	}
	return PlanMethod(t.Context(), h, h.snapshot(t), m, req, allowAll)
}

// A change of the settings of a relationship needs a confirmation if the host deletes recovery points or disks of the
// replica because of it.
func TestSettingsThatDestroySomething(t *testing.T) {
	const points, disks = "the recovery points that exceed the new history", "the replica of the disks that are removed"
	const elsewhere = "the confidentiality of the data, which is sent to another server or in another way"
	for _, tt := range []struct {
		history *uint16 // on the host
		change  string
		want    string
	}{
		{new(uint16(24)), `{"RecoveryHistory": 24}`, ""},
		{new(uint16(24)), `{"RecoveryHistory": 23}`, points},
		{new(uint16(24)), `{"RecoveryHistory": 1}`, points},
		{new(uint16(24)), `{"RecoveryHistory": 0}`, points},
		{new(uint16(24)), `{"RecoveryHistory": null}`, points},
		{new(uint16(1)), `{"RecoveryHistory": 0}`, points},
		{new(uint16(1)), `{"RecoveryHistory": 2}`, ""},
		{new(uint16(0)), `{"RecoveryHistory": 0}`, ""},
		{new(uint16(0)), `{"RecoveryHistory": 24}`, ""},
		{nil, `{"RecoveryHistory": 0}`, ""},
		{nil, `{"RecoveryHistory": 5}`, ""},
		{new(uint16(24)), `{}`, ""},
		{new(uint16(24)), `{"CompressionEnabled": false, "AutoResynchronizeEnabled": false}`, ""},
		{new(uint16(24)), `{"ApplicationConsistentSnapshotInterval": 0, "ReplicationInterval": 900}`, ""},

		{new(uint16(0)), `{"IncludedDisks": ["disk 1", "disk 2"]}`, ""},
		{new(uint16(0)), `{"IncludedDisks": ["disk 2", "disk 1"]}`, ""},
		{new(uint16(0)), `{"IncludedDisks": ["disk 1", "disk 2", "disk 3"]}`, ""},
		{new(uint16(0)), `{"IncludedDisks": ["disk 1"]}`, disks},
		{new(uint16(0)), `{"IncludedDisks": ["disk 2"]}`, disks},
		{new(uint16(0)), `{"IncludedDisks": ["disk 1", "disk 3"]}`, disks},
		{new(uint16(0)), `{"IncludedDisks": []}`, disks},
		{new(uint16(0)), `{"IncludedDisks": null}`, disks},
		{new(uint16(4)), `{"IncludedDisks": ["disk 1", "disk 2"], "RecoveryHistory": 3}`, points},
		{new(uint16(4)), `{"IncludedDisks": ["disk 1"], "RecoveryHistory": 3}`, points + ", and " + disks},

		{nil, `{"RecoveryConnectionPoint": "evil.example"}`, elsewhere},
		{nil, `{"RecoveryConnectionPoint": null}`, elsewhere},
		{nil, `{"RecoveryHostSystem": "evil.example"}`, elsewhere},
		{nil, `{"RecoveryServerPortNumber": 8080}`, elsewhere},
		{nil, `{"AuthenticationType": 1}`, elsewhere},
		{nil, `{"CertificateThumbPrint": "AB"}`, elsewhere},
		{nil, `{"BypassProxyServer": false}`, elsewhere},
		{nil, `{"ReplicationProvider": "x"}`, elsewhere},
		{nil, `{"RecoveryConnectionPoint": "HV02.contoso.com", "CertificateThumbPrint": "abcd"}`, ""},
		{nil, `{"RecoveryServerPortNumber": 443, "AuthenticationType": 2, "BypassProxyServer": true}`, ""},
		{new(uint16(4)), `{"RecoveryHistory": 3, "RecoveryServerPortNumber": 8080}`, points + ", and " + elsewhere},
	} {
		h := newFakeHost()
		h.addVM(vmA, 1, 3)
		h.addRelationship(vmA, "primary", 3)
		rows := h.snapshot(t).settings.all
		rows[0].RecoveryHistory = tt.history
		h.show(rows)
		plan, p := planMethod(t, h, "ModifyReplicationSettings", "",
			`{"ComputerSystem": "`+vmA+`", "ReplicationSettingData": `+tt.change+`}`)
		if p != nil || plan.Destroys != tt.want {
			t.Errorf("%s: got %+v, problem %+v, want %q", tt.change, plan, p, tt.want)
			continue
		}
		if got := plan.Attributes().Destroys; got != (tt.want != "") {
			t.Errorf("%s: the policy is asked about a destructive call: %v", tt.change, got)
		}
		if plan.ConfirmName != "vm 4708" {
			t.Errorf("%s: the name to confirm is %q", tt.change, plan.ConfirmName)
		}
	}
}

// A host that no longer accepts replication ends the inbound replication of all VMs. A host that begins to accept it, or
// accepts it in another way, gives up the limits that it had.
func TestServiceSettingsThatDestroySomething(t *testing.T) {
	const inbound = "the inbound replication of all VMs that replicate to this host"
	const limits = "the present limits on how other servers replicate to this host"
	for _, tt := range []struct {
		enabled *bool // on the host
		change  string
		want    string
	}{
		{new(true), `{"RecoveryServerEnabled": false}`, inbound},
		{new(true), `{"RecoveryServerEnabled": null}`, inbound},
		{new(true), `{"RecoveryServerEnabled": true}`, ""},
		{new(true), `{"MonitoringInterval": 3600}`, ""},
		{new(false), `{"RecoveryServerEnabled": false}`, ""},
		{new(false), `{"RecoveryServerEnabled": true}`, limits},
		{new(false), `{"HttpPort": 8080, "HttpsPort": 8443, "AllowedAuthenticationType": 1}`, ""},
		{new(true), `{"HttpPort": 80}`, ""},
		{new(true), `{"HttpPort": 8080}`, limits},
		{new(true), `{"HttpsPort": 443}`, limits},
		{new(true), `{"AllowedAuthenticationType": 3}`, limits},
		{new(true), `{"CertificateThumbPrint": "AB"}`, limits},
		{new(true), `{"HttpPort": 8080, "RecoveryServerEnabled": false}`, inbound},
		{nil, `{"RecoveryServerEnabled": false}`, ""},
		{nil, `{"MonitoringInterval": 3600}`, ""},
	} {
		h := newFakeHost()
		add(h, msvm.ReplicationServiceSettingData{
			InstanceID: "settings", RecoveryServerEnabled: tt.enabled, HttpPort: new(uint16(80)),
		})
		plan, p := planMethod(t, h, "ModifyServiceSettings", "", `{"SettingData": `+tt.change+`}`)
		if p != nil || plan.Destroys != tt.want {
			t.Errorf("%s: got %+v, problem %+v, want %q", tt.change, plan, p, tt.want)
			continue
		}
		if plan.ConfirmName != "HV01" || plan.Subject() != "this host" {
			t.Errorf("%s: the name to confirm is %q, the subject %q", tt.change, plan.ConfirmName, plan.Subject())
		}
		text := plan.Call().Text("SettingData")
		if !strings.Contains(tt.change, "HttpPort") && !strings.Contains(text, `<VALUE>80</VALUE>`) {
			t.Errorf("%s: the call does not have the port of the host: %s", tt.change, text)
		}
	}
}

// Without exactly one instance of the host's settings nothing can be changed.
func TestMissingSettingsCannotBeChanged(t *testing.T) {
	h := newFakeHost()
	if _, p := planMethod(t, h, "ModifyServiceSettings", "", `{"SettingData": {}}`); slugOf(p) != "invalid-parameter" {
		t.Errorf("no settings of the host: got problem %+v", p)
	}
	h.show(make([]msvm.ReplicationServiceSettingData, 2))
	if _, p := planMethod(t, h, "ModifyServiceSettings", "", `{"SettingData": {}}`); slugOf(p) != "invalid-parameter" {
		t.Errorf("two instances of settings: got problem %+v", p)
	}
	h.addVM(vmA, 1, 3)
	h.addRelationship(vmA, "primary", 3)
	h.show([]msvm.ReplicationSettingData{})
	_, p := planMethod(t, h, "ModifyReplicationSettings", "",
		`{"ComputerSystem": "`+vmA+`", "ReplicationSettingData": {"RecoveryHistory": 4}}`)
	if slugOf(p) != "invalid-parameter" {
		t.Errorf("no settings of the relationship: got problem %+v", p)
	}
}

// The InstanceID decides which object the host changes, so a request cannot give another one.
func TestInstanceIDCannotBeChanged(t *testing.T) {
	h := newFakeHost()
	h.addVM(vmA, 1, 3)
	h.addVM(vmB, 1, 3)
	h.addRelationship(vmA, "primary", 3)
	h.addRelationship(vmB, "primary", 3)
	for id, want := range map[string]string{
		`Microsoft:` + vmA + `\\HVR\\0`: "", `Microsoft:` + vmB + `\\HVR\\0`: "invalid-parameter", "": "invalid-parameter",
	} {
		_, p := planMethod(t, h, "ModifyReplicationSettings", "",
			`{"ComputerSystem": "`+vmA+`", "ReplicationSettingData": {"InstanceID": "`+id+`"}}`)
		if slugOf(p) != want {
			t.Errorf("InstanceID %s: got problem %+v, want %q", id, p, want)
		}
	}
}

// An authorization entry is found regardless of case. Only a new one can be added, only an existing one changed.
func TestAuthorizationEntries(t *testing.T) {
	h := newFakeHost()
	add(h, msvm.ReplicationAuthorizationSettingData{
		AllowedPrimaryHostSystem: new("hv01.contoso.com"), ReplicaStorageLocation: new(`D:\One`), TrustGroup: new("one"),
	})
	add(h, msvm.ReplicationAuthorizationSettingData{
		AllowedPrimaryHostSystem: new("hv02.contoso.com"), ReplicaStorageLocation: new(`D:\Two`), TrustGroup: new("two"),
	})
	for _, tt := range []struct{ method, entry, want, text string }{
		{"AddAuthorizationEntry", `{"AllowedPrimaryHostSystem": "hv03.contoso.com"}`, "", "hv03.contoso.com"},
		{"AddAuthorizationEntry", `{"AllowedPrimaryHostSystem": "HV02.contoso.com"}`, "invalid-state", ""},
		{"ModifyAuthorizationEntry", `{"AllowedPrimaryHostSystem": "HV02.contoso.com"}`, "", `D:\Two`},
		{"ModifyAuthorizationEntry", `{"AllowedPrimaryHostSystem": "hv01.contoso.com", "TrustGroup": "x"}`, "", `D:\One`},
		{"ModifyAuthorizationEntry", `{"AllowedPrimaryHostSystem": "hv03.contoso.com"}`, "not-found", ""},
		{"ModifyAuthorizationEntry", `{"AllowedPrimaryHostSystem": ""}`, "invalid-parameter", ""},
		{"ModifyAuthorizationEntry", `{"AllowedPrimaryHostSystem": null}`, "invalid-parameter", ""},
		{"ModifyAuthorizationEntry", `{"allowedPrimaryHostSystem": "hv01.contoso.com"}`, "invalid-parameter", ""},
	} {
		plan, p := planMethod(t, h, tt.method, "", `{"AuthorizationEntry": `+tt.entry+`}`)
		if slugOf(p) != tt.want {
			t.Errorf("%s %s: got problem %+v, want %q", tt.method, tt.entry, p, tt.want)
		}
		if tt.want != "" {
			continue
		}
		if text := string(valueOf(plan.Call(), "AuthorizationEntry").(wmiquery.Embedded)); !strings.Contains(text, tt.text) {
			t.Errorf("%s %s: the call has %s", tt.method, tt.entry, text)
		}
	}
}
