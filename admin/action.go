package admin

import (
	"cmp"
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
	planned planner
	id      string // of the action, and of its job
	caller  caller
	body    *body
	attempt *attempt
	plan    *plan
	seen    *seen // nil if it is about no relationship
	began   time.Time
	handed  bool // the host was called, and the claim of the VM ends with its answer
	// confirmed: the second step was taken.
	confirmed bool
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
		if b.TestResult != "" && verb.method != destroySystem {
			return nil, refuse(kindBadRequest, "test_result is for cleanup-test-failover only")
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
		if b.TestResult != "" && m.Name != destroySystem {
			return nil, refuse(kindBadRequest, "test_result is for %s only", destroySystem)
		}
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
	d := &deal{s: s, planned: planned, id: strings.ToLower(rand.Text()), caller: callerOf(r), began: s.o.Now(), attempt: &attempt{}}
	b, text, p := readBody(r)
	if p != nil {
		return answer{}, p
	}
	d.body = b
	if a, p := d.again(r, text); a != nil || p != nil {
		return or(a), p
	}
	defer d.attempt.close()
	if a, p := d.first(r); a != nil || p != nil {
		return or(a), p
	}
	a, p := d.now(r.Context())
	if p != nil {
		p = d.refused(p)
	}
	return a, p
}

// now does it now, unless something speaks against it.
func (d *deal) now(ctx context.Context) (answer, *problem) {
	c := d.claims()
	release, p := d.s.locks.claim(d.id, c, d.plan.beside())
	if p != nil {
		return answer{}, p
	}
	defer func() {
		if !d.handed {
			release()
		}
	}()
	return d.commit(ctx, c, release)
}

func or(a *answer) answer {
	if a == nil {
		return answer{}
	}
	return *a
}

// again is the answer that the request's key had: it is given again, even if the host
// cannot be reached. Nil means that there was none.
func (d *deal) again(r *http.Request, text []byte) (*answer, *problem) {
	if d.body.DryRun {
		return nil, nil
	}
	attempt, before, p := d.s.idempotency.begin(r, d.caller, text)
	if p != nil {
		return nil, d.refused(p)
	}
	if before == nil {
		d.attempt = attempt
	}
	return before, nil
}

// first looks at the host for the first time: whether they may who ask, and what it is
// about. What changes nothing is answered.
func (d *deal) first(r *http.Request) (*answer, *problem) {
	ctx, cancel := d.s.reading(r.Context())
	defer cancel()
	view, p := d.look(ctx, d.planned)
	if p != nil {
		return nil, d.refused(p)
	}
	note(r, d.plan.method.Name)
	if strings.HasPrefix(d.plan.method.Name, "Get") {
		return d.get(ctx)
	}
	if d.body.DryRun {
		return d.dryRun(ctx, view)
	}
	if len(d.s.jobs.running(d.plan.vm)) > 0 || d.plan.resynchronizes() { // they may have ended, or only be scheduled
		if err := d.s.jobs.look(ctx); err != nil {
			return nil, d.refused(hostProblem("read Msvm_ConcreteJob", err))
		}
	}
	return nil, nil
}

// claims is what is claimed for the call.
func (d *deal) claims() call {
	return call{vm: cmp.Or(d.plan.claimed, d.plan.vm), urgent: d.plan.needs == failover, action: d.plan.action, since: d.s.o.Now(), resync: d.plan.resynchronizes()}
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
		if next.point != nil && next.method.LosesUnsent {
			v.goneBack(d.seen, next.point)
		}
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
	if d.plan.resynchronizes() && d.plan.scheduled() {
		return d.s.locks.schedule()
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
func (d *deal) dryRun(ctx context.Context, v *hostView) (*answer, *problem) {
	p := d.checks(v)
	if p == nil && !d.plan.beside() {
		p = d.s.locks.refuses(d.claims())
	}
	if p != nil {
		return nil, d.refused(p)
	}
	d.estimate(ctx, v)
	if err := d.s.audit.write(d.line(auditDryRun), false); err != nil {
		return nil, d.s.noAudit(err)
	}
	told := dryRun{DryRun: true, Plan: d.plan.show(), Confirm: d.plan.destroys != ""}
	if d.seen != nil {
		told.Current, told.Loss = d.seen, &d.seen.loss
	}
	return new(jsonAnswer(http.StatusOK, told)), nil
}

// get runs a method that only reads. It needs no audit line before.
func (d *deal) get(ctx context.Context) (*answer, *problem) {
	reply, err := d.s.o.Reader.Get(ctx, d.plan.native())
	if err != nil {
		return nil, hostProblem(d.plan.method.Name, err)
	}
	if reply.Err() != nil {
		return nil, codeProblem(d.plan.method.Name, reply.Code)
	}
	return new(jsonAnswer(http.StatusOK, methodResult{reply.Code, showOut(d.plan.method, reply.Out)})), nil
}

// commit looks again, now that nobody else acts on the VM, and if all is well,
// calls the host. When the host is called the claim is handed on.
func (d *deal) commit(ctx context.Context, claimed call, release func()) (answer, *problem) {
	if p := d.second(ctx, claimed); p != nil {
		return answer{}, p
	}
	if err := d.s.audit.write(d.line(auditIntent), true); err != nil {
		return answer{}, d.s.noAudit(err)
	}
	if err := d.s.jobs.begin(d.record(), d.attempt.calls(d.id)...); err != nil {
		return answer{}, d.s.noRecord(err)
	}
	d.handed = true
	a := d.invoke(ctx, release)
	d.keep(a)
	return a, nil
}

// keep keeps the answer for a request with the same key.
func (d *deal) keep(a answer) {
	if err := d.attempt.keep(d.id, a); err != nil {
		level.Error(d.s.o.Logger).Log("msg", "an answer cannot be kept; its Idempotency-Key will tell of a conflict", "err", err)
	}
}

// second looks again, with time of its own: a host that is slow to look at can be acted
// on, too.
func (d *deal) second(ctx context.Context, claimed call) *problem {
	ctx, cancel := d.s.reading(ctx)
	defer cancel()
	v, p := d.look(ctx, d.planned)
	if p == nil {
		p = d.checks(v)
	}
	if p != nil {
		return p
	}
	if d.claims().vm != claimed.vm || d.plan.resynchronizes() && !claimed.resync {
		return refuse(kindState, "it has changed while it was looked at; ask again").with("current", d.seen)
	}
	return d.confirmOnce(ctx, v)
}

// confirmOnce asks for the second step of what destroys.
func (d *deal) confirmOnce(ctx context.Context, v *hostView) *problem {
	if d.plan.destroys == "" {
		return nil
	}
	d.estimate(ctx, v)
	if p := d.s.confirm(d.caller, d.plan, d.body, d.seen); p != nil {
		if p.kind != kindConfirm {
			d.s.metrics.refused.Inc()
		}
		return p
	}
	d.confirmed = true
	return nil
}
