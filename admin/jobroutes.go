package admin

import (
	"context"
	"net/http"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// maxListed bounds a list of jobs.
const maxListed = 500

// deed is what the policy is asked for about a job.
func (j jobRecord) deed(needs role) deed {
	return deed{needs: needs, names: []string{j.Method, j.Action}, vm: j.VMID, name: j.VM}
}

// listJobs is GET /api/v1/jobs: the newest first.
func (s *Server) listJobs(r *http.Request) (answer, *problem) {
	s.freshen(r)
	all, err := s.store.allJobs()
	if err != nil {
		return answer{}, refuse(kindInternal, "the store cannot be read")
	}
	shown := []jobRecord{}
	for _, j := range all {
		if s.policy.Load().refuses(callerOf(r), j.deed(viewer)) == nil && len(shown) < maxListed {
			shown = append(shown, j)
		}
	}
	return jsonAnswer(http.StatusOK, jobList{shown}), nil
}

// freshen brings the records up to now. If the host does not answer they are as
// they were, and say since when.
func (s *Server) freshen(r *http.Request) {
	ctx, cancel := s.reading(r.Context())
	defer cancel()
	_ = s.jobs.look(ctx) // the watch logs it
}

// showJob is GET /api/v1/jobs/{id}.
func (s *Server) showJob(r *http.Request) (answer, *problem) {
	j, p := s.job(r)
	if p != nil {
		return answer{}, p
	}
	if !j.State.ended() {
		s.freshen(r)
		j, _ = s.jobs.get(j.ID)
	}
	a := jsonAnswer(http.StatusOK, j)
	if !j.State.ended() {
		a.Retry = "2"
	}
	return a, nil
}

func (s *Server) job(r *http.Request) (jobRecord, *problem) {
	j, ok := s.jobs.get(r.PathValue("id"))
	if !ok || s.policy.Load().refuses(callerOf(r), j.deed(viewer)) != nil {
		return j, refuse(kindNotFound, "there is no such job")
	}
	return j, nil
}

// cancelJob is POST /api/v1/jobs/{id}/cancel: who may begin it may cancel it.
func (s *Server) cancelJob(r *http.Request) (answer, *problem) {
	b, _, p := readBody(r)
	if p != nil {
		return answer{}, p
	}
	j, p := s.job(r)
	if p != nil {
		return answer{}, p
	}
	d := &deal{s: s, id: j.ID, caller: callerOf(r), body: b, began: s.o.Now()}
	needs, err := parseRole(j.Role)
	if err != nil {
		needs = owner
	}
	m, _ := msvm.FindMethod("Msvm_ConcreteJob", "RequestStateChange")
	note(r, m.Name)
	d.plan = &plan{
		action: "cancel-job", method: m, vm: j.VMID, name: j.VM, needs: max(needs, operator), object: wmiquery.Ref(j.Path),
		in:    []wmiquery.Param{{Name: "RequestedState", Value: terminate}, {Name: "TimeoutPeriod"}},
		shown: map[string]any{"RequestedState": terminate, "job": j.Path},
	}
	if p := s.policy.Load().refuses(d.caller, j.deed(d.plan.needs)); p != nil {
		return answer{}, d.refused(p)
	}
	ctx, cancel := s.reading(r.Context())
	defer cancel()
	if err := s.jobs.look(ctx); err != nil {
		return answer{}, d.refused(hostProblem("read Msvm_ConcreteJob", err))
	}
	j, _ = s.jobs.get(j.ID)
	switch {
	case j.State.ended():
		return answer{}, d.refused(refuse(kindState, "the job has ended: %s", j.State))
	case !j.Cancellable || j.Path == "":
		return answer{}, d.refused(refuse(kindState, "the host says that the job cannot be cancelled now"))
	case b.DryRun:
		return jsonAnswer(http.StatusOK, dryRun{DryRun: true, Plan: d.plan.show()}), nil
	}
	return d.cancel(ctx, r, j.url())
}

// terminate is the value of a job's RequestedState that cancels it.
const terminate = uint16(4)

func (d *deal) cancel(ctx context.Context, r *http.Request, url string) (answer, *problem) {
	if err := d.s.audit.write(d.line(auditIntent), true); err != nil {
		return answer{}, d.noAudit(err)
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), d.s.o.CallTimeout)
	defer stop()
	reply, err := d.s.o.Invoker.Invoke(ctx, d.plan.call())
	l := d.line(auditOutcome)
	l.Duration = new(d.s.o.Now().Sub(d.began).Seconds())
	var p *problem
	switch {
	case err != nil:
		p = callProblem(d.plan.method.Name, err)
	case reply.Err() != nil:
		p = codeProblem(d.plan.method.Name, reply.Code)
	}
	if err == nil {
		l.Code = &reply.Code
	}
	if p != nil {
		l.Status, l.Type, l.Error = p.kind.status, p.kind.slug, p.detail
	} else {
		l.Status = http.StatusAccepted
	}
	if err := d.s.audit.write(l, true); err != nil {
		return answer{}, d.noAudit(err)
	}
	if p != nil {
		return answer{}, p
	}
	d.s.freshen(r)
	j, _ := d.s.jobs.get(d.id)
	a := jsonAnswer(http.StatusAccepted, j)
	a.Location, a.Retry = url, "2"
	return a, nil
}
