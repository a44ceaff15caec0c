package operation

import (
	"testing"
)

// A call of a method needs the role of the action that does the same. If the action does not have a parameter of the
// call, or if there is no such action, the call needs the role owner.
func TestRolesOfMethods(t *testing.T) {
	const vm = `"ComputerSystem": "` + vmA + `"`
	const settings = `, "ReplicationSettingData": {}`
	for _, tt := range []struct {
		method, target, kind string
		state                uint16
		parameters           string
		role, action         string
	}{
		{"CommitFailover", "", "replica", 5, vm, "failover", "commit-failover"},
		{"InitiateFailover", "", "replica", 3, vm, "failover", "failover"},
		{"RevertFailover", "", "replica", 5, vm, "failover", "cancel-failover"},
		{"TestReplicaSystem", "", "replica", 3, vm, "operator", "test-failover"},
		{"Resynchronize", "", "primary", 9, vm, "operator", "resynchronize"},
		{"ReverseReplicationRelationship", "", "replica", 5, vm + settings, "owner", "reverse"},
		{"RemoveReplicationRelationship", "", "primary", 3, vm, "owner", "remove"},
		{"ResetReplicationStatistics", "", "primary", 3, vm, "operator", "reset-statistics"},
		{"GetReplicationStatistics", "", "primary", 3, vm, "viewer", "GetReplicationStatistics"},
		{"InitiateFailback", "", "replica", 5, vm + settings, "owner", "InitiateFailback"},
		{"ModifyReplicationSettings", "", "primary", 3, vm + settings, "owner", "ModifyReplicationSettings"},
		{"CreateReplicationRelationship", "", "none", 0, vm + settings, "owner", "CreateReplicationRelationship"},
		{"StartReplication", "", "primary", 1, vm + `, "InitialReplicationType": 1`, "operator", "start-initial-replication"},
		{"StartReplication", "", "primary", 1, vm + `, "InitialReplicationType": 2`, "owner", "start-initial-replication"},
		{
			"StartReplication", "", "primary", 1, vm + `, "InitialReplicationType": 1, "InitialReplicationExportLocation": "D:"`,
			"owner", "start-initial-replication",
		},
		{"RequestReplicationStateChangeEx", vmA, "primary", 3, `"RequestedState": 7`, "operator", "suspend"},
		{"RequestReplicationStateChangeEx", vmA, "primary", 7, `"RequestedState": 3`, "operator", "resume"},
		{"RequestReplicationStateChangeEx", vmA, "primary", 3, `"RequestedState": 4`, "failover", "prepare-failover"},
		{"RequestReplicationStateChangeEx", vmA, "primary", 10, `"RequestedState": 9`, "operator", "cancel-resynchronize"},
		{"RequestReplicationStateChangeEx", vmA, "primary", 2, `"RequestedState": 1`, "operator", "cancel-initial-replication"},
		{"RequestReplicationStateChangeEx", vmA, "none", 0, `"RequestedState": 2`, "failover", "make-replica"},
		{"RequestReplicationStateChangeEx", vmA, "primary", 8, `"RequestedState": 2`, "failover", "make-replica"},
		{"RequestReplicationStateChangeEx", vmA, "primary", 16, `"RequestedState": 15`, "owner", "RequestReplicationStateChangeEx"},
		{"RequestReplicationStateChange", vmA, "primary", 3, `"RequestedState": 7`, "operator", "suspend"},
	} {
		h, _ := hostOfKind(tt.kind, tt.state, 3)
		plan, p := planMethod(t, h, tt.method, tt.target, `{`+tt.parameters+`}`)
		if p != nil {
			t.Errorf("%s with %s: %+v", tt.method, tt.parameters, p)
			continue
		}
		if plan.Role.String() != tt.role || plan.Action != tt.action || plan.VM != vmA || plan.VMName != "vm 4708" {
			t.Errorf("%s with %s: got role %s and action %s, want %s and %s",
				tt.method, tt.parameters, plan.Role, plan.Action, tt.role, tt.action)
		}
		if p := plan.Check(h.snapshot(t)); p != nil {
			t.Errorf("%s with %s: not accepted: %+v", tt.method, tt.parameters, p)
		}
	}
}

// Only these states can be requested: 1, 2, 3, 4, 7, 9 and 15.
func TestStatesThatCannotBeRequested(t *testing.T) {
	requestable := map[int]bool{1: true, 2: true, 3: true, 4: true, 7: true, 9: true, 15: true}
	for _, text := range []string{
		"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20",
		"21", "22", "65535",
	} {
		n := 0
		for _, digit := range text {
			n = 10*n + int(digit-'0')
		}
		h, _ := hostOfKind("primary", 3, 3)
		plan, p := planMethod(t, h, "RequestReplicationStateChangeEx", vmA, `{"RequestedState": `+text+`}`)
		if p != nil {
			t.Errorf("%s: %+v", text, p)
			continue
		}
		if got := slugOf(plan.Check(h.snapshot(t))) == "invalid-parameter"; got == requestable[n] {
			t.Errorf("%s: refused: %v, want %v", text, got, !requestable[n])
		}
	}
	for _, text := range []string{"null", `"7"`, "65536", "-1", "7.5"} {
		h, _ := hostOfKind("primary", 3, 3)
		if _, p := planMethod(t, h, "RequestReplicationStateChangeEx", vmA, `{"RequestedState": `+text+`}`); p == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// What a call destroys, and thereby what the policy decides on, depends on the relationship that the call names: a resume
// in state 9 starts a resynchronization, after which the recovery points are deleted.
func TestNamedRelationshipDecidesWhatIsDestroyed(t *testing.T) {
	h, _ := hostOfKind("onward", 9, 3)
	for link, want := range map[string]string{"0": "", "1": "the recovery points"} {
		parameters := `{"RequestedState": 3, "ReplicationRelationship": {"InstanceID": "Microsoft:` + vmA + `\\HVR\\` + link + `"}}`
		plan, p := planMethod(t, h, "RequestReplicationStateChangeEx", vmA, parameters)
		if p != nil {
			t.Fatalf("relationship %s: %+v", link, p)
		}
		if plan.Destroys != want || plan.Attributes().Destroys != (want != "") || plan.LosesUnsent() {
			t.Errorf("relationship %s: destroys %q, loses unsent changes: %v; want %q, false", link, plan.Destroys,
				plan.LosesUnsent(), want)
		}
	}
	h, _ = hostOfKind("primary", 8, 3)
	plan, p := planMethod(t, h, "RequestReplicationStateChangeEx", vmA, `{"RequestedState": 2}`)
	if p != nil || plan.Destroys == "" || !plan.LosesUnsent() {
		t.Errorf("make an old primary a replica: %+v, %+v; want that unsent changes are lost", plan, p)
	}
}

// A call about the extended relationship names it. Without a name, the host chooses the primary relationship.
func TestCallsNameTheRelationship(t *testing.T) {
	h, _ := hostOfKind("onward", 7, 3)
	for parameters, want := range map[string]string{
		`"RequestedState": 3`: "primary", `"RequestedState": 3, "ReplicationRelationship": null`: "primary",
		`"RequestedState": 3, "ReplicationRelationship": {"InstanceID": "Microsoft:` + vmA + `\\HVR\\0"}`: "primary",
		`"RequestedState": 3, "ReplicationRelationship": {"InstanceID": "Microsoft:` + vmA + `\\HVR\\1"}`: "extended",
	} {
		plan, p := planMethod(t, h, "RequestReplicationStateChangeEx", vmA, `{`+parameters+`}`)
		if p != nil || plan.Target == nil || string(plan.Target.Key.Link) != want {
			t.Errorf("%s: got %+v, problem %+v, want the %s relationship", parameters, plan, p, want)
		}
	}
	for _, id := range []string{vmB + `\\HVR\\0`, vmA + `\\HVR\\2`, vmA} {
		_, p := planMethod(t, h, "RequestReplicationStateChangeEx", vmA,
			`{"RequestedState": 3, "ReplicationRelationship": {"InstanceID": "Microsoft:`+id+`"}}`)
		if slugOf(p) != "invalid-parameter" {
			t.Errorf("%s: got problem %+v, want invalid-parameter", id, p)
		}
	}
	_, p := planMethod(t, h, "ChangeReplicationModeToPrimary", "", `{"ComputerSystem": "`+vmA+
		`", "ReplicationRelationship": {"InstanceID": "Microsoft:`+vmA+`\\HVR\\0"}}`)
	if slugOf(p) != "invalid-parameter" {
		t.Errorf("the primary relationship instead of the extended one: got problem %+v", p)
	}
}
