package admin

import (
	"context"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
)

// callHost calls the host once and waits for its answer, up to Options.CallTimeout, and not while the program stops. The
// call continues then, and after the client has disconnected. It releases the lock when the host has answered.
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
				release()
				done <- problem.New(problem.OutcomeUnknown, "see the log of the exporter, and check the state of the VM").
					With("job", apiJobs+"/"+x.id).Response()
			}
		}()
		level.Debug(s.options.Logger).Log("msg", "calling the host", "action", x.id, "method", x.plan.Method.Name)
		reply, err := s.options.Invoker.Invoke(context.WithoutCancel(ctx), x.plan.Call())
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

// recordReply records the host's answer in the job record and the audit log, and returns the response.
func recordReply(x *execution, reply wmiquery.Reply, err error) problem.Response {
	p := replyProblem(x.plan.Method.Name, reply, err)
	outcome := auditOutcome(x, reply, err, p)
	now := x.server.options.Now()
	r := x.server.jobs.Update(x.id, func(r *job.Record) { r.ApplyReply(x.plan.Method, reply, err, p, now) })
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
func replyProblem(method string, reply wmiquery.Reply, err error) *problem.Problem {
	switch {
	case err != nil:
		return problem.FromCall(method, err)
	case reply.Err() != nil:
		return problem.FromCode(method, reply.Code)
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
