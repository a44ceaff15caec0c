package admin

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/go-kit/log/level"
)

// planner makes a plan of what the host shows.
type planner func(context.Context, *hostView, *body) (*plan, *problem)

// deal is a request that acts, on its way.
type deal struct {
	s       *Server
	id      string // of the action, and of its job
	caller  caller
	body    *body
	attempt *attempt
	plan    *plan
	seen    *seen // nil if it is about no relationship
	began   time.Time
	handed  bool // the host was called, and the claim of the VM ends with its answer
}

// actVerb is POST /api/v1/replicas/{vm_id}/{relationship}/actions/{verb}.
func (s *Server) actVerb(r *http.Request) (answer, *problem) {
	verb, ok := findVerb(r.PathValue("verb"))
	if !ok {
		return answer{}, refuse(kindNotFound, "there is no action %.80q", r.PathValue("verb"))
	}
	m := findMethod(verb.method)
	return s.act(r, func(ctx context.Context, v *hostView, b *body) (*plan, *problem) {
		x, p := v.find(r.PathValue("vm_id"), r.PathValue("relationship"))
		if p != nil {
			return nil, p
		}
		// Before anything else is told about the VM.
		if p := s.policy.Load().refuses(callerOf(r), verb.deed(m, x)); p != nil {
			return nil, p
		}
		if b.Target != "" {
			return nil, refuse(kindBadRequest, "target is for methods only")
		}
		with, err := gather(ctx, s.o.Reader, m, x.key.VM)
		if err != nil {
			return nil, hostProblem("read", err)
		}
		return v.planVerb(verb, x, b, with)
	})
}

// actMethod is POST /api/v1/methods/{method}.
func (s *Server) actMethod(r *http.Request) (answer, *problem) {
	m, p := methodNamed(r.PathValue("method"))
	if p != nil {
		return answer{}, p
	}
	return s.act(r, func(ctx context.Context, v *hostView, b *body) (*plan, *problem) {
		vm, p := vmOfBody(m, b)
		if p != nil {
			return nil, p
		}
		with, err := gather(ctx, s.o.Reader, m, vm)
		if err != nil {
			return nil, hostProblem("read", err)
		}
		return v.planMethod(m, b, with, func(d deed) *problem { return s.policy.Load().refuses(callerOf(r), d) })
	})
}

// act is what all requests that act have in common.
func (s *Server) act(r *http.Request, planned planner) (answer, *problem) {
	d := &deal{s: s, id: strings.ToLower(rand.Text()), caller: callerOf(r), began: s.o.Now(), attempt: &attempt{}}
	b, text, p := readBody(r)
	if p != nil {
		return answer{}, p
	}
	d.body = b
	if !b.DryRun {
		// An answer that was given is given again, even if the host cannot be reached.
		attempt, before, p := s.idempotency.begin(r, d.caller, text)
		if p != nil {
			return answer{}, d.refused(p)
		}
		if before != nil {
			return *before, nil
		}
		defer attempt.close()
		d.attempt = attempt
	}
	ctx, cancel := s.reading(r.Context())
	defer cancel()
	view, p := d.look(ctx, planned)
	if p != nil {
		return answer{}, d.refused(p)
	}
	note(r, d.plan.method.Name)
	if strings.HasPrefix(d.plan.method.Name, "Get") {
		return d.get(ctx)
	}
	if b.DryRun {
		return d.dryRun(ctx, view)
	}
	if running := s.jobs.running(d.plan.vm); len(running) > 0 { // they may have ended
		if err := s.jobs.look(ctx); err != nil {
			return answer{}, d.refused(hostProblem("read Msvm_ConcreteJob", err))
		}
	}
	release, p := s.locks.claim(d.plan.vm, d.plan.resynchronizes(), d.plan.beside())
	if p != nil {
		return answer{}, d.refused(p)
	}
	defer func() {
		if !d.handed {
			release()
		}
	}()
	a, p := d.commit(ctx, planned, release)
	if p != nil {
		p = d.refused(p)
	}
	return a, p
}

// look looks at the host, makes the plan, and asks the policy.
func (d *deal) look(ctx context.Context, planned planner) (*hostView, *problem) {
	v, p := readHost(ctx, d.s.o.Reader)
	if p != nil {
		return nil, p
	}
	next, p := planned(ctx, v, d.body)
	if p != nil {
		return nil, p
	}
	d.plan, d.seen = next, nil
	if p := d.s.policy.Load().refuses(d.caller, next.deed()); p != nil {
		return nil, p
	}
	if next.target != nil {
		d.seen = new(v.see(next.target))
	}
	return v, nil
}

// checks are those that need no confirmation: that the target is as expected, and
// that the host would not refuse.
func (d *deal) checks(v *hostView) *problem {
	if p := d.body.expects(d.seen); p != nil {
		return p
	}
	if p := d.plan.refuses(v); p != nil {
		if d.seen != nil {
			p.with("current", d.seen)
		}
		return p
	}
	return nil
}

// estimate adds what is pending to what was seen.
func (d *deal) estimate(ctx context.Context, v *hostView) {
	if d.plan.target != nil && d.plan.target.sends() { // the other side does not know
		d.seen.PendingBytes = v.statistics(ctx, d.s.o.Reader, d.plan.target).pending(d.plan.target)
	}
}

// dryRun tells what would be done.
func (d *deal) dryRun(ctx context.Context, v *hostView) (answer, *problem) {
	if p := d.checks(v); p != nil {
		return answer{}, d.refused(p)
	}
	if p := d.s.locks.refuses(d.plan.vm, d.plan.resynchronizes()); p != nil && !d.plan.beside() {
		return answer{}, d.refused(p)
	}
	d.estimate(ctx, v)
	if err := d.s.audit.write(d.line(auditDryRun), false); err != nil {
		return answer{}, d.noAudit(err)
	}
	told := dryRun{DryRun: true, Plan: d.plan.show(), Confirm: d.plan.method.Destroys != ""}
	if d.seen != nil {
		told.Current, told.Loss = d.seen, &d.seen.loss
	}
	return jsonAnswer(http.StatusOK, told), nil
}

// get runs a method that only reads. It needs no audit line before.
func (d *deal) get(ctx context.Context) (answer, *problem) {
	reply, err := d.s.o.Reader.Get(ctx, d.plan.call())
	if err != nil {
		return answer{}, hostProblem(d.plan.method.Name, err)
	}
	if reply.Err() != nil {
		return answer{}, codeProblem(d.plan.method.Name, reply.Code)
	}
	return jsonAnswer(http.StatusOK, methodResult{reply.Code, showOut(d.plan.method, reply.Out)}), nil
}

// commit looks again, now that nobody else acts on the VM, and if all is well,
// calls the host. When the host is called the claim is handed on.
func (d *deal) commit(ctx context.Context, planned planner, release func()) (answer, *problem) {
	v, p := d.look(ctx, planned)
	if p == nil {
		p = d.checks(v)
	}
	if p != nil {
		return answer{}, p
	}
	if d.plan.method.Destroys != "" {
		d.estimate(ctx, v)
		if p := d.s.confirm(d.caller, d.plan, d.body, d.seen); p != nil {
			return answer{}, p
		}
	}
	if err := d.s.audit.write(d.line(auditIntent), true); err != nil {
		return answer{}, d.noAudit(err)
	}
	err := d.attempt.calls(d.id)
	if err == nil {
		err = d.s.jobs.begin(d.record())
	}
	if err != nil {
		level.Error(d.s.o.Logger).Log("msg", "nothing is done, since its record cannot be kept", "err", err)
		return answer{}, refuse(kindInternal, "the record of the action cannot be kept, so nothing is done")
	}
	d.handed = true
	a := d.invoke(ctx, release)
	if err := d.attempt.keep(d.id, a); err != nil {
		level.Error(d.s.o.Logger).Log("msg", "an answer cannot be kept; its Idempotency-Key will tell of a conflict", "err", err)
	}
	return a, nil
}

// record is the action as it begins.
func (d *deal) record() jobRecord {
	r := jobRecord{
		ID: d.id, State: jobQueued, Action: d.plan.action, Method: d.plan.method.Name, VMID: d.plan.vm, VM: d.plan.name,
		User: d.caller.String(), Reason: d.body.Reason, Role: d.plan.needs.String(), Created: d.began, Updated: d.began,
	}
	if d.plan.target != nil {
		r.Relationship = string(d.plan.target.key.Link)
	}
	return r
}

// line is a line of the audit log about the action.
func (d *deal) line(event auditEvent) auditLine {
	l := auditLine{
		Time: d.s.o.Now().UTC(), Event: event, ID: d.id, User: d.caller.String(), Remote: d.caller.Remote, Reason: d.body.Reason, Seen: d.seen,
	}
	if p := d.plan; p != nil {
		l.Action, l.Method, l.VMID, l.VM, l.Parameters = p.action, p.method.Name, p.vm, p.name, p.shown
		if p.target != nil {
			l.Relationship = string(p.target.key.Link)
		}
	}
	return l
}

// refused writes a refusal to the audit log. That it cannot be written changes
// nothing: nothing is done.
func (d *deal) refused(p *problem) *problem {
	l := d.line(auditRefused)
	l.Status, l.Type, l.Error = p.kind.status, p.kind.slug, p.detail
	if err := d.s.audit.write(l, false); err != nil {
		level.Error(d.s.o.Logger).Log("msg", "a refusal is missing in the audit log", "err", err)
	}
	return p
}

func (d *deal) noAudit(err error) *problem {
	level.Error(d.s.o.Logger).Log("msg", "nothing is done, since the audit log cannot be written", "err", err)
	return refuse(kindAudit, "look at the log of the program")
}
