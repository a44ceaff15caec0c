package admin

import (
	"context"
	"net/http"
	"reflect"

	"github.com/go-kit/log/level"

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
		j = s.jobs.latest(j)
		if s.policy.Load().refuses(callerOf(r), j.deed(viewer)) == nil && len(shown) < maxListed {
			shown = append(shown, j)
		}
	}
	return jsonAnswer(http.StatusOK, jobList{shown}), nil
}

// freshen brings the records up to now. If the host does not answer they are as
// they were, and say since when.
func (s *Server) freshen(r *http.Request) {
	ctx, cancel := s.reading(context.WithoutCancel(r.Context())) // who hangs up leaves no half of it
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
		var ok bool
		if j, ok = s.jobs.get(j.ID); !ok {
			return answer{}, refuse(kindInternal, "the store cannot be read")
		}
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

// cancellation is the body of a cancel.
type cancellation struct {
	DryRun bool   `json:"dry_run,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func (c cancellation) body() body { return body{DryRun: c.DryRun, Reason: c.Reason} }

// cancelJob is POST /api/v1/jobs/{id}/cancel: who may begin it may cancel it.
func (s *Server) cancelJob(r *http.Request) (answer, *problem) {
	b, text, p := readBody(r)
	if p != nil {
		return answer{}, p
	}
	if rest := (cancellation{b.DryRun, b.Reason}).body(); !reflect.DeepEqual(*b, rest) {
		return answer{}, refuse(kindBadRequest, "a cancel takes dry_run and reason only")
	}
	j, p := s.job(r)
	if p != nil {
		return answer{}, p
	}
	d := &deal{s: s, id: j.ID, caller: callerOf(r), body: b, began: s.o.Now(), attempt: &attempt{}, plan: j.cancelling()}
	note(r, d.plan.method.Name)
	if p := s.policy.Load().refuses(d.caller, j.deed(d.plan.needs)); p != nil {
		return answer{}, d.refused(p)
	}
	if a, p := d.again(r, text); a != nil || p != nil {
		return or(a), p
	}
	defer d.attempt.close()
	ctx, cancel := s.reading(r.Context())
	defer cancel()
	if err := s.jobs.look(ctx); err != nil {
		return answer{}, d.refused(hostProblem("read Msvm_ConcreteJob", err))
	}
	j, ok := s.jobs.get(j.ID)
	switch {
	case !ok:
		return answer{}, refuse(kindInternal, "the store cannot be read")
	case j.State.ended():
		return answer{}, d.refused(refuse(kindState, "the job has ended: %s", j.State))
	case !j.Cancellable || j.Path == "":
		return answer{}, d.refused(refuse(kindState, "the host says that the job cannot be cancelled now"))
	case b.DryRun:
		return jsonAnswer(http.StatusOK, dryRun{DryRun: true, Plan: d.plan.show()}), nil
	}
	return d.cancel(r)
}

// terminate is the value of a job's RequestedState that cancels it.
const terminate = uint16(4)

// cancelling is the plan of a job's cancellation.
func (j jobRecord) cancelling() *plan {
	needs, err := parseRole(j.Role)
	if err != nil {
		needs = owner
	}
	m, _ := msvm.FindMethod("Msvm_ConcreteJob", "RequestStateChange")
	return &plan{
		action: "cancel-job", method: m, vm: j.VMID, name: j.VM, needs: max(needs, operator), object: wmiquery.Ref(j.Path),
		in:    []wmiquery.Param{{Name: "RequestedState", Value: terminate}, {Name: "TimeoutPeriod"}},
		shown: map[string]any{"RequestedState": terminate, "job": j.Path},
	}
}

// noKey refuses what could be done twice.
func (d *deal) noKey(err error) *problem {
	level.Error(d.s.o.Logger).Log("msg", "nothing is done, since its Idempotency-Key cannot be kept", "err", err)
	return refuse(kindInternal, "the Idempotency-Key cannot be kept, so nothing is done")
}

// cancel asks the host, once, to cancel the job.
func (d *deal) cancel(r *http.Request) (answer, *problem) {
	if err := d.s.audit.write(d.line(auditIntent), true); err != nil {
		return answer{}, d.s.noAudit(err)
	}
	if err := d.s.store.putAll(d.attempt.calls(d.id)...); err != nil {
		return answer{}, d.noKey(err)
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(r.Context()), d.s.o.CallTimeout)
	defer stop()
	reply, err := d.s.o.Invoker.Invoke(ctx, d.plan.native())
	p := d.replied(reply, err)
	var a answer
	if p != nil {
		a = p.answer()
	} else {
		d.s.freshen(r)
		j, _ := d.s.jobs.get(d.id)
		a = accepted(j)
	}
	l := d.ended(reply, err, p)
	l.Status = a.Status
	d.s.audited(l)
	d.keep(a)
	return a, nil
}
