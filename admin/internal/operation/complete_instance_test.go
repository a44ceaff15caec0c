package operation

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// later is the property of the fake host that no struct has. Its value has a character that XML does not allow.
const later = `<PROPERTY NAME="Later" TYPE="string"><VALUE>kept &#1;</VALUE></PROPERTY></INSTANCE>`

// An instance that the host has is sent back with all properties, also those that this program does not know. Those that
// do not change are as the host has written them.
func TestInstancesAreSentComplete(t *testing.T) {
	h := newFakeHost()
	h.addVM(vmA, 2, 3)
	h.addRelationship(vmA, "primary", 5)
	h.addVM(vmB, 1, 3)
	h.addRelationship(vmB, "primary", 3)
	add(h, msvm.ReplicationServiceSettingData{InstanceID: "settings", HttpPort: new(uint16(80))})
	add(h, msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("hv01.contoso.com")})
	vm := `"ComputerSystem": "` + vmA + `"`
	for _, tt := range []struct{ method, parameters, parameter, want string }{
		{
			"ModifyReplicationSettings",
			`{"ComputerSystem": "` + vmB + `", "ReplicationSettingData": {"RecoveryHistory": 7}}`,
			"ReplicationSettingData", `<PROPERTY NAME="RecoveryHistory" TYPE="uint16"><VALUE>7</VALUE></PROPERTY>`,
		},
		{
			"ReverseReplicationRelationship", `{` + vm + `, "ReplicationSettingData": {}}`, "ReplicationSettingData",
			`<PROPERTY NAME="RecoveryConnectionPoint" TYPE="string"><VALUE>hv01.contoso.com</VALUE></PROPERTY>`,
		},
		{
			"ModifyServiceSettings", `{"SettingData": {"HttpPort": null}}`, "SettingData",
			`<PROPERTY NAME="HttpPort" TYPE="uint16"></PROPERTY>`,
		},
		{
			"ModifyAuthorizationEntry",
			`{"AuthorizationEntry": {"AllowedPrimaryHostSystem": "hv01.contoso.com", "TrustGroup": "x"}}`,
			"AuthorizationEntry", `<PROPERTY NAME="TrustGroup" TYPE="string"><VALUE>x</VALUE></PROPERTY>`,
		},
	} {
		plan, p := planMethod(t, h, tt.method, "", tt.parameters)
		if p != nil {
			t.Errorf("%s: got problem %+v", tt.method, p)
			continue
		}
		if text := plan.Call().Text(tt.parameter); !strings.Contains(text, tt.want) || !strings.HasSuffix(text, later) {
			t.Errorf("%s: the call has\n%s\nwant it to have\n%s\nand\n%s", tt.method, text, tt.want, later)
		}
	}
	plan, p := planMethod(t, h, "ModifyReplicationSettings", "",
		`{"ComputerSystem": "`+vmB+`", "ReplicationSettingData": {"RecoveryHistory": 7}}`)
	const unchanged = `<PROPERTY NAME="BypassProxyServer" TYPE="boolean"><VALUE>true</VALUE></PROPERTY>`
	if p != nil || !strings.Contains(plan.Call().Text("ReplicationSettingData"), unchanged) {
		t.Errorf("got %+v, problem %+v, want %s", plan, p, unchanged)
	}
	s := h.snapshot(t)
	plan, p = PlanAction(t.Context(), h, s, action(t, "reverse"), find(t, s, vmA, "primary"), &Request{})
	if p != nil || !strings.HasSuffix(plan.Call().Text("ReplicationSettingData"), later) {
		t.Errorf("reverse: got %+v, problem %+v", plan, p)
	}
}

// What a change destroys follows from the instance whose text is sent, not from one that was read before it.
func TestPlanAndCallUseTheSameInstance(t *testing.T) {
	h := newFakeHost()
	h.addVM(vmA, 1, 3)
	h.addRelationship(vmA, "primary", 3)
	s := h.snapshot(t)
	rows := append([]msvm.ReplicationSettingData{}, s.settings.all...)
	rows[0].RecoveryHistory, rows[0].BypassProxyServer = new(uint16(24)), new(false)
	h.show(rows) // somebody changes the settings: 4 recovery points become 24
	m, p := FindMethod("ModifyReplicationSettings")
	if p != nil {
		t.Fatal(p.Detail)
	}
	plan, p := PlanMethod(t.Context(), h, s, m, &Request{Parameters: rawParameters(t,
		`{"ComputerSystem": "`+vmA+`", "ReplicationSettingData": {"RecoveryHistory": 10}}`)}, allowAll)
	if p != nil || plan.Destroys == "" {
		t.Fatalf("got %+v, problem %+v; fewer recovery points destroy something", plan, p)
	}
	const unchanged = `<PROPERTY NAME="BypassProxyServer" TYPE="boolean"><VALUE>FALSE</VALUE></PROPERTY>`
	if text := plan.Call().Text("ReplicationSettingData"); !strings.Contains(text, unchanged) {
		t.Errorf("the call has %s, want %s", text, unchanged)
	}
}

// Without the host's own text no settings are changed.
func TestFailedReadOfTextsStopsChange(t *testing.T) {
	for class, tt := range map[string]struct{ method, parameters string }{
		"Msvm_ReplicationServiceSettingData": {"ModifyServiceSettings", `{"SettingData": {}}`},
		"Msvm_ReplicationSettingData": {
			"ModifyReplicationSettings", `{"ComputerSystem": "` + vmA + `", "ReplicationSettingData": {}}`,
		},
	} {
		h := newFakeHost()
		h.addVM(vmA, 1, 3)
		h.addRelationship(vmA, "primary", 3)
		s := h.snapshot(t)
		h.failing[class] = wmiquery.ErrTimeout
		m, p := FindMethod(tt.method)
		if p != nil {
			t.Fatal(p.Detail)
		}
		_, p = PlanMethod(t.Context(), h, s, m, &Request{Parameters: rawParameters(t, tt.parameters)}, allowAll)
		if slugOf(p) != "host-timeout" {
			t.Errorf("%s: got problem %+v", tt.method, p)
		}
	}
}
