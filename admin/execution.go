package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// planFunc plans a call from the state of the host.
type planFunc func(context.Context, *operation.Snapshot) (*operation.Plan, *problem.Problem)

// execution is the execution of a request for an action or a method.
type execution struct {
	server  *Server
	id      string // of the action and of its job
	caller  authz.Principal
	request *operation.Request
	key     *idempotentRequest
	began   time.Time

	makePlan planFunc
	subject  audit.Record // what the request is about, as far as known before there is a plan
	plan     *operation.Plan
	target   *operation.TargetState // nil if the plan is about no relationship
	bulk     *bulkVM                // nil for a request about a single VM

	confirmed       bool // with a token
	lockTransferred bool // the call releases the lock
	call            *hostCall
}

// executeAction handles POST /api/v1/replicas/{vm_id}/{relationship}/actions/{action}.
func (s *Server) executeAction(r *http.Request) (problem.Response, *problem.Problem) {
	a, ok := operation.FindAction(r.PathValue("action"))
	if !ok {
		return problem.Response{}, problem.New(problem.NotFound, "action %.80q: not found", r.PathValue("action"))
	}
	req, body, p := operation.ReadRequest(r)
	if p != nil {
		return problem.Response{}, p
	}
	x := s.newExecution(principalOf(r), req)
	x.planAction(a, r.PathValue("vm_id"), r.PathValue("relationship"))
	return x.run(r, body)
}

// planAction makes x the execution of an action on a relationship.
func (x *execution) planAction(a operation.Action, vm, link string) {
	x.subject = audit.Record{Action: a.Name, Method: a.Method, VMID: vm, Relationship: link}
	attributes := func(target *operation.Relationship) authz.Attributes { return x.concerns(a.Attributes(target)) }
	x.makePlan = func(ctx context.Context, snapshot *operation.Snapshot) (*operation.Plan, *problem.Problem) {
		// before any problem that depends on the VM
		target, p := x.server.findReplica(x.caller, snapshot, vm, link, attributes)
		if p != nil {
			return nil, p
		}
		return operation.PlanAction(ctx, x.server.options.Reader, snapshot, a, target, x.request)
	}
}

// executeMethod handles POST /api/v1/methods/{method}.
func (s *Server) executeMethod(r *http.Request) (problem.Response, *problem.Problem) {
	m, p := operation.FindMethod(r.PathValue("method"))
	if p != nil {
		return problem.Response{}, p
	}
	req, body, p := operation.ReadRequest(r)
	if p != nil {
		return problem.Response{}, p
	}
	x := s.newExecution(principalOf(r), req)
	x.subject = audit.Record{Action: m.Name, Method: m.Name, VMID: req.Target}
	x.makePlan = func(ctx context.Context, snapshot *operation.Snapshot) (*operation.Plan, *problem.Problem) {
		authorize := func(a authz.Attributes) *problem.Problem { return s.authorize(r, x.concerns(a)) }
		return operation.PlanMethod(ctx, s.options.Reader, snapshot, m, req, authorize)
	}
	return x.run(r, body)
}

// newExecution returns the execution of a request.
func (s *Server) newExecution(c authz.Principal, req *operation.Request) *execution {
	return &execution{
		server: s, id: newID(s.options.Now()), caller: c, request: req, key: &idempotentRequest{},
		began: s.options.Now(), call: &hostCall{},
	}
}

// concerns notes what the request is about, and returns it.
func (x *execution) concerns(a authz.Attributes) authz.Attributes {
	x.subject.Method, x.subject.Action = a.Names[0], a.Names[len(a.Names)-1]
	x.subject.VMID, x.subject.VM = a.VM, a.VMName
	return a
}

// run executes the request.
func (x *execution) run(r *http.Request, body []byte) (problem.Response, *problem.Problem) {
	if response, done, p := x.replay(r, body); done || p != nil {
		return response, p
	}
	defer x.key.close()
	if response, done, p := x.prepare(r); done || p != nil {
		return response, p
	}
	response, p := x.execute(r.Context())
	if p != nil {
		x.auditRefusal(p)
	}
	return response, p
}

// replay returns the stored response if the Idempotency-Key was used before, even if the host cannot be reached now.
func (x *execution) replay(r *http.Request, body []byte) (response problem.Response, done bool, p *problem.Problem) {
	if x.request.DryRun {
		return response, false, nil
	}
	key, stored, p := x.server.idempotency.begin(r, x.caller, body)
	if p != nil {
		return response, true, x.auditRefusal(p)
	}
	if stored != nil {
		return *stored, true, nil
	}
	x.key = key
	return response, false, nil
}

// prepare makes and authorizes the plan. A request that changes nothing on the host is done then.
func (x *execution) prepare(r *http.Request) (response problem.Response, done bool, p *problem.Problem) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	snapshot, p := x.readAndPlan(ctx)
	if p != nil {
		return response, true, x.auditRefusal(p)
	}
	setMethodLabel(r, x.plan.Method.Name)
	if x.plan.Method.IsGet() {
		response, p = callGetMethod(ctx, x)
		return response, true, p
	}
	if p := x.refreshJobs(ctx); p != nil {
		return response, true, x.auditRefusal(p)
	}
	if x.request.DryRun {
		response, p = dryRun(ctx, x, snapshot)
		return response, true, p
	}
	return response, false, nil
}

// refreshJobs updates the jobs that can prevent the action: running ones may have ended, and a resynchronization may
// only be scheduled.
func (x *execution) refreshJobs(ctx context.Context) *problem.Problem {
	if len(x.server.jobs.Running(x.plan.VM)) > 0 || x.plan.Resynchronizes() || x.server.locks.full() {
		if err := x.server.jobs.Refresh(ctx); err != nil {
			return problem.FromHost("read Msvm_ConcreteJob", err)
		}
	}
	return nil
}

// readAndPlan reads the host, makes the plan, and asks the policy.
func (x *execution) readAndPlan(ctx context.Context) (*operation.Snapshot, *problem.Problem) {
	snapshot, p := x.server.readSnapshot(ctx)
	if p != nil {
		return nil, p
	}
	return snapshot, x.planOn(ctx, snapshot)
}

// planOn makes the plan from a state of the host, and asks the policy.
func (x *execution) planOn(ctx context.Context, snapshot *operation.Snapshot) *problem.Problem {
	plan, p := x.makePlan(ctx, snapshot)
	if p != nil {
		return p
	}
	x.plan, x.target = plan, nil // the audit record of a refusal has the plan
	if p := x.server.policy.Load().Authorize(x.caller, plan.Attributes()); p != nil {
		return p
	}
	x.target = plan.TargetState(snapshot)
	return nil
}

// execute locks the VM, checks everything again, and calls the host.
func (x *execution) execute(ctx context.Context) (problem.Response, *problem.Problem) {
	held := x.lock()
	release, p := x.server.locks.acquire(x.id, held, x.plan.AllowedDuringJob())
	if p != nil {
		return problem.Response{}, p
	}
	defer func() {
		if !x.lockTransferred {
			release()
		}
	}()
	if p := x.recheck(ctx, held); p != nil {
		return problem.Response{}, p
	}
	if err := x.server.audit.Write(x.auditRecord(audit.Intent), true); err != nil {
		return problem.Response{}, x.server.auditUnavailable(err)
	}
	if err := x.server.jobs.Begin(x.jobRecord(), x.key.entries(x.id)...); err != nil {
		level.Error(x.server.options.Logger).Log("msg", "request rejected, cannot store job record", "err", err)
		x.auditNotCalled()
		return problem.Response{}, problem.New(problem.Internal, "the request was not executed: cannot store its record")
	}
	x.server.changes.add(x.plan.VM, x.plan.LockVM)
	x.lockTransferred = true
	response := callHost(ctx, x, release)
	x.saveResponse(response)
	return response, nil
}

// recheck reads the host again and repeats all checks, now that no other action can change the VM. It has a timeout of
// its own, so that actions are possible on a slow host.
func (x *execution) recheck(ctx context.Context, held lock) *problem.Problem {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	snapshot, p := x.readAndPlan(ctx)
	if p == nil {
		p = x.checkPreconditions(snapshot)
	}
	if p != nil {
		return p
	}
	if x.lock().vm != held.vm || x.plan.Resynchronizes() && !held.resync {
		return problem.New(problem.InvalidState, "the state changed during the request; try again").With("current", x.target)
	}
	if x.plan.Destroys == "" {
		return nil
	}
	x.plan.ReadPendingBytes(ctx, x.server.options.Reader, snapshot, x.target)
	if p := x.confirm(); p != nil {
		if p.Type != problem.ConfirmationRequired {
			x.server.metrics.refused.Inc()
		}
		return p
	}
	x.confirmed = true
	return nil
}

// checkPreconditions checks that the target is as expected, and that the host accepts the call.
func (x *execution) checkPreconditions(snapshot *operation.Snapshot) *problem.Problem {
	if p := x.request.CheckExpected(x.target); p != nil {
		return p
	}
	if p := x.plan.Check(snapshot); p != nil {
		if x.target != nil {
			p.With("current", x.target)
		}
		return p
	}
	if x.plan.Resynchronizes() && x.plan.Scheduled() {
		return x.server.locks.checkScheduled()
	}
	return nil
}

// saveResponse stores the response for a request with the same Idempotency-Key.
func (x *execution) saveResponse(response problem.Response) {
	if err := x.key.save(x.id, response); err != nil {
		level.Error(x.server.options.Logger).Log(
			"msg", "cannot store response, its Idempotency-Key will be answered with a conflict", "action", x.id, "err", err)
	}
}

// jobRecord returns the record of the action at its start.
func (x *execution) jobRecord() job.Record {
	r := job.Record{
		ID: x.id, State: job.Queued, Action: x.plan.Action, Method: x.plan.Method.Name, VMID: x.plan.VM, VM: x.plan.VMName,
		User: x.caller.String(), Reason: x.request.Reason, Role: x.plan.Role.String(), Created: x.began, Updated: x.began,
		TestResult: x.request.TestResult, Resync: x.plan.Resynchronizes(),
	}
	if x.bulk != nil {
		r.BulkID = x.bulk.bulkID
	}
	if x.plan.LockVM != x.plan.VM {
		r.LockVM = x.plan.LockVM
	}
	if x.plan.Target != nil {
		r.Relationship = string(x.plan.Target.Key.Link)
	}
	return r
}
