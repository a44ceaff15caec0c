package operation

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// A relationship is given by its InstanceID alone. Any other property is refused, since the host would ignore it.
func TestRelationshipIsGivenByItsIDAlone(t *testing.T) {
	h, _ := hostOfKind("primary", 3, 3)
	const id = `"InstanceID": "Microsoft:` + vmA + `\\HVR\\0"`
	for text, want := range map[string]string{
		`{` + id + `}`:                           "",
		`{` + id + `, "ReplicationState": 8}`:    "invalid-parameter",
		`{` + id + `, "ReplicationState": null}`: "invalid-parameter",
		`{"ReplicationState": 8}`:                "invalid-parameter",
		`{}`:                                     "invalid-parameter",
	} {
		_, p := planMethod(t, h, "RequestReplicationStateChangeEx", vmA,
			`{"RequestedState": 7, "ReplicationRelationship": `+text+`}`)
		if slugOf(p) != want {
			t.Errorf("%s: got problem %+v, want %q", text, p, want)
		}
	}
}

// An interval is at least 0.
func TestIntervals(t *testing.T) {
	for text, want := range map[string]string{
		`"6h30m"`: "", `"0s"`: "", `"-1ns"`: "invalid-parameter", `"-6h"`: "invalid-parameter", `"6"`: "invalid-parameter",
		`21600`: "invalid-parameter", `""`: "invalid-parameter",
	} {
		h, _ := hostOfKind("primary", 3, 3)
		_, p := planMethod(t, h, "ModifyReplicationSettings", "", `{"ComputerSystem": "`+vmA+
			`", "ReplicationSettingData": {"AutoResynchronizeIntervalStart": `+text+`}}`)
		if slugOf(p) != want {
			t.Errorf("%s: got problem %+v, want %q", text, p, want)
		}
	}
}

// What a request for a method must have, and must not have.
func TestRequestsForMethods(t *testing.T) {
	const job = "9947DC62-9DA2-4B25-BB27-BA9A161D75A9"
	h, _ := hostOfKind("replica", 3, 3)
	h.addVM(vmB, 0, 3) // without a row of a relationship
	add(h, msvm.ReplicationServiceSettingData{InstanceID: "settings"})
	h.addVM(testVM1, 2, 3)
	h.addRelationship(testVM1, "primary", 3)
	const vm = `{"ComputerSystem": "` + vmA + `"}`
	for _, tt := range []struct {
		method, target, parameters string
		want                       string // problem of the plan or of its check
	}{
		{"CommitFailover", "", vm, "invalid-state"},
		{"CommitFailover", vmA, vm, "invalid-parameter"}, // the parameter names the VM
		{"CommitFailover", vmA, `{}`, "invalid-parameter"},
		{"CommitFailover", "", `{"ComputerSystem": "` + vmB + `"}`, "invalid-state"},
		{"CommitFailover", "", `{"ComputerSystem": "web01"}`, "not-found"},
		{"CommitFailover", "", `{"ComputerSystem": ""}`, "invalid-parameter"},
		{"ModifyServiceSettings", "", `{"SettingData": {}}`, ""},
		{"ModifyServiceSettings", vmA, `{"SettingData": {}}`, "invalid-parameter"},
		{"ModifyServiceSettings", job, `{"SettingData": {}}`, "invalid-parameter"},
		{
			"ModifyReplicationSettings", "", `{"ComputerSystem": "` + vmB + `", "ReplicationSettingData": {}}`,
			"invalid-parameter",
		},
		{"RequestReplicationStateChangeEx", vmA, `{"RequestedState": 7}`, ""},
		{"RequestReplicationStateChangeEx", vmA, `{"RequestedState": 7, "TimeoutPeriod": null}`, ""},
		{
			"RequestReplicationStateChangeEx", vmA,
			`{"RequestedState": 7, "TimeoutPeriod": "2026-11-22T13:00:00Z"}`, "invalid-parameter",
		},
		{"RequestReplicationStateChangeEx", "", `{"RequestedState": 7}`, "invalid-parameter"},
		{
			"RequestReplicationStateChangeEx", vmA, // the relationship of another VM, which is on the host
			`{"RequestedState": 7, "ReplicationRelationship": {"InstanceID": "Microsoft:` + testVM1 + `\\HVR\\0"}}`,
			"invalid-parameter",
		},
		{"Msvm_ConcreteJob.RequestStateChange", job, `{"RequestedState": 4}`, ""},
		{"Msvm_ConcreteJob.RequestStateChange", "", `{"RequestedState": 4}`, "invalid-parameter"},
		{"Msvm_ConcreteJob.RequestStateChange", "web01", `{"RequestedState": 4}`, "invalid-parameter"},
		{"Msvm_ConcreteJob.RequestStateChange", job + `" OR "a`, `{"RequestedState": 4}`, "invalid-parameter"},
		{"Msvm_ConcreteJob.RequestStateChange", job, `{"Force": true}`, "invalid-parameter"},
	} {
		plan, p := planMethod(t, h, tt.method, tt.target, tt.parameters)
		if p == nil {
			p = plan.Check(h.snapshot(t))
		}
		if slugOf(p) != tt.want {
			t.Errorf("%s of %q with %s: got problem %+v, want %q", tt.method, tt.target, tt.parameters, p, tt.want)
		}
	}
	plan, p := planMethod(t, h, "Msvm_ConcreteJob.RequestStateChange", strings.ToLower(job), `{"RequestedState": 4}`)
	if p != nil || plan.Object != `Msvm_ConcreteJob.InstanceID="`+job+`"` {
		t.Errorf("the object is %s, problem %+v", plan.Object, p)
	}
}

// Only a plan that has found a test VM deletes a VM.
func TestDeletionNeedsATestVM(t *testing.T) {
	h, _ := hostOfKind("replica", 3, 3)
	p := (&Plan{Method: msvm.Method{Name: "DestroySystem"}, VM: vmA}).Check(h.snapshot(t))
	if slugOf(p) != "invalid-state" {
		t.Errorf("got problem %+v, want invalid-state", p)
	}
}

// A result of a test belongs to the deletion of a test VM.
func TestResultOfATestBelongsToADeletion(t *testing.T) {
	h, _ := hostOfKind("replica", 3, 3)
	h.addTestVM(vmA, testVM1, 3, 3)
	for method, want := range map[string]string{"DestroySystem": "", "CommitFailover": "bad-request"} {
		m, _ := FindMethod(method)
		name := map[string]string{"DestroySystem": "AffectedSystem", "CommitFailover": "ComputerSystem"}[method]
		vm := map[string]string{"DestroySystem": testVM1, "CommitFailover": vmA}[method]
		req := &Request{TestResult: "passed", Parameters: rawParameters(t, `{"`+name+`": "`+vm+`"}`)}
		if _, p := PlanMethod(t.Context(), h, h.snapshot(t), m, req, allowAll); slugOf(p) != want {
			t.Errorf("%s: got problem %+v, want %q", method, p, want)
		}
	}
}

// A call that destroys something anyway says what, whatever else its settings destroy.
func TestSettingsDoNotHideWhatTheMethodDestroys(t *testing.T) {
	h, _ := hostOfKind("replica", 5, 3)
	plan, p := planMethod(t, h, "ReverseReplicationRelationship", "", `{"ComputerSystem": "`+vmA+
		`", "ReplicationSettingData": {"RecoveryHistory": 0}}`)
	if p != nil || plan.Destroys != "changes of the old primary that the new primary does not have" {
		t.Errorf("got %+v, problem %+v", plan, p)
	}
}
