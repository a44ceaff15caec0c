package operation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Every method can be found by its qualified name. Every action has an existing method, existing parameters, and a
// state that can be requested. Suspend, resume and prepare-failover are states to request, not methods of the service
// (Q31).
func TestActionsMatchTheMethodTable(t *testing.T) {
	for _, m := range msvm.Methods() {
		if _, p := FindMethod(m.Class + "." + m.Name); p != nil {
			t.Errorf("FindMethod(%s.%s): %s", m.Class, m.Name, p.Detail)
		}
	}
	for _, a := range Actions() {
		m := a.Definition()
		if m.Name == "" {
			t.Errorf("%s: no method %s", a.Name, a.Method)
		}
		for _, name := range a.Parameters {
			if !slices.ContainsFunc(m.In, func(p msvm.Parameter) bool { return p.Name == name }) {
				t.Errorf("%s: method %s has no parameter %s", a.Name, a.Method, name)
			}
		}
		if _, ok := preconditionsOf(m, a.State, nil); !ok {
			t.Errorf("%s: the state %d cannot be requested", a.Name, a.State)
		}
	}
}

// Each action with its method, the state that it requests, the least role, whether it can run during a job of the VM,
// its parameters, and the kinds of relationships that it applies to.
func TestTableOfActions(t *testing.T) {
	want := []string{
		"suspend: RequestReplicationStateChangeEx 7, operator, during a job, [], all",
		"resume: RequestReplicationStateChangeEx 3, operator, during a job, [], all",
		"resynchronize: Resynchronize 0, operator, [StartTime], sending",
		"cancel-resynchronize: RequestReplicationStateChangeEx 9, operator, during a job, [], all",
		"start-initial-replication: StartReplication 0, operator, [InitialReplicationType StartTime], sending",
		"cancel-initial-replication: RequestReplicationStateChangeEx 1, operator, during a job, [], all",
		"import-initial-replica: ImportInitialReplica 0, owner, [InitialReplicationImportLocation], primary",
		"reset-statistics: ResetReplicationStatisticsEx 0, operator, [], all",
		"prepare-failover: RequestReplicationStateChangeEx 4, failover, [], all",
		"make-replica: RequestReplicationStateChangeEx 2, failover, [], primary",
		"cancel-failover: RevertFailover 0, failover, during a job, [], all",
		"failover: InitiateFailover 0, failover, [SnapshotSettingData], primary",
		"test-failover: TestReplicaSystem 0, operator, [SnapshotSettingData], primary",
		"cleanup-test-failover: DestroySystem 0, operator, [], primary",
		"commit-failover: CommitFailover 0, failover, [], primary",
		"reverse: ReverseReplicationRelationship 0, failover, [], primary",
		"continue-extended: ChangeReplicationModeToPrimary 0, failover, [], primary",
		"shut-down-vm: InitiateShutdown 0, failover, during a job, [Force], primary",
		"turn-off-vm: RequestStateChange 3, failover, during a job, [], primary",
		"start-vm: RequestStateChange 2, failover, [], primary",
		"remove: RemoveReplicationRelationshipEx 0, owner, [], all",
		"test-connection: TestReplicationConnection 0, operator, [], sending",
	}
	kinds := map[string]string{
		"primary replica middle onward third": "all", "primary onward": "sending", "primary replica middle third": "primary",
	}
	var got []string
	for _, a := range Actions() {
		var applies []string
		for _, kind := range []string{"primary", "replica", "middle", "onward", "third"} {
			h, link := hostOfKind(kind, 3, 3)
			if a.checkApplies(find(t, h.snapshot(t), vmA, link)) == nil {
				applies = append(applies, kind)
			}
		}
		h, link := hostOfKind("primary", 3, 3)
		names := a.Attributes(find(t, h.snapshot(t), vmA, link)).Names
		known := []string{a.Method, a.Name}
		if a.Method == "RequestStateChange" { // the name of three methods
			known = known[1:]
		}
		if !slices.Equal(names, known) {
			t.Errorf("%s: the policy knows it as %q", a.Name, names)
		}
		job := ""
		if a.AllowedDuringJob {
			job = ", during a job"
		}
		got = append(got, fmt.Sprintf("%s: %s %d, %s%s, %s, %s", a.Name, a.Method, a.State, a.Role, job,
			fmt.Sprint(a.Parameters), kinds[strings.Join(applies, " ")]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A confirmation says which VM it is about. The clean-up of a test failover names the replica, a call of DestroySystem
// the test VM, whether or not the test VM has a row of a relationship.
func TestSubjectOfADeletion(t *testing.T) {
	for _, hasRow := range []bool{false, true} {
		h, _ := hostOfKind("replica", 3, 3)
		h.addTestVM(vmA, testVM1, 3, 3)
		if hasRow {
			h.addRelationship(testVM1, "primary", 0)
		}
		s := h.snapshot(t)
		a, r := action(t, "cleanup-test-failover"), find(t, s, vmA, "primary")
		cleanup, p := PlanAction(t.Context(), h, s, a, r, &Request{})
		if p != nil || cleanup.ConfirmTerm() != "the name of the replica "+vmA+", which is kept" ||
			cleanup.ConfirmName != "vm 4708" {
			t.Errorf("clean-up, problem %+v: %+v", p, cleanup)
		}
		call, p := planMethod(t, h, "DestroySystem", "", `{"AffectedSystem": "`+testVM1+`"}`)
		if p != nil || call.ConfirmTerm() != "the name of the test VM "+testVM1+", which is deleted" || call.ConfirmName != "vm C0FF" {
			t.Errorf("DestroySystem, problem %+v: %+v", p, call)
		}
	}
}
