package admin

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/go-kit/log/level"
)

// queue has the resynchronizations that wait for another to end: each reads all disks of
// its VM. It is in memory only, for after a restart nobody knows whether they are still
// meant: then those that waited are cancelled.
type queue struct {
	mu      sync.Mutex
	waiting []*deal // the first is the next
}

// maxWaiting bounds the queue.
const maxWaiting = 50

// waits tells whether an action that is refused waits for its turn instead.
func (d *deal) waits(p *problem) bool {
	return p != nil && p.kind == kindResync && d.plan.method.Name == "Resynchronize" && !d.plan.scheduled()
}

// wait confirms an action as if it were done now, and puts it into the queue.
func (d *deal) wait(ctx context.Context) (answer, *problem) {
	ctx, cancel := d.s.reading(ctx)
	defer cancel()
	v, p := d.look(ctx, d.planned)
	if p == nil {
		p = d.checks(v)
	}
	if p != nil && !d.waits(p) {
		return answer{}, p
	}
	if p := d.confirmOnce(ctx, v); p != nil {
		return answer{}, p
	}
	q := d.s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	switch i := slices.IndexFunc(q.waiting, func(o *deal) bool { return o.plan.vm == d.plan.vm }); {
	case i >= 0:
		return answer{}, busy(d.plan.vm, "its resynchronization waits").with("job", apiJobs+"/"+q.waiting[i].id)
	case len(q.waiting) >= maxWaiting:
		return answer{}, refuse(kindLimit, "%d resynchronizations wait, which is the limit", len(q.waiting))
	}
	if err := d.s.audit.write(d.line(auditQueued), true); err != nil {
		return answer{}, d.s.noAudit(err)
	}
	r := d.record()
	r.Waiting, r.Cancellable = true, true
	if err := d.s.jobs.begin(r, d.attempt.calls(d.id)...); err != nil {
		return answer{}, d.s.noRecord(err)
	}
	q.waiting = append(q.waiting, d)
	a := accepted(r)
	d.keep(a)
	return a, nil
}

// next is who is next, nil if nobody waits.
func (q *queue) next() *deal {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	return q.waiting[0]
}

// leave takes an action out of the queue, false if it is not there any more.
func (q *queue) leave(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.waiting, func(d *deal) bool { return d.id == id })
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// startWaiting begins with the next resynchronization, if its turn has come. What has
// changed since it was confirmed is not what was meant: that one is not begun.
func (s *Server) startWaiting(ctx context.Context) {
	first := s.queue.next()
	if first == nil {
		return
	}
	d := new(*first) // what was confirmed stays as it was, however often it is looked at
	c, cancel := s.reading(ctx)
	defer cancel()
	if s.jobs.look(c) != nil { // the watch logs it
		return
	}
	release, p := s.locks.claim(d.id, d.claims(), false)
	if p != nil {
		return
	}
	confirmed := *first.seen
	v, p := d.look(c, d.planned)
	if p == nil {
		p = d.checks(v)
	}
	if p == nil && (d.seen.State != confirmed.State || d.seen.Mode != confirmed.Mode) {
		p = refuse(kindState, "it was confirmed in the state %s and mode %s, and is in %s and %s", confirmed.State, confirmed.Mode, d.seen.State, d.seen.Mode)
	}
	if d.waits(p) || p != nil && p.kind.status >= http.StatusInternalServerError || !s.queue.leave(d.id) { // later, or it was cancelled
		release()
		return
	}
	if p == nil {
		if err := s.audit.write(d.line(auditIntent), true); err != nil {
			p = s.noAudit(err)
		}
	}
	if p != nil {
		release()
		level.Warn(s.o.Logger).Log("msg", "a resynchronization that has waited is not begun", "action", d.id, "vm_id", d.plan.vm, "why", p.detail)
		_ = d.refused(p)
		s.jobs.change(d.id, func(r *jobRecord) {
			r.Error, r.Waiting = p.detail, false
			r.at(jobFailed, s.o.Now())
		})
		return
	}
	s.jobs.change(d.id, func(r *jobRecord) { r.Waiting, r.Cancellable = false, false })
	d.invoke(ctx, release)
}
