package admin

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
)

// callHost calls the host once and waits for its answer, up to Options.CallTimeout, and not while the program stops.
// The call continues then, and after the client has disconnected. It releases the lock when the host has answered.
func callHost(ctx context.Context, x *execution, release func()) problem.Response {
	s := x.server
	releaseSlot(ctx)
	s.calls.Add(1)
	done := make(chan problem.Response, 1)
	go func() {
		defer s.calls.Done()
		defer func() {
			if e := recover(); e != nil {
				level.Error(s.options.Logger).Log(
					"msg", "panic in a call", "action", x.id, "panic", e, "stack", string(debug.Stack()))
				s.jobs.Update(x.id, func(r *job.Record) {
					r.Error = "internal error during the call of the host"
					r.SetState(job.Unknown, s.options.Now())
				})
				outcome := x.auditRecord(audit.Outcome)
				outcome.State, outcome.Error = string(job.Unknown), "internal error during the call of the host"
				s.auditAfter(outcome)
				release()
				done <- problem.New(problem.OutcomeUnknown, "see the log of the exporter, and check the state of the VM").
					With("job", apiJobs+"/"+x.id).Response()
			}
		}()
		level.Debug(s.options.Logger).Log("msg", "calling the host", "action", x.id, "method", x.plan.Method.Name)
		reply, err := s.invokerFor(x.caller).Invoke(x.call.context(ctx), x.plan.Call())
		response := recordReply(x, reply, err)
		release() // before the response, so that the client can send its next request at once
		done <- response
	}()
	timeout := time.NewTimer(s.options.CallTimeout)
	defer timeout.Stop()
	select {
	case response := <-done:
		return response
	case <-timeout.C:
	case <-s.stopping:
	}
	r, _ := s.jobs.Get(x.id)
	return accepted(r)
}

// invokerFor returns what calls the host for a caller. Calls of callers with the role failover have workers of their
// own, so that calls of others that hang do not delay them.
func (s *Server) invokerFor(c authz.Principal) wmiquery.Invoker {
	if s.roleOf(c) >= authz.RoleFailover {
		return s.options.FailoverInvoker
	}
	return s.options.Invoker
}

// hostCall is a call of the host, which may wait for a worker.
type hostCall struct {
	mu        sync.Mutex
	started   bool // it has reached the host
	abandoned bool
	cancel    context.CancelFunc // nil before the call waits for a worker
}

// context returns the context of the call. It does not end with the request, but with abandon.
func (c *hostCall) context(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel = cancel; c.abandoned {
		cancel()
	}
	return wmiquery.WithStarted(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.started = true
	})
}

// abandon cancels the call if it still waits for a worker. A call that has reached the host cannot be cancelled; its
// answer is still of interest.
func (c *hostCall) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.abandoned = true; c.cancel != nil && !c.started {
		c.cancel()
	}
}

// recordReply records the host's answer in the job record and the audit log, and returns the response.
func recordReply(x *execution, reply wmiquery.Reply, err error) problem.Response {
	p := x.replyProblem(reply, err)
	outcome := auditOutcome(x, reply, err, p)
	now := x.server.options.Now()
	r := x.server.jobs.Update(x.id, func(r *job.Record) { r.ApplyReply(x.plan.Method, reply, err, p, now) })
	if r.ID == "" { // the VM was unlocked
		r = x.server.jobs.RecordLate(x.id, job.NewLateReply(reply, err, p, now))
	}
	var response problem.Response
	switch {
	case p != nil:
		response = p.With("job", jobURL(r)).Response()
	case reply.Code == wmiquery.CodeJobStarted:
		response = accepted(r)
	default:
		response = problem.JSON(http.StatusOK, r)
	}
	outcome.Status, outcome.State = response.Status, string(r.State)
	x.server.auditAfter(outcome)
	return response
}

// replyProblem returns the problem of the host's answer, nil if the call succeeded.
func (x *execution) replyProblem(reply wmiquery.Reply, err error) *problem.Problem {
	switch method := x.plan.Method.Name; {
	case err != nil:
		return problem.FromCall(method, err)
	case reply.Err() != nil:
		return x.plan.Explain(problem.FromCode(method, reply.Code), reply.Code, x.target)
	}
	return nil
}

// auditOutcome returns the audit record of the host's answer.
func auditOutcome(x *execution, reply wmiquery.Reply, err error, p *problem.Problem) audit.Record {
	r := x.auditRecord(audit.Outcome)
	r.Duration = job.Elapsed(x.began, x.server.options.Now())
	if err == nil {
		r.Code, r.Job = &reply.Code, string(reply.Job)
	}
	if p != nil {
		r.Type, r.Error = p.Type.Slug, p.Detail
	}
	return r
}

// accepted returns the response for a job that has not ended.
func accepted(r job.Record) problem.Response {
	response := problem.JSON(http.StatusAccepted, r)
	response.Location, response.RetryAfter = jobURL(r), "2"
	return response
}
