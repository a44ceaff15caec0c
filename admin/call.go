package admin

import (
	"context"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// invoke calls the host, once, and waits for its answer for a while. It goes on
// when the client has left.
func (d *deal) invoke(ctx context.Context, release func()) answer {
	d.s.calls.Add(1)
	done := make(chan answer, 1)
	go func() {
		defer d.s.calls.Done()
		defer release()
		defer func() { // the program goes on, and the record does not stay open
			if x := recover(); x != nil {
				level.Error(d.s.o.Logger).Log("msg", "panic in a call", "action", d.id, "panic", x, "stack", string(debug.Stack()))
				d.s.jobs.change(d.id, func(r *jobRecord) {
					r.Error = "the program failed while the host was called"
					r.at(jobUnknown, d.s.o.Now())
				})
				release()
				done <- refuse(kindUnknown, "look at the log of the program, and at the VM").with("job", apiJobs+"/"+d.id).answer()
			}
		}()
		reply, err := d.s.o.Invoker.Invoke(context.WithoutCancel(ctx), d.plan.native())
		a := d.outcome(reply, err)
		release() // before the answer is out: who has it may go on at once
		done <- a
	}()
	wait := time.NewTimer(d.s.o.CallTimeout)
	defer wait.Stop()
	select {
	case a := <-done:
		return a
	case <-wait.C:
	}
	r, _ := d.s.jobs.get(d.id)
	return accepted(r)
}

// outcome writes down what the host answered, and makes the answer.
func (d *deal) outcome(reply wmiquery.Reply, err error) answer {
	p := d.replied(reply, err)
	l := d.ended(reply, err, p)
	r := d.s.jobs.change(d.id, func(r *jobRecord) { d.settle(r, reply, err, p, d.s.o.Now()) })
	var a answer
	switch {
	case p != nil:
		a = p.with("job", r.url()).answer()
	case reply.Code == wmiquery.CodeJobStarted:
		a = accepted(r)
	default:
		a = jsonAnswer(http.StatusOK, r)
	}
	l.Status, l.State = a.Status, string(r.State)
	d.s.audited(l)
	return a
}

// replied is the problem that the host's answer is, nil if it is none.
func (d *deal) replied(reply wmiquery.Reply, err error) *problem {
	switch {
	case err != nil:
		return callProblem(d.plan.method.Name, err)
	case reply.Err() != nil:
		return codeProblem(d.plan.method.Name, reply.Code)
	}
	return nil
}

// ended is the line of the audit log about the host's answer.
func (d *deal) ended(reply wmiquery.Reply, err error, p *problem) auditLine {
	l := d.line(auditOutcome)
	l.Duration = new(d.s.o.Now().Sub(d.began).Seconds())
	if err == nil {
		l.Code, l.Job = &reply.Code, string(reply.Job)
	}
	if p != nil {
		l.Type, l.Error = p.kind.slug, p.detail
	}
	return l
}

// audited writes a line about what has been done, with which it is too late to refuse.
func (s *Server) audited(l auditLine) {
	if err := s.audit.note(l); err != nil {
		level.Error(s.o.Logger).Log("msg", "an outcome cannot be written to the audit log, and is as soon as it can", "action", l.ID, "status", l.Status, "err", err)
	}
}

// settle puts the host's answer into the record.
func (d *deal) settle(r *jobRecord, reply wmiquery.Reply, err error, p *problem, now time.Time) {
	if err == nil {
		r.Code = &reply.Code
	}
	switch {
	case p != nil && p.kind == kindUnknown:
		r.Error = p.detail
		r.at(jobUnknown, now)
	case p != nil:
		r.Error = p.detail
		r.at(jobFailed, now)
	case reply.Code == wmiquery.CodeJobStarted && reply.Job == "":
		r.Error = "the host started a job and did not tell which"
		r.at(jobUnknown, now)
	case reply.Code == wmiquery.CodeJobStarted:
		r.Path = string(wmiquery.Relative(string(reply.Job)))
		r.at(jobRunning, now)
	default:
		r.Result = showOut(d.plan.method, reply.Out)
		if made, ok := reply.Out["ResultingSystem"].(wmiquery.Ref); ok {
			r.TestVM = msvm.VMOf(made)
		}
		r.at(jobSucceeded, now)
	}
}

// callProblem is the problem that a failed call is. Only what says that the call
// was not made, or was refused, is a failure: after anything else it may have
// taken effect.
func callProblem(method string, err error) *problem {
	if wmiquery.IsRefusal(err) {
		return hostProblem(method, err)
	}
	return refuse(kindUnknown, "%s: %v; it is not called again: look at the VM", method, err)
}

// accepted is the answer while a job runs.
func accepted(r jobRecord) answer {
	a := jsonAnswer(http.StatusAccepted, r)
	a.Location, a.Retry = r.url(), "2"
	return a
}
