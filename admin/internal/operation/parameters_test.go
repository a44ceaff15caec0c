package operation

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// A start time is after the time of the host, and at most seven days ahead. It can have any offset from UTC.
func TestStartTime(t *testing.T) {
	for text, want := range map[string]string{ // in the call; "" if it is refused
		`"2026-11-22T12:00:00Z"`:           "", // the time of the host
		`"2026-11-22T12:00:00.000001Z"`:    "20261122120000.000001-000",
		`"2026-11-22T12:00:01Z"`:           "20261122120001.000000-000",
		`"2026-11-22T11:59:59Z"`:           "",
		`"2026-11-29T12:00:00Z"`:           "20261129120000.000000-000",
		`"2026-11-29T12:00:00.000001Z"`:    "",
		`"2026-11-22T13:30:00+01:00"`:      "20261122123000.000000-000",
		`"2026-11-22T13:00:00+01:00"`:      "",
		`"2026-11-22T07:30:00-05:00"`:      "20261122123000.000000-000",
		`"2026-11-29T17:30:00+05:30"`:      "20261129120000.000000-000",
		`"2026-11-29T12:00:00-01:00"`:      "",
		`"2026-11-22T13:00:00"`:            "", // without an offset
		`"2026-11-23"`:                     "",
		`"20261122130000.000000+000"`:      "",
		`1795352400`:                       "",
		`""`:                               "",
		`"9999-12-31T00:00:00Z"`:           "",
		`{"at": "2026-11-22T13:00:00Z"}`:   "",
		`"2026-11-22T12:00:01+99:00"`:      "",
		`"0001-01-01T00:00:00Z"`:           "",
		`"2026-11-22T13:00:00Z\u0000"`:     "",
		`["2026-11-22T13:00:00Z"]`:         "",
		`"2026-11-24T00:00:00.123456789Z"`: "20261124000000.123456-000",
	} {
		h, _ := hostOfKind("primary", 9, 3)
		plan, p := planMethod(t, h, "Resynchronize", "", `{"ComputerSystem": "`+vmA+`", "StartTime": `+text+`}`)
		if want == "" {
			if slugOf(p) != "invalid-parameter" {
				t.Errorf("%s: got problem %+v, want invalid-parameter", text, p)
			}
			continue
		}
		if p != nil {
			t.Errorf("%s: got problem %+v", text, p)
			continue
		}
		if got := plan.Call().Text("StartTime"); got != want || !plan.Scheduled() {
			t.Errorf("%s: got %s, scheduled %v, want %s", text, got, plan.Scheduled(), want)
		}
	}
}

// The plan shows a start time in UTC.
func TestStartTimeIsShownInUTC(t *testing.T) {
	h, _ := hostOfKind("primary", 9, 3)
	plan, p := planMethod(t, h, "Resynchronize", "",
		`{"ComputerSystem": "`+vmA+`", "StartTime": "2026-11-22T13:30:00+01:00"}`)
	if p != nil {
		t.Fatal(p.Detail)
	}
	if got, _ := plan.Parameters["StartTime"].(time.Time); got.Format(time.RFC3339) != "2026-11-22T12:30:00Z" {
		t.Errorf("got %v", plan.Parameters["StartTime"])
	}
}

// An optional parameter that is null counts as absent. Null for a required parameter is refused.
func TestNullParameters(t *testing.T) {
	h, _ := hostOfKind("primary", 9, 3)
	plan, p := planMethod(t, h, "Resynchronize", "", `{"ComputerSystem": "`+vmA+`", "StartTime": null}`)
	if p != nil || valueOf(plan.Call(), "StartTime") != nil || plan.Scheduled() || len(plan.Call().In) != 2 {
		t.Errorf("StartTime is null: got %+v, problem %+v", plan, p)
	}
	if _, shown := plan.Parameters["StartTime"]; shown {
		t.Errorf("StartTime is null: the plan shows %v", plan.Parameters)
	}
	h, _ = hostOfKind("primary", 1, 3)
	for parameters, want := range map[string]string{
		`"InitialReplicationType": 1`:                                                "",
		`"InitialReplicationType": 1, "InitialReplicationExportLocation": null`:      "",
		`"InitialReplicationType": null`:                                             "invalid-parameter",
		`"StartTime": null`:                                                          "invalid-parameter",
		`"InitialReplicationType": 1, "InitialReplicationExportLocation": "D:\\IR"`:  "",
		`"InitialReplicationType": 1, "InitialReplicationExportLocation": 5`:         "invalid-parameter",
		`"InitialReplicationType": 1, "InitialReplicationExportLocation": "a\u0007"`: "invalid-parameter",
	} {
		_, p := planMethod(t, h, "StartReplication", "", `{"ComputerSystem": "`+vmA+`", `+parameters+`}`)
		if slugOf(p) != want {
			t.Errorf("%s: got problem %+v, want %q", parameters, p, want)
		}
	}
}

// InitialReplicationType is 1 to 3. 2 exports the disks to a folder, which needs the role owner. It is not possible with
// the action, because the action has no parameter for the folder.
//
// Source: MicrosoftDocs/win32, HyperV_v2, startreplication-msvm-replicationservice.md.
func TestInitialReplicationTypes(t *testing.T) {
	for text, want := range map[string]struct{ method, action, role string }{
		"0": {"invalid-parameter", "invalid-parameter", ""},
		"1": {"", "", "operator"}, "2": {"", "invalid-parameter", "owner"}, "3": {"", "", "operator"},
		"4": {"invalid-parameter", "invalid-parameter", ""}, "65535": {"invalid-parameter", "invalid-parameter", ""},
		"65537": {"invalid-parameter", "invalid-parameter", ""}, "-1": {"invalid-parameter", "invalid-parameter", ""},
		"1.5": {"invalid-parameter", "invalid-parameter", ""}, "true": {"invalid-parameter", "invalid-parameter", ""},
		`"1"`: {"invalid-parameter", "invalid-parameter", ""}, "null": {"invalid-parameter", "invalid-parameter", ""},
	} {
		h, _ := hostOfKind("primary", 1, 3)
		plan, p := planMethod(t, h, "StartReplication", "",
			`{"ComputerSystem": "`+vmA+`", "InitialReplicationType": `+text+`}`)
		if slugOf(p) != want.method || p == nil && plan.Role.String() != want.role {
			t.Errorf("method with %s: got %+v, problem %+v, want %+v", text, plan, p, want)
		}
		s := h.snapshot(t)
		req := &Request{Parameters: rawParameters(t, `{"InitialReplicationType": `+text+`}`)}
		_, p = PlanAction(t.Context(), h, s, action(t, "start-initial-replication"), find(t, s, vmA, "primary"), req)
		if slugOf(p) != want.action {
			t.Errorf("action with %s: got problem %+v, want %q", text, p, want.action)
		}
	}
}

// The types of plain parameters. Every parameter of TestReplicationConnection is of another type.
func TestPlainParameters(t *testing.T) {
	const required = `"RecoveryConnectionPoint": "hv02", "RecoveryServerPortNumber": 443, "AuthenticationType": 1`
	for _, tt := range []struct {
		parameters string
		want       []any // in the call; nil if it is refused
	}{
		{required, []any{"hv02", uint16(443), uint16(1), nil, nil}},
		{
			required + `, "CertificateThumbPrint": "AB", "BypassProxyServer": false`,
			[]any{"hv02", uint16(443), uint16(1), "AB", false},
		},
		{required + `, "CertificateThumbPrint": null, "BypassProxyServer": null`, []any{"hv02", uint16(443), uint16(1), nil, nil}},
		{required + `, "BypassProxyServer": "true"`, nil},
		{required + `, "BypassProxyServer": 1`, nil},
		{required + `, "CertificateThumbPrint": 7`, nil},
		{`"RecoveryConnectionPoint": "hv02", "RecoveryServerPortNumber": 0, "AuthenticationType": 1`, []any{"hv02", uint16(0), uint16(1), nil, nil}},
		{`"RecoveryConnectionPoint": "hv02", "RecoveryServerPortNumber": 65535, "AuthenticationType": 1`, []any{"hv02", uint16(65535), uint16(1), nil, nil}},
		{`"RecoveryConnectionPoint": "hv02", "RecoveryServerPortNumber": 65536, "AuthenticationType": 1`, nil},
		{`"RecoveryConnectionPoint": "hv02", "RecoveryServerPortNumber": -1, "AuthenticationType": 1`, nil},
		{`"RecoveryConnectionPoint": null, "RecoveryServerPortNumber": 443, "AuthenticationType": 1`, nil},
		{`"RecoveryServerPortNumber": 443, "AuthenticationType": 1`, nil},
		{`"RecoveryConnectionPoint": "a\uffff", "RecoveryServerPortNumber": 443, "AuthenticationType": 1`, nil},
	} {
		plan, p := planMethod(t, newFakeHost(), "TestReplicationConnection", "", `{`+tt.parameters+`}`)
		if tt.want == nil {
			if slugOf(p) != "invalid-parameter" {
				t.Errorf("%s: got problem %+v, want invalid-parameter", tt.parameters, p)
			}
			continue
		}
		if p != nil {
			t.Errorf("%s: got problem %+v", tt.parameters, p)
			continue
		}
		var got []any
		for _, in := range plan.Call().In {
			got = append(got, in.Value)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %#v, want %#v", tt.parameters, got, tt.want)
		}
	}
}

// The action test-connection tests the connection in the settings of the relationship.
func TestConnectionOfTheRelationship(t *testing.T) {
	h, _ := hostOfKind("primary", 3, 3)
	s := h.snapshot(t)
	plan, p := PlanAction(t.Context(), h, s, action(t, "test-connection"), find(t, s, vmA, "primary"), &Request{})
	if p != nil {
		t.Fatal(p.Detail)
	}
	want := []any{"hv02.contoso.com", uint16(443), uint16(2), "ABCD", true}
	for i, in := range plan.Call().In {
		if in.Value != want[i] {
			t.Errorf("%s is %v, want %v", in.Name, in.Value, want[i])
		}
	}
	h.show([]msvm.ReplicationSettingData{})
	s = h.snapshot(t)
	_, p = PlanAction(t.Context(), h, s, action(t, "test-connection"), find(t, s, vmA, "primary"), &Request{})
	if slugOf(p) != "invalid-parameter" {
		t.Errorf("without settings: got problem %+v", p)
	}
}

// A VM can be given by its GUID or its object path, in any case. The call has the GUID in upper case.
func TestVMCanBeGivenInAnyForm(t *testing.T) {
	lower := strings.ToLower(vmA)
	const path = `Msvm_ComputerSystem.CreationClassName=\"Msvm_ComputerSystem\",Name=\"` + vmA + `\"`
	lowerPath := `msvm_computersystem.CreationClassName=\"msvm_computersystem\",Name=\"` + lower + `\"`
	for text, want := range map[string]string{
		vmA: "", lower: "", path: "", lowerPath: "", `\\\\HV01\\root\\virtualization\\v2:` + path: "",
		"vm 4708": "not-found", "": "not-found", vmB: "not-found", path + " ": "not-found",
		vmA + "0": "not-found", `Msvm_ComputerSystem.Name=\"` + vmA + `\"`: "not-found",
	} {
		h, _ := hostOfKind("replica", 5, 3)
		plan, p := planMethod(t, h, "CommitFailover", "", `{"ComputerSystem": "`+text+`"}`)
		if want != "" {
			if slugOf(p) == "" {
				t.Errorf("%s: got %+v, want a problem", text, plan)
			}
			continue
		}
		if p != nil || plan.VM != vmA || plan.LockVM != vmA || plan.Target == nil ||
			!strings.Contains(plan.Call().Text("ComputerSystem"), vmA) {
			t.Errorf("%s: got %+v, problem %+v", text, plan, p)
		}
	}
}
