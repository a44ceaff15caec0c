package operation

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A resynchronization is refused while this host resynchronizes another VM. A VM of which this host is the receiving
// side does not count, and neither does a VM that only waits for its resynchronization.
func TestOneResynchronizationAtATime(t *testing.T) {
	for _, tt := range []struct {
		name       string
		otherMode  uint16
		otherLink  string
		otherState uint16
		busy       bool
	}{
		{"primary resynchronizes", 1, "primary", 10, true},
		{"extended relationship resynchronizes", 2, "extended", 10, true},
		{"replica is resynchronized", 2, "primary", 10, false},
		{"extended replica is resynchronized", 4, "primary", 10, false},
		{"primary waits", 1, "primary", 9, false},
		{"primary is paused", 1, "primary", 11, false},
	} {
		for _, c := range []struct {
			action, kind string
			state        uint16
			affected     bool // the action starts or continues a resynchronization
		}{
			{"resynchronize", "primary", 7, true},
			{"resynchronize", "primary", 9, true},
			{"resynchronize", "onward", 8, true},
			{"resume", "primary", 9, true},
			{"resume", "primary", 11, true},
			{"resume", "onward", 11, true},
			{"resume", "primary", 7, false},
			{"resume", "primary", 8, false},
			{"resume", "replica", 10, false},
			{"resume", "replica", 11, false},
			{"suspend", "primary", 3, false},
		} {
			h, link := hostOfKind(c.kind, c.state, 3)
			h.addVM(vmB, tt.otherMode, 3)
			h.addRelationship(vmB, tt.otherLink, tt.otherState)
			s := h.snapshot(t)
			p := action(t, c.action).Check(s, find(t, s, vmA, link))
			want := ""
			if tt.busy && c.affected {
				want = "resynchronization-running"
			}
			if slugOf(p) != want {
				t.Errorf("%s: %s of a %s in state %d: got problem %+v, want %q", tt.name, c.action, c.kind, c.state, p, want)
			}
			if want != "" && p.Response().Header.Get("Retry-After") != "60" {
				t.Errorf("%s: Retry-After is %q", tt.name, p.Response().Header)
			}
		}
	}
}

// The host can report no, one or several test VMs of a replica. Several are possible in a cluster. Exactly one that is
// off and that says itself that it is a test VM can be deleted.
func TestOnlyASingleTestVMCanBeDeleted(t *testing.T) {
	type vm struct {
		guid          string
		mode, enabled uint16
	}
	for _, tt := range []struct {
		name  string
		tests []vm
		want  string // problem, "" if the test VM can be deleted
	}{
		{"no test VM", nil, "invalid-state"},
		{"one test VM", []vm{{testVM1, 3, 3}}, ""},
		{"two test VMs", []vm{{testVM1, 3, 3}, {testVM2, 3, 3}}, "invalid-state"},
		{"test VM that is on", []vm{{testVM1, 3, 2}}, "invalid-state"},
		{"test VM that is saved", []vm{{testVM1, 3, 6}}, "invalid-state"},
		{"VM without replication", []vm{{testVM1, 0, 3}}, "invalid-state"},
		{"primary VM", []vm{{testVM1, 1, 3}}, "invalid-state"},
		{"replica VM", []vm{{testVM1, 2, 3}}, "invalid-state"},
		{"extended replica VM", []vm{{testVM1, 4, 3}}, "invalid-state"},
	} {
		h, _ := hostOfKind("replica", 3, 3)
		for _, x := range tt.tests {
			h.addTestVM(vmA, x.guid, x.mode, x.enabled)
		}
		s := h.snapshot(t)
		r := find(t, s, vmA, "primary")
		cleanup := action(t, "cleanup-test-failover")
		if p := cleanup.Check(s, r); slugOf(p) != tt.want {
			t.Errorf("%s: got problem %+v, want %q", tt.name, p, tt.want)
		}
		plan, p := PlanAction(t.Context(), h, s, cleanup, r, &Request{})
		if slugOf(p) != tt.want {
			t.Errorf("%s: got problem %+v for the plan, want %q", tt.name, p, tt.want)
		}
		if tt.want == "" {
			call := plan.Call()
			const path = `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + testVM1 + `"`
			if call.Method != "DestroySystem" || len(call.In) != 1 || call.Text("AffectedSystem") != path ||
				plan.LockVM != vmA || plan.Destroys != "the test VM vm C0FF ("+testVM1+")" ||
				!strings.Contains(string(call.Object), `Name="vmms"`) || !strings.Contains(string(call.Object), `"HV01"`) {
				t.Errorf("%s: the plan is %+v", tt.name, plan)
			}
		}
		second := action(t, "test-failover").Check(s, r)
		if want := len(tt.tests) > 0; (second != nil) != want {
			t.Errorf("%s: got problem %+v for a test failover, want one: %v", tt.name, second, want)
		}
	}
}

// A test VM that the host does not show, or whose mode it does not show, is not deleted.
func TestUnknownTestVMIsNotDeleted(t *testing.T) {
	for name, row := range map[string]*msvm.ComputerSystem{
		"not on this host": nil, "mode is null": {Name: testVM1, EnabledState: new(msvm.EnabledState(3))},
	} {
		h, _ := hostOfKind("replica", 3, 3)
		add(h, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(vmA), Dependent: msvm.VMRef(testVM1)})
		if row != nil {
			add(h, *row)
		}
		s := h.snapshot(t)
		if p := action(t, "cleanup-test-failover").Check(s, find(t, s, vmA, "primary")); p == nil {
			t.Errorf("%s: the clean-up is accepted", name)
		}
	}
}

// A failover needs a replication that has completed. The year 1601 means that there was none.
func TestFailoverNeedsACompletedReplication(t *testing.T) {
	for name, tt := range map[string]struct {
		last *time.Time
		want bool
	}{
		"null":  {nil, false},
		"1601":  {new(time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)), false},
		"today": {new(hostTime.Add(-time.Minute)), true},
	} {
		h, _ := hostOfKind("replica", 3, 3)
		h.show([]msvm.ReplicationRelationship{{
			InstanceID: `Microsoft:` + vmA + `\HVR\0`, ReplicationState: new(msvm.ReplicationState(3)),
			LastReplicationTime: tt.last,
		}})
		s := h.snapshot(t)
		for _, name2 := range []string{"failover", "test-failover"} {
			if p := action(t, name2).Check(s, find(t, s, vmA, "primary")); (p == nil) != tt.want {
				t.Errorf("%s with a last replication of %s: got problem %+v, want accepted: %v", name2, name, p, tt.want)
			}
		}
	}
}

// RevertFailover names only the VM. A cancellation that could revert the other relationship of the VM is refused.
func TestCancelFailoverRevertsTheNamedRelationship(t *testing.T) {
	for _, tt := range []struct {
		primary, extended         uint16
		cancelPrimary, cancelNext bool
		method                    msvm.Link // relationship of a call of RevertFailover
	}{
		{5, 3, true, false, "primary"},
		{12, 3, true, false, "primary"},
		{5, 4, false, false, "primary"},
		{12, 4, false, false, "primary"},
		{3, 4, false, true, "extended"},
		{7, 4, false, true, "extended"},
		{3, 3, false, false, "primary"},
		{4, 3, false, false, "primary"},
	} {
		h := newFakeHost()
		h.addVM(vmA, 2, 3)
		h.addRelationship(vmA, "primary", tt.primary)
		h.addRelationship(vmA, "extended", tt.extended)
		s := h.snapshot(t)
		for link, want := range map[string]bool{"primary": tt.cancelPrimary, "extended": tt.cancelNext} {
			p := action(t, "cancel-failover").Check(s, find(t, s, vmA, link))
			if (p == nil) != want {
				t.Errorf("states %d and %d: cancel of the %s relationship: got problem %+v, want accepted: %v",
					tt.primary, tt.extended, link, p, want)
			}
		}
		m, _ := FindMethod("RevertFailover")
		if got := s.defaultLink(m, vmA); got != tt.method {
			t.Errorf("states %d and %d: RevertFailover reverts the %s relationship, want %s",
				tt.primary, tt.extended, got, tt.method)
		}
	}
}

// What an action destroys in the current state, and so must be confirmed. A failover that is only prepared can be
// cancelled without a loss.
func TestActionsThatDestroySomething(t *testing.T) {
	for _, tt := range []struct {
		action, kind string
		state        uint16
		want         string
	}{
		{"suspend", "primary", 3, ""},
		{"resume", "primary", 7, ""},
		{"resume", "primary", 9, "the recovery points"}, // it starts a resynchronization
		{"resume", "primary", 11, ""},                   // one that was confirmed continues
		{"resynchronize", "primary", 7, "the recovery points"},
		{"cancel-resynchronize", "primary", 10, ""},
		{"start-initial-replication", "primary", 1, ""},
		{"cancel-initial-replication", "primary", 2, ""},
		{"import-initial-replica", "replica", 2, ""},
		{"reset-statistics", "primary", 3, "the statistics of the current window"},
		{"prepare-failover", "primary", 3, ""},
		{
			"make-replica", "primary", 8,
			"the relationship of this VM to its replica, and the changes that the replica does not have",
		},
		{"make-replica", "none", 0, ""},
		{"make-replica", "replica", 16, ""},
		{"cancel-failover", "primary", 4, ""},
		{"cancel-failover", "onward", 4, ""},
		{"cancel-failover", "replica", 5, "all changes that the failed-over VM has made"},
		{"cancel-failover", "replica", 12, "all changes that the failed-over VM has made"},
		{"cancel-failover", "replica", 4, "all changes that the failed-over VM has made"}, // only the sender prepares
		{"failover", "replica", 3, "changes that the primary has not sent, unless the failover was prepared"},
		{"test-failover", "replica", 3, ""},
		{"cleanup-test-failover", "replica", 3, "the test VM"},
		{"commit-failover", "replica", 5, "all recovery points"},
		{"reverse", "replica", 5, "changes of the old primary that the new primary does not have"},
		{"continue-extended", "middle", 6, "the possibility to return to the old primary"},
		{"remove", "primary", 3, "the relationship and, on the replica side, the recovery points"},
		{"remove", "replica", 3, "the relationship and, on the replica side, the recovery points"},
		{"test-connection", "primary", 3, ""},
	} {
		h, link := hostOfKind(tt.kind, tt.state, 3)
		s := h.snapshot(t)
		r := find(t, s, vmA, link)
		a := action(t, tt.action)
		if got := a.Destroys(r); got != tt.want {
			t.Errorf("%s of a %s in state %d destroys %q, want %q", tt.action, tt.kind, tt.state, got, tt.want)
		}
		attributes := a.Attributes(r)
		if attributes.Destroys != (tt.want != "") || attributes.VM != vmA || attributes.VMName != "vm 4708" {
			t.Errorf("%s of a %s: the attributes are %+v", tt.action, tt.kind, attributes)
		}
	}
}

// The calls of the actions have the parameters that the host expects.
func TestCallsOfActions(t *testing.T) {
	const vm = `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + vmA + `"`
	for _, tt := range []struct {
		action, kind string
		state        uint16
		method       string
		object       string // class of the object
		requested    any    // RequestedState, nil if the method has none
	}{
		{"suspend", "primary", 3, "RequestReplicationStateChangeEx", "Msvm_ComputerSystem", uint16(7)},
		{"resume", "primary", 7, "RequestReplicationStateChangeEx", "Msvm_ComputerSystem", uint16(3)},
		{"cancel-resynchronize", "primary", 10, "RequestReplicationStateChangeEx", "Msvm_ComputerSystem", uint16(9)},
		{"cancel-initial-replication", "primary", 2, "RequestReplicationStateChangeEx", "Msvm_ComputerSystem", uint16(1)},
		{"prepare-failover", "onward", 3, "RequestReplicationStateChangeEx", "Msvm_ComputerSystem", uint16(4)},
		{"make-replica", "primary", 8, "RequestReplicationStateChangeEx", "Msvm_ComputerSystem", uint16(2)},
		{"resynchronize", "primary", 9, "Resynchronize", "Msvm_ReplicationService", nil},
		{"start-initial-replication", "primary", 1, "StartReplication", "Msvm_ReplicationService", nil},
		{"reset-statistics", "onward", 3, "ResetReplicationStatisticsEx", "Msvm_ReplicationService", nil},
		{"cancel-failover", "primary", 4, "RevertFailover", "Msvm_ReplicationService", nil},
		{"failover", "replica", 3, "InitiateFailover", "Msvm_ReplicationService", nil},
		{"test-failover", "replica", 3, "TestReplicaSystem", "Msvm_ReplicationService", nil},
		{"commit-failover", "replica", 5, "CommitFailover", "Msvm_ReplicationService", nil},
		{"reverse", "replica", 5, "ReverseReplicationRelationship", "Msvm_ReplicationService", nil},
		{"continue-extended", "middle", 6, "ChangeReplicationModeToPrimary", "Msvm_ReplicationService", nil},
		{"remove", "onward", 3, "RemoveReplicationRelationshipEx", "Msvm_ReplicationService", nil},
	} {
		h, link := hostOfKind(tt.kind, tt.state, 3)
		s := h.snapshot(t)
		plan, p := PlanAction(t.Context(), h, s, action(t, tt.action), find(t, s, vmA, link), &Request{})
		if p != nil {
			t.Errorf("%s: %+v", tt.action, p)
			continue
		}
		call := plan.Call()
		if call.Method != tt.method || call.Object.Class() != tt.object || call.Namespace != `root\virtualization\v2` {
			t.Errorf("%s: got call %+v, want %s of %s", tt.action, call, tt.method, tt.object)
		}
		if tt.object == "Msvm_ComputerSystem" && string(call.Object) != vm ||
			tt.object != "Msvm_ComputerSystem" && call.Text("ComputerSystem") != vm {
			t.Errorf("%s: the call is about another VM: %+v", tt.action, call)
		}
		if got := valueOf(call, "RequestedState"); got != tt.requested {
			t.Errorf("%s: RequestedState is %v, want %v", tt.action, got, tt.requested)
		}
		number := map[bool]string{true: "1", false: "0"}[tt.kind == "onward" || tt.action == "continue-extended"]
		if embedded := call.Text("ReplicationRelationship"); embedded != "" &&
			!strings.Contains(embedded, vmA+`\HVR\`+number) {
			t.Errorf("%s of a %s: the call has the relationship %s", tt.action, tt.kind, embedded)
		}
		if got := valueOf(call, "InitialReplicationType"); tt.method == "StartReplication" && got != uint16(1) {
			t.Errorf("%s: InitialReplicationType is %v, want 1", tt.action, got)
		}
		if tt.method == "ReverseReplicationRelationship" &&
			!strings.Contains(call.Text("ReplicationSettingData"),
				`<PROPERTY NAME="RecoveryConnectionPoint" TYPE="string"><VALUE>hv01.contoso.com</VALUE>`) {
			t.Errorf("%s: the settings are %s", tt.action, call.Text("ReplicationSettingData"))
		}
	}
}

// valueOf returns the value of a parameter of a call, nil for null.
func valueOf(call wmiquery.Call, name string) any {
	for _, p := range call.In {
		if p.Name == name {
			return p.Value
		}
	}
	return nil
}
