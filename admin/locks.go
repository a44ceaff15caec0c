package admin

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/problem"
)

// locks allow one action per VM and one resynchronization at a time, and limit the number of actions. An action is in
// progress from its checks to the end of its job.
type locks struct {
	jobs       *job.Tracker
	maxActions int
	// stuckAfter is the age at which a call counts as stuck. A stuck call no longer blocks the actions that pause or
	// cancel what it may have started.
	stuckAfter time.Duration

	mu   sync.Mutex
	held map[string]lock // by the ID of the action
}

// lock is held during a call of the host, from the checks to the answer.
type lock struct {
	vm     string // GUID, "" for the host itself
	action string
	since  time.Time
	resync bool
	urgent bool // not subject to maxActions: a failover must not wait for copies that run for hours
	call   *hostCall
}

// lock returns the lock that the call needs.
func (x *execution) lock() lock {
	return lock{
		vm: x.plan.LockVM, urgent: x.plan.Role == authz.RoleFailover, action: x.plan.Action,
		since: x.server.options.Now(), resync: x.plan.Resynchronizes(), call: x.call,
	}
}

func newLocks(jobs *job.Tracker, maxActions int, stuckAfter time.Duration) *locks {
	return &locks{jobs: jobs, maxActions: maxActions, stuckAfter: stuckAfter, held: map[string]lock{}}
}

// acquire takes a lock for an action. The caller must call release when the host has answered, and the record of the
// job, if there is one, is updated.
func (l *locks) acquire(id string, want lock, allowedDuringJob bool) (release func(), p *problem.Problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.checkCalls(want, allowedDuringJob); p != nil {
		return nil, p
	}
	if p := l.checkJobs(want, allowedDuringJob); p != nil {
		return nil, p
	}
	l.held[id] = want
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held, id)
	}), nil
}

// check returns the problem that acquire would return now.
func (l *locks) check(want lock) *problem.Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.checkCalls(want, false); p != nil {
		return p
	}
	return l.checkJobs(want, false)
}

// checkStuck returns a problem if an action holds no lock of a VM, or if its call is not stuck.
func (l *locks) checkStuck(id string, now time.Time) *problem.Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	held, ok := l.held[id]
	switch age := now.Sub(held.since); {
	case !ok || held.vm == "":
		return problem.New(problem.InvalidState, "the call holds no lock of a VM")
	case age <= l.stuckAfter:
		return problem.New(problem.InvalidState, "the call is not stuck yet; the host has %s to answer", l.stuckAfter).
			WithHeader("Retry-After", "5")
	}
	return nil
}

// unlock takes the lock from a call. If the call has not reached the host, it never will.
func (l *locks) unlock(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if call := l.held[id].call; call != nil {
		call.abandon()
	}
	delete(l.held, id)
}

// checkCalls returns a problem if a call in progress conflicts with the lock. The caller must hold l.mu.
func (l *locks) checkCalls(want lock, allowedDuringJob bool) *problem.Problem {
	for id, other := range l.held {
		switch age := want.since.Sub(other.since); {
		case other.vm == want.vm && (!allowedDuringJob || age <= l.stuckAfter):
			what := fmt.Sprintf("the call of %s since %s", other.action, other.since.UTC().Format(time.RFC3339))
			if age > l.stuckAfter {
				what += ", which the host has not answered; a user with the role failover can POST to its /unlock"
			}
			return busy(want.vm, what).With("job", apiJobs+"/"+id)
		case want.resync && other.resync:
			return problem.New(problem.ResynchronizationRunning, "another resynchronization is being started").
				WithHeader("Retry-After", "10")
		}
	}
	return nil
}

// checkJobs returns a problem if a running job or the limit of actions conflicts with the lock. The caller must hold
// l.mu.
func (l *locks) checkJobs(want lock, allowedDuringJob bool) *problem.Problem {
	for _, j := range l.jobs.Running("") {
		switch {
		case j.Scheduled:
			continue
		case cmp.Or(j.LockVM, j.VMID) == want.vm && !allowedDuringJob:
			return busy(want.vm, fmt.Sprintf("the job %s (%s)", j.ID, j.Action)).With("job", jobURL(j))
		case want.resync && (j.Resync || j.Action == "resynchronize"):
			return problem.New(problem.ResynchronizationRunning,
				"another resynchronization is running; only one can run at a time").WithHeader("Retry-After", "60")
		}
	}
	if n := l.inProgress(); n >= l.maxActions && !allowedDuringJob && !want.urgent {
		return problem.New(problem.TooManyActions, "%d actions are in progress, which is the maximum", n).
			WithHeader("Retry-After", "10")
	}
	return nil
}

// full reports whether the limit of actions is reached, as far as the ends of jobs are known.
func (l *locks) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inProgress() >= l.maxActions
}

// inProgress returns the number of actions in progress. The caller must hold l.mu.
func (l *locks) inProgress() int {
	n := len(l.held)
	for _, j := range l.jobs.Running("") {
		if !j.Scheduled && j.Path != "" { // a job without a path is counted as a call
			n++
		}
	}
	return n
}

// checkScheduled rejects a second scheduled resynchronization, because the end of the first one is not known.
func (l *locks) checkScheduled() *problem.Problem {
	for _, j := range l.jobs.Running("") {
		if j.Scheduled && j.Action == "resynchronize" {
			return problem.New(problem.ResynchronizationRunning,
				"another resynchronization is scheduled; only one can be scheduled").WithHeader("Retry-After", "60")
		}
	}
	return nil
}

// busy returns the problem of a VM that another action uses.
func busy(vm, what string) *problem.Problem {
	subject := "vm " + vm
	if vm == "" {
		subject = "host"
	}
	return problem.New(problem.Busy, "%s: another action is in progress: %s", subject, what).WithHeader("Retry-After", "5")
}
