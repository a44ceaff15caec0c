package admin

import (
	"context"
	"net/http"
	"reflect"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

type jobList struct {
	Jobs []job.Record `json:"jobs"`
	// Continue is a parameter of the request for the next jobs, "" if there are none.
	Continue string `json:"continue,omitempty"`
}

// jobURL returns the path of a job in the API.
func jobURL(r job.Record) string { return apiJobs + "/" + r.ID }

// listJobs handles GET /api/v1/jobs.
func (s *Server) listJobs(r *http.Request) (problem.Response, *problem.Problem) {
	page, p := pageFromQuery(r)
	if p != nil {
		return problem.Response{}, p
	}
	s.refreshJobs(r)
	visible := func(j job.Record) bool { return s.authorize(r, j.Attributes(authz.RoleViewer)) == nil }
	jobs, next, err := pageOf(page, s.jobs.Newest, visible, func(j job.Record) string { return j.ID })
	if err != nil {
		return problem.Response{}, errStoreRead()
	}
	return problem.JSON(http.StatusOK, jobList{jobs, next}), nil
}

// refreshJobs updates the job records from the host. If the host does not answer, the records stay as they are; their
// field updated shows the time. The refresh continues if the client disconnects.
func (s *Server) refreshJobs(r *http.Request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), readTimeout)
	defer cancel()
	_ = s.jobs.Refresh(ctx) // Watch logs the error
}

// showJob handles GET /api/v1/jobs/{id}.
func (s *Server) showJob(r *http.Request) (problem.Response, *problem.Problem) {
	j, p := s.findJob(r)
	if p != nil {
		return problem.Response{}, p
	}
	if !j.State.Ended() {
		s.refreshJobs(r)
		var ok bool
		if j, ok = s.jobs.Get(j.ID); !ok {
			return problem.Response{}, errStoreRead()
		}
	}
	response := problem.JSON(http.StatusOK, j)
	if !j.State.Ended() {
		response.RetryAfter = "2"
	}
	return response, nil
}

// findJob returns the job that the URL names if the caller can see it.
func (s *Server) findJob(r *http.Request) (job.Record, *problem.Problem) {
	j, ok := s.jobs.Get(r.PathValue("id"))
	if native := operation.JobID(r.PathValue("id")); native != "" {
		j, ok = s.jobs.FindNative(native)
	}
	if !ok || s.authorize(r, j.Attributes(authz.RoleViewer)) != nil {
		return j, problem.New(problem.NotFound, "job %.80q: not found", r.PathValue("id"))
	}
	return j, nil
}

// cancelRequest is the body of a cancellation.
type cancelRequest struct {
	DryRun bool   `json:"dry_run,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// cancelJob handles POST /api/v1/jobs/{id}/cancel. A caller who may start the action may cancel its job.
func (s *Server) cancelJob(r *http.Request) (problem.Response, *problem.Problem) {
	req, body, p := operation.ReadRequest(r)
	if p != nil {
		return problem.Response{}, p
	}
	if !reflect.DeepEqual(*req, operation.Request{DryRun: req.DryRun, Reason: req.Reason}) {
		return problem.Response{}, problem.New(problem.BadRequest, "a cancellation has only the fields dry_run and reason")
	}
	j, p := s.findJob(r)
	if p != nil {
		return problem.Response{}, p
	}
	x := &execution{
		server: s, id: j.ID, caller: principalOf(r), request: req, began: s.options.Now(), key: &idempotentRequest{},
		plan: j.CancelPlan(),
	}
	setMethodLabel(r, x.plan.Method.Name)
	if p := s.authorize(r, j.Attributes(x.plan.Role)); p != nil {
		return problem.Response{}, x.auditRefusal(p)
	}
	if response, done, p := x.replay(r, body); done || p != nil {
		return response, p
	}
	defer x.key.close()
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	if err := s.jobs.Refresh(ctx); err != nil {
		return problem.Response{}, x.auditRefusal(problem.FromHost("read Msvm_ConcreteJob", err))
	}
	j, ok := s.jobs.Get(j.ID)
	switch {
	case !ok:
		return problem.Response{}, errStoreRead()
	case j.State.Ended():
		return problem.Response{}, x.auditRefusal(problem.New(problem.InvalidState, "the job has ended: %s", j.State))
	case !j.Cancellable || j.Path == "":
		return problem.Response{}, x.auditRefusal(problem.New(problem.InvalidState,
			"the job is not cancellable now"))
	case req.DryRun:
		return problem.JSON(http.StatusOK, dryRunResult{DryRun: true, Plan: x.plan.Show()}), nil
	}
	return cancelOnHost(r, x)
}

// cancelOnHost asks the host once to cancel a job.
func cancelOnHost(r *http.Request, x *execution) (problem.Response, *problem.Problem) {
	s := x.server
	if err := s.audit.Write(x.auditRecord(audit.Intent), true); err != nil {
		return problem.Response{}, s.auditUnavailable(err)
	}
	if err := s.store.PutAll(x.key.entries(x.id)...); err != nil { // without the key the host could be called twice
		level.Error(s.options.Logger).Log("msg", "request rejected, cannot store Idempotency-Key", "err", err)
		x.auditNotCalled()
		return problem.Response{}, problem.New(problem.Internal,
			"the request was not executed: cannot store its Idempotency-Key")
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(r.Context()), s.options.CallTimeout)
	defer stop()
	reply, err := s.invokerFor(x.caller).Invoke(ctx, x.plan.Call())
	p := x.replyProblem(reply, err)
	var response problem.Response
	if p != nil {
		response = p.Response()
	} else {
		s.refreshJobs(r)
		j, _ := s.jobs.Get(x.id)
		response = accepted(j)
	}
	outcome := auditOutcome(x, reply, err, p)
	outcome.Status = response.Status
	s.auditAfter(outcome)
	x.saveResponse(response)
	return response, nil
}
