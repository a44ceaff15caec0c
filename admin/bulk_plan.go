package admin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// bulkState is the state of a VM of a bulk failover. Once its failover was started, it is the state of the job.
type bulkState string

// The states of VMs without a job.
const (
	bulkReady      bulkState = "ready"       // can fail over now
	bulkPending    bulkState = "pending"     // waits for its turn
	bulkDone       bulkState = "done"        // had failed over already
	bulkRefused    bulkState = "refused"     // left out; the host was not called
	bulkNotStarted bulkState = "not_started" // the program stopped first; the host was not called
)

// bulkVM is a VM of a bulk failover.
type bulkVM struct {
	VMID  string    `json:"vm_id"`
	VM    string    `json:"vm,omitempty"`
	State bulkState `json:"state"`
	// Current and Loss are from the dry run, and of a VM that was refused from its turn.
	Current *operation.TargetState `json:"current,omitempty"`
	Loss    *operation.DataLoss    `json:"estimated_loss,omitempty"`
	Problem *bulkProblem           `json:"problem,omitempty"` // why the VM was refused
	JobID   string                 `json:"job_id,omitempty"`
	Error   string                 `json:"error,omitempty"` // of the job

	bulkID    string
	confirmed [sha256.Size]byte // confirmationHash of the VM
}

// bulkProblem is the problem of a VM.
type bulkProblem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// refuse sets the problem of the VM.
func (vm *bulkVM) refuse(p *problem.Problem) {
	vm.State, vm.JobID = bulkRefused, ""
	vm.Problem = &bulkProblem{p.Type.URI(), p.Type.Title, p.Type.Status, p.Detail}
}

// bulkPlan is what a bulk failover would do.
type bulkPlan struct {
	DryRun  bool              `json:"dry_run"`
	Confirm bool              `json:"requires_confirmation"`
	VMCount int               `json:"vm_count"` // VMs that fail over
	Counts  map[bulkState]int `json:"counts"`   // of VMs by state
	VMs     []bulkVM          `json:"vms"`

	host string // name of this host
}

// countStates returns the number of VMs by state.
func countStates(vms []bulkVM) map[bulkState]int {
	counts := map[bulkState]int{}
	for _, vm := range vms {
		counts[vm.State]++
	}
	return counts
}

// readBulkPlan reads the host and plans the failover of each VM.
func (s *Server) readBulkPlan(ctx context.Context, c authz.Principal, req *bulkRequest) (*bulkPlan, *problem.Problem) {
	snapshot, p := s.readSnapshot(ctx)
	if p != nil {
		return nil, p
	}
	if err := s.jobs.Refresh(ctx); err != nil { // running jobs may have ended
		return nil, problem.FromHost("read Msvm_ConcreteJob", err)
	}
	plan := &bulkPlan{DryRun: req.DryRun, host: snapshot.Service.SystemName, VMs: []bulkVM{}}
	ids := req.VMIDs
	if req.PrimaryServer != "" {
		if ids, plan.VMs, p = s.findReplicasOf(c, snapshot, req.PrimaryServer); p != nil {
			return nil, p
		}
	}
	action, _ := operation.FindAction(bulkVMAction)
	for _, id := range ids {
		x := s.newExecution(c, req.forVM())
		x.planAction(action, id, string(msvm.Primary))
		plan.VMs = append(plan.VMs, x.assess(ctx, snapshot, id))
	}
	plan.Counts = countStates(plan.VMs)
	plan.VMCount = plan.Counts[bulkReady]
	plan.Confirm = plan.VMCount > 0
	return plan, nil
}

// findReplicasOf returns the GUIDs of the replicas of a primary server, sorted by the names of the VMs. It also returns
// the replicas whose primary server is unknown. VMs that the caller cannot see are left out.
func (s *Server) findReplicasOf(
	c authz.Principal, snapshot *operation.Snapshot, server string,
) (ids []string, unknown []bulkVM, p *problem.Problem) {
	all := snapshot.Relationships()
	slices.SortStableFunc(all, func(a, b *operation.Relationship) int {
		return cmp.Compare(strings.ToLower(a.VMName()), strings.ToLower(b.VMName()))
	})
	unknown = []bulkVM{}
	var others []string
	for _, r := range all {
		if r.Key.Link != msvm.Primary || r.Sends() || !r.Row.Replicates() ||
			s.policy.Load().Authorize(c, viewAttributes(r)) != nil {
			continue
		}
		primary := ""
		if r.Settings != nil {
			primary = r.Settings.PrimaryServer()
		}
		switch {
		case strings.EqualFold(primary, server):
			ids = append(ids, r.Key.VM)
		case primary == "":
			vm := bulkVM{VMID: r.Key.VM, VM: r.VMName()}
			vm.refuse(problem.New(problem.InvalidState, "the primary server of the VM is unknown; use vm_ids"))
			unknown = append(unknown, vm)
		default:
			others = append(others, primary)
		}
	}
	if len(ids) == 0 {
		slices.Sort(others)
		return nil, nil, problem.New(problem.NotFound, "primary_server %.80q: no replica of it on this host; there are "+
			"replicas of %s", server, cmp.Or(strings.Join(slices.Compact(others), ", "), "no other server"))
	}
	if len(ids)+len(unknown) > maxBulkVMs {
		return nil, nil, tooManyVMs(len(ids) + len(unknown))
	}
	return ids, unknown, nil
}

// assess returns what the execution would do with its VM now.
func (x *execution) assess(ctx context.Context, snapshot *operation.Snapshot, id string) bulkVM {
	vm := bulkVM{VMID: id, State: bulkReady}
	p := x.planOn(ctx, snapshot)
	target, missing := snapshot.Find(id, string(msvm.Primary))
	if x.server.policy.Load().Authorize(x.caller, viewAttributes(target)) == nil {
		vm.VM = target.VMName()
		if missing == nil {
			vm.Current = new(snapshot.TargetState(target))
		}
	}
	if p == nil && target.IsFailedOver() {
		vm.State = bulkDone
		return vm
	}
	if p == nil {
		vm.Loss = &x.target.DataLoss
		p = x.checkPreconditions(snapshot)
	}
	if p == nil {
		p = x.server.locks.check(x.lock())
	}
	if p == nil && x.request.MaxDataLossSeconds != nil {
		p = x.request.CheckDataLoss(x.target)
	}
	if p != nil {
		vm.refuse(p)
		return vm
	}
	vm.confirmed = confirmationHash(x.caller, x.plan, x.target, x.server.changes.number(x.plan.VM))
	return vm
}

// refusal returns the problem of a plan in which no VM can fail over. Its type is that of the VMs if it is the same for
// all.
func (b *bulkPlan) refusal() *problem.Problem {
	t := problem.InvalidState
	types := map[string]bool{}
	for _, vm := range b.VMs {
		if vm.Problem != nil {
			types[vm.Problem.Type] = true
		}
	}
	for _, known := range problem.Types() {
		if len(types) == 1 && types[known.URI()] {
			t = known
		}
	}
	return problem.New(t, "no VM can fail over").With("vms", b.VMs)
}
