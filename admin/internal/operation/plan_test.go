package operation

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A job is cancelled with state 4. That is the number of "running" in JobState: the two must not be mixed up.
//
// Source: MicrosoftDocs/win32, HyperV_v2, requeststatechange-msvm-concretejob.md: 2 start, 3 suspend, 4 terminate,
// 5 kill, 6 service.
func TestCancelJobRequestsState4(t *testing.T) {
	const path = `Msvm_ConcreteJob.InstanceID="9947DC62-9DA2-4B25-BB27-BA9A161D75A9"`
	plan := PlanCancelJob(path, vmA, "web01", authz.RoleFailover)
	want := wmiquery.Call{
		Namespace: `root\virtualization\v2`, Object: path, Method: "RequestStateChange",
		In: []wmiquery.Param{{Name: "RequestedState", Value: uint16(4)}, {Name: "TimeoutPeriod"}},
	}
	if got := plan.Call(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	a := plan.Attributes()
	if a.Role.String() != "failover" || a.VM != vmA || a.VMName != "web01" || a.Destroys ||
		!reflect.DeepEqual(a.Names, []string{"RequestStateChange", "cancel-job"}) {
		t.Errorf("the attributes are %+v", a)
	}
	shown := plan.Show()
	if shown.Class != "Msvm_ConcreteJob" || shown.Action != "cancel-job" || shown.Role != "failover" ||
		shown.Parameters["RequestedState"] != uint16(4) || shown.Parameters["job"] != path {
		t.Errorf("the plan is shown as %+v", shown)
	}
}

// The plan shows the state after the call and the type of the job.
func TestPlanShowsStateAndJob(t *testing.T) {
	for _, tt := range []struct {
		action, kind string
		state        uint16
		becomes, job string
	}{
		{"suspend", "primary", 3, "suspended", "state_change"},
		{"resume", "primary", 7, "replicating", "state_change"},
		{"resynchronize", "primary", 9, "resynchronizing", "resynchronize"},
		{"failover", "replica", 3, "recovered", "initiate_failover"},
		{"commit-failover", "replica", 5, "committed", "commit_failover"},
		{"cancel-failover", "replica", 5, "replicating", "revert_failover"},
		{"test-failover", "replica", 3, "", "initiate_test_replica"},
		{"reverse", "replica", 5, "", "reverse_replication"},
		{"remove", "primary", 3, "", "remove_relationship"},
	} {
		h, link := hostOfKind(tt.kind, tt.state, 3)
		s := h.snapshot(t)
		plan, p := PlanAction(t.Context(), h, s, action(t, tt.action), find(t, s, vmA, link), &Request{})
		if p != nil {
			t.Fatalf("%s: %+v", tt.action, p)
		}
		if got := plan.Show(); got.Becomes != tt.becomes || got.Job != tt.job || got.Action != tt.action {
			t.Errorf("got %+v, want state %q and job %q", got, tt.becomes, tt.job)
		}
	}
}

// recoveryPoint adds a recovery point of a VM. created is nil if the host does not know its time.
func (h *fakeHost) addRecoveryPoint(vm, id, kind string, created *time.Time) {
	add(h, msvm.VirtualSystemSettingData{
		InstanceID: id, VirtualSystemIdentifier: &vm, VirtualSystemType: new("Microsoft:Hyper-V:" + kind),
		CreationTime: created,
	})
}

// A failover to a recovery point loses everything since that point, or since the last replication if that is longer
// ago. If one of the two times is not known, the loss is not known.
func TestDataLossOfAFailover(t *testing.T) {
	ago := func(d time.Duration) *time.Time { return new(hostTime.Add(-d)) }
	for _, tt := range []struct {
		name        string
		last, point *time.Time
		want        *float64 // seconds
	}{
		{"older point", ago(60 * time.Second), ago(2 * time.Hour), new(7200.0)},
		{"newer point", ago(2 * time.Hour), ago(60 * time.Second), new(7200.0)},
		{"point of unknown time", ago(time.Minute), nil, nil},
		{"last replication unknown", nil, ago(time.Hour), nil},
		{"both unknown", nil, nil, nil},
		{"point 60 s in the future", ago(time.Minute), ago(-60 * time.Second), new(60.0)},
		{"point 61 s in the future", ago(time.Minute), ago(-61 * time.Second), nil},
		{"last replication 60 s in the future", ago(-60 * time.Second), ago(time.Minute), new(60.0)},
		{"last replication 61 s in the future", ago(-61 * time.Second), ago(time.Minute), nil},
	} {
		h, _ := hostOfKind("replica", 3, 3)
		h.show([]msvm.ReplicationRelationship{{
			InstanceID: `Microsoft:` + vmA + `\HVR\0`, ReplicationState: new(msvm.ReplicationState(3)),
			LastReplicationTime: tt.last,
		}})
		h.addRecoveryPoint(vmA, "Microsoft:P1", "Snapshot:Replica:Standard", tt.point)
		s := h.snapshot(t)
		r := find(t, s, vmA, "primary")
		req := &Request{Parameters: rawParameters(t, `{"SnapshotSettingData": "Microsoft:P1"}`)}
		plan, p := PlanAction(t.Context(), h, s, action(t, "failover"), r, req)
		if p != nil {
			t.Fatalf("%s: %+v", tt.name, p)
		}
		if got := plan.TargetState(s).LagSeconds; !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, show(got), show(tt.want))
		}
		// A test failover loses nothing, so the point does not matter.
		plan, p = PlanAction(t.Context(), h, s, action(t, "test-failover"), r, req)
		if p != nil {
			t.Fatalf("%s: %+v", tt.name, p)
		}
		if got, want := plan.TargetState(s).LagSeconds, s.TargetState(r).LagSeconds; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the test failover loses %v, want %v", tt.name, show(got), show(want))
		}
	}
}

func show(f *float64) any {
	if f == nil {
		return nil
	}
	return *f
}

// Only recovery points of the same VM can be chosen, by their InstanceID or their path. A checkpoint of an
// administrator is not a recovery point.
func TestRecoveryPointsOfTheVM(t *testing.T) {
	h, _ := hostOfKind("replica", 3, 3)
	h.addRecoveryPoint(strings.ToLower(vmA), "Microsoft:P1", "Snapshot:Replica:Standard", nil)
	h.addRecoveryPoint(vmA, "Microsoft:P2", "Snapshot:Replica:ApplicationConsistent", nil)
	h.addRecoveryPoint(vmB, "Microsoft:P3", "Snapshot:Replica:Standard", nil)
	h.addRecoveryPoint(vmA, "Microsoft:P4", "Snapshot:Realized", nil)
	h.addRecoveryPoint(vmA, "Microsoft:P5", "System:Realized", nil)
	for text, want := range map[string]string{
		"Microsoft:P1": "", "Microsoft:P2": "", "Microsoft:P3": "not-found", "Microsoft:P4": "not-found",
		"Microsoft:P5": "not-found", "": "invalid-parameter", "Microsoft:P": "not-found",
		`Msvm_VirtualSystemSettingData.InstanceID=\"Microsoft:P2\"`: "",
	} {
		plan, p := planMethod(t, h, "InitiateFailover", "",
			`{"ComputerSystem": "`+vmA+`", "SnapshotSettingData": "`+text+`"}`)
		if slugOf(p) != want {
			t.Errorf("%s: got problem %+v, want %q", text, p, want)
			continue
		}
		id := text[max(0, len(text)-14):]
		if want == "" && !strings.Contains(plan.Call().Text("SnapshotSettingData"), strings.Trim(id, `\"=`)) {
			t.Errorf("%s: the call has %s", text, plan.Call().Text("SnapshotSettingData"))
		}
	}
	points, err := RecoveryPoints(t.Context(), h, vmA)
	if err != nil || len(points) != 2 {
		t.Errorf("got %d recovery points, error %v, want 2", len(points), err)
	}
}

// If the host does not show the recovery points, a failover to one of them is refused. A failover to the latest point
// does not need them.
func TestRecoveryPointsThatCannotBeRead(t *testing.T) {
	h, _ := hostOfKind("replica", 3, 3)
	h.failing["Msvm_VirtualSystemSettingData"] = errors.New("broken")
	for parameter, want := range map[string]string{`, "SnapshotSettingData": "x"`: "host-failed", "": ""} {
		_, p := planMethod(t, h, "InitiateFailover", "", `{"ComputerSystem": "`+vmA+`"`+parameter+`}`)
		if slugOf(p) != want {
			t.Errorf("%q: got problem %+v, want %q", parameter, p, want)
		}
	}
}

// Each of several test VMs of a replica locks it.
func TestDeletionOfOneOfSeveralTestVMsLocksTheReplica(t *testing.T) {
	h, _ := hostOfKind("replica", 3, 3)
	h.addTestVM(vmA, testVM1, 3, 3)
	h.addTestVM(vmA, testVM2, 3, 3)
	for _, test := range []string{testVM1, testVM2} {
		plan, p := planMethod(t, h, "DestroySystem", "", `{"AffectedSystem": "`+test+`"}`)
		if p != nil || plan.LockVM != vmA || plan.VM != test {
			t.Errorf("test VM %s: got %+v, problem %+v", test, plan, p)
		}
	}
}

// The deletion of a test VM locks the replica, in the form of the action and of the method. The name to confirm is
// that of the VM in the request.
func TestDeletionOfATestVMLocksTheReplica(t *testing.T) {
	h, _ := hostOfKind("replica", 3, 3)
	h.addTestVM(vmA, testVM1, 3, 3)
	h.addVM(vmB, 2, 3)
	h.addTestVM(vmB, testVM2, 3, 3)
	for test, replica := range map[string]string{testVM1: vmA, testVM2: vmB} {
		plan, p := planMethod(t, h, "DestroySystem", "", `{"AffectedSystem": "`+strings.ToLower(test)+`"}`)
		if p != nil || plan.LockVM != replica || plan.VM != test || plan.ConfirmName != "vm C0FF" ||
			plan.Check(h.snapshot(t)) != nil || plan.Action != "cleanup-test-failover" {
			t.Errorf("test VM %s: got %+v, problem %+v", test, plan, p)
		}
	}
	for _, vm := range []string{vmA, vmB} {
		if _, p := planMethod(t, h, "DestroySystem", "", `{"AffectedSystem": "`+vm+`"}`); slugOf(p) != "invalid-state" {
			t.Errorf("replica %s: got problem %+v, want invalid-state", vm, p)
		}
	}
	if _, p := planMethod(t, h, "DestroySystem", "", `{"AffectedSystem": "`+lostVM+`"}`); slugOf(p) != "not-found" {
		t.Errorf("unknown VM: got problem %+v, want not-found", p)
	}
}

// lostVM is not on the host.
const lostVM = "00000000-0000-0000-0000-000000000001"

// A caller without permission learns nothing about the VMs of the host.
func TestPolicyIsAskedBeforeTheHost(t *testing.T) {
	h, _ := hostOfKind("replica", 5, 3)
	m, _ := FindMethod("CommitFailover")
	for _, vm := range []string{vmA, lostVM} {
		var asked authz.Attributes
		deny := func(a authz.Attributes) *problem.Problem {
			asked = a
			return problem.New(problem.Forbidden, "no")
		}
		req := &Request{Parameters: rawParameters(t, `{"ComputerSystem": "`+vm+`", "Force": true}`)}
		if _, p := PlanMethod(t.Context(), h, h.snapshot(t), m, req, deny); slugOf(p) != "invalid-parameter" {
			t.Errorf("%s with an unknown parameter: got problem %+v", vm, p)
		}
		delete(req.Parameters, "Force")
		_, p := PlanMethod(t.Context(), h, h.snapshot(t), m, req, deny)
		if slugOf(p) != "forbidden" || asked.VM != vm || asked.Role.String() != "failover" || !asked.Destroys {
			t.Errorf("%s: got problem %+v, the policy was asked about %+v", vm, p, asked)
		}
	}
}
