package operation

import (
	"context"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Plan is a call of the host that a request asks for, with all its parameters. The call has not been made.
type Plan struct {
	Action string // name of the action; name of the method if no action does the same
	Method msvm.Method
	Role   authz.Role // least role that the call needs
	// Destroys is what the call destroys in the current state of the host, "" for nothing.
	Destroys string
	// Target is the relationship that the call is about, nil if it is about none.
	Target *Relationship
	// VM is the GUID of the VM that the call is about, "" for the host.
	VM, VMName string
	// LockVM is the GUID of the VM that no other action can use during the call. It is VM, except for the deletion of a
	// test VM: that locks the replica.
	LockVM string
	// ConfirmName is what a confirmation must repeat: the name of the VM or of the host. If the name of the VM is
	// unknown, it is the GUID of the VM. If the name of the host is unknown, it is "", and the call cannot be confirmed.
	ConfirmName string
	Object      wmiquery.Ref
	Parameters  map[string]any // as they are shown to people

	in            []wmiquery.Param
	state         uint16  // requested state
	action        *Action // the action that does the same, nil if there is none
	explicit      bool    // the request must give every parameter; there are no defaults
	recoveryPoint *msvm.VirtualSystemSettingData
	given         []string // names of the parameters and properties that the request gives
	endsOwnTest   bool     // it ends a test failover that this program started
	deletesTestVM bool     // AffectedSystem is a test VM that can be deleted
	input         planInput
}

// PlannedCall is a plan as the API shows it.
type PlannedCall struct {
	Action     string         `json:"action"`
	Does       string         `json:"does"`
	Destroys   string         `json:"destroys,omitempty"`
	Role       string         `json:"role"`
	Object     string         `json:"object"`
	Class      string         `json:"class"`
	Method     string         `json:"method"`
	Parameters map[string]any `json:"parameters"`
	// Becomes is the state of the relationship after the call, "" if it is not always the same.
	Becomes string `json:"expected_state_after,omitempty"`
	// Job is the type of the job that the call can start.
	Job string `json:"job_type,omitempty"`
}

// Show returns the plan as the API shows it.
func (p *Plan) Show() PlannedCall {
	c := PlannedCall{
		Action: p.Action, Does: summaryOf(p.Method, p.state), Destroys: p.Destroys, Role: p.Role.String(),
		Object: string(p.Object), Class: p.Method.Class, Method: p.Method.Name, Parameters: p.Parameters,
	}
	if p.Method.RequestsState() {
		c.Becomes = msvm.ReplicationState(p.state).String()
	} else if p.Method.Becomes != 0 {
		c.Becomes = p.Method.Becomes.String()
	}
	if p.Method.Job != 0 {
		c.Job = p.Method.Job.String()
	}
	return c
}

// Call returns the call of the host.
func (p *Plan) Call() wmiquery.Call {
	return wmiquery.Call{Namespace: wmiquery.Virtualization, Object: p.Object, Method: p.Method.Name, In: p.in}
}

// Attributes returns the attributes that the policy decides on.
func (p *Plan) Attributes() authz.Attributes {
	return authz.Attributes{
		Role: p.Role, Names: policyNames(p.Method, p.Action), VM: p.VM, VMName: p.VMName,
		Destroys: p.Destroys != "" && !p.endsOwnTest,
	}
}

// Subject names what a confirmation is about.
func (p *Plan) Subject() string {
	switch {
	case p.VM == "":
		return "this host"
	case p.Method.Name == msvm.MethodDestroySystem && p.explicit:
		return "the test VM " + p.VM + ", which is deleted"
	case p.Method.Name == msvm.MethodDestroySystem: // the action is about the replica
		return "the replica " + p.VM + ", which is kept"
	}
	return "the VM " + p.VM
}

// ConfirmTerm describes ConfirmName.
func (p *Plan) ConfirmTerm() string {
	if p.VM != "" && p.ConfirmName == p.VM {
		return "the GUID of " + p.Subject() + "; its name is unknown"
	}
	return "the name of " + p.Subject()
}

// ConfirmedBy reports whether a text is ConfirmName. The case of a GUID does not matter.
func (p *Plan) ConfirmedBy(name string) bool {
	return name == p.ConfirmName || p.ConfirmName == p.VM && strings.EqualFold(name, p.VM)
}

// nameOr returns a name that the host shows, or another text if the name is blank. A blank name identifies nothing.
func nameOr(name, other string) string {
	if IsBlank(name) {
		return other
	}
	return name
}

// AllowedDuringJob reports whether the call can be made while a job of the VM runs.
func (p *Plan) AllowedDuringJob() bool { return p.action != nil && p.action.AllowedDuringJob }

// Resynchronizes reports whether the call starts or continues a resynchronization, which reads all disks of the VM.
func (p *Plan) Resynchronizes() bool {
	return p.Method.Name == msvm.MethodResynchronize ||
		p.Target != nil && p.Method.RequestsState() && p.state == uint16(msvm.Replicating) && p.Target.resumeResynchronizes()
}

// LosesUnsent reports whether the call loses changes that have not been sent, or the possibility to wait for them.
func (p *Plan) LosesUnsent() bool {
	if p.Method.RequestsState() {
		request, _ := msvm.FindStateRequest(msvm.ReplicationState(p.state))
		return request.LosesUnsent && p.Destroys != ""
	}
	return p.Method.LosesUnsent
}

// NeedsOldPrimaryOff reports whether the call starts a VM that has failed over, which must not run on the old primary
// server at the same time. This host cannot know that.
func (p *Plan) NeedsOldPrimaryOff() bool {
	return p.Method.RequestsPower() && p.state == uint16(msvm.EnabledOn) && p.Destroys != ""
}

// OldPrimary names the server on which the VM must not run when it starts here after a failover. A VM of an extended
// replica server has two: the replica server that sent to it, and the primary server, which this host does not know.
func (p *Plan) OldPrimary() string {
	if p.Target == nil || p.Target.Settings == nil || IsBlank(p.Target.Settings.PrimaryServer()) {
		return "its old primary server"
	}
	server := p.Target.Settings.PrimaryServer()
	if mode, _ := p.Target.VM.Mode(); mode == msvm.ModeExtendedReplica {
		return server + " or on the primary server of that"
	}
	return server
}

// Scheduled reports whether the call only schedules a job.
func (p *Plan) Scheduled() bool { return p.Parameters["StartTime"] != nil }

// Check returns nil if the host accepts the call now, otherwise the reason why not.
func (p *Plan) Check(s *Snapshot) *problem.Problem {
	switch {
	case p.Method.Name == msvm.MethodDestroySystem:
		if !p.deletesTestVM {
			return problem.New(problem.InvalidState, "only a test VM can be deleted")
		}
		return nil
	case p.Target == nil && p.VM != "" && len(p.Method.States) > 0:
		return problem.New(problem.InvalidState, "the VM has no such relationship")
	case p.Target == nil:
		return nil
	case p.action != nil:
		return p.action.Check(s, p.Target)
	}
	c, ok := preconditionsOf(p.Method, p.state, p.Target)
	if !ok {
		return problem.New(problem.InvalidParameter, "RequestedState: this state cannot be requested")
	}
	return c.check(p.Target)
}

// TargetState returns the state of the target, nil if the call is about no relationship. If the call goes back to an
// older recovery point, everything since that point would be lost.
func (p *Plan) TargetState(s *Snapshot) *TargetState {
	if p.Target == nil {
		return nil
	}
	t := s.TargetState(p.Target)
	if p.recoveryPoint != nil && p.LosesUnsent() {
		age := s.age(p.recoveryPoint.CreationTime)
		if age == nil || t.LagSeconds == nil {
			t.LagSeconds = nil
		} else {
			t.LagSeconds = new(max(*t.LagSeconds, *age))
		}
	}
	return &t
}

// ReadPendingBytes adds the pending bytes to the state of the target. Only the sending side knows them.
func (p *Plan) ReadPendingBytes(ctx context.Context, r wmiquery.Reader, s *Snapshot, t *TargetState) {
	if p.Target != nil && p.Target.Sends() {
		t.PendingBytes = ReadStatistics(ctx, r, s, p.Target).PendingBytes(p.Target)
	}
}

// PlanAction plans an action on a relationship.
func PlanAction(
	ctx context.Context, r wmiquery.Reader, s *Snapshot, a Action, target *Relationship, req *Request,
) (*Plan, *problem.Problem) {
	if req.Target != "" {
		return nil, problem.New(problem.BadRequest, "target: only for methods")
	}
	if req.TestResult != "" && a.Method != msvm.MethodDestroySystem {
		return nil, problem.New(problem.BadRequest, "test_result: only for cleanup-test-failover")
	}
	m := a.Definition()
	p := &Plan{
		Action: a.Name, Method: m, Role: a.Role, Destroys: a.Destroys(target), Target: target,
		VM: target.Key.VM, VMName: target.VMName(), LockVM: target.Key.VM,
		ConfirmName: nameOr(target.VMName(), target.Key.VM), Object: s.object(m, target.Key.VM),
		Parameters: map[string]any{}, state: a.State, action: &a,
		endsOwnTest: a.endsOwnTest(target),
	}
	if p := a.checkApplies(target); p != nil { // before the parameters
		return nil, p
	}
	for name := range req.Parameters {
		if !slices.Contains(a.Parameters, name) {
			return nil, problem.New(problem.InvalidParameter,
				"%s has no parameter %q; it has %s", a.Name, name, listOrNone(a.Parameters))
		}
	}
	return p, bindParameters(ctx, r, s, p, req)
}

// jobTerminate is the value of RequestedState that cancels a job.
const jobTerminate = uint16(4)

// PlanCancelJob plans the cancellation of a job of the host.
func PlanCancelJob(job wmiquery.Ref, vm, vmName string, role authz.Role) *Plan {
	m, _ := msvm.FindMethod(msvm.ClassConcreteJob, msvm.MethodRequestStateChange)
	return &Plan{
		Action: "cancel-job", Method: m, VM: vm, VMName: vmName, Role: role, Object: job,
		Parameters: map[string]any{"RequestedState": jobTerminate, "job": string(job)},
		in:         []wmiquery.Param{{Name: "RequestedState", Value: jobTerminate}, {Name: "TimeoutPeriod"}},
	}
}

// UnlockAction is the name of the plan to unlock a VM.
const UnlockAction = "unlock"

// PlanUnlock plans to release the lock of a VM whose call hangs. The host is not called.
func PlanUnlock(job, vm, vmName string) *Plan {
	return &Plan{
		Action: UnlockAction, Method: msvm.Method{Summary: "unlocks a VM whose call hangs; the host is not called"},
		Destroys: "the lock of a call that can still take effect", VM: vm, VMName: vmName, Role: authz.RoleFailover,
		ConfirmName: nameOr(vmName, vm), Parameters: map[string]any{"job": job},
	}
}

func listOrNone(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}
