package admin

import (
	"cmp"
	"fmt"
	"sync"
	"time"
)

// locks lets one action at a time be about a VM, one resynchronization be under
// way, and a limited number of actions in all. An action is under way from its
// checks to the end of its job.
type locks struct {
	jobs  *jobs
	limit int
	// patience is when a call that has not come back no longer keeps others from
	// stopping what it may have begun.
	patience time.Duration

	mu    sync.Mutex
	calls map[string]call // by the id of the action
}

// call is a call of the host, from its checks to its answer.
type call struct {
	vm     string // "" is the host itself
	action string
	since  time.Time
	resync bool
	urgent bool // a failover does not wait for copies that run for hours
}

// claim takes the VM of a call for an action. Release must be called when the host has
// answered and the job, if there is one, is recorded.
func (l *locks) claim(id string, c call, beside bool) (release func(), p *problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.callsRefuse(c, beside); p != nil {
		return nil, p
	}
	if p := l.jobsRefuse(id, c, beside); p != nil {
		return nil, p
	}
	l.calls[id] = c
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.calls, id)
	}), nil
}

// callsRefuse tells why calls under way speak against an action; l.mu is held.
func (l *locks) callsRefuse(c call, beside bool) *problem {
	for id, other := range l.calls {
		switch age := c.since.Sub(other.since); {
		case other.vm == c.vm && (!beside || age <= l.patience):
			what := fmt.Sprintf("the call of %s since %s", other.action, other.since.UTC().Format(time.RFC3339))
			if age > l.patience {
				what += ", which the host does not answer (if it never does, restart this program)"
			}
			return busy(c.vm, what).with("job", apiJobs+"/"+id)
		case c.resync && other.resync:
			return refuse(kindResync, "another one is being started").heading("Retry-After", "10")
		}
	}
	return nil
}

// jobsRefuse tells why jobs that run, or the limit, speak against an action; l.mu
// is held.
func (l *locks) jobsRefuse(id string, c call, beside bool) *problem {
	running := len(l.calls)
	for _, j := range l.jobs.running("") {
		switch {
		case j.Scheduled, j.ID == id:
			continue
		case cmp.Or(j.Claimed, j.VMID) == c.vm && !beside:
			return busy(c.vm, "the job "+j.ID+" ("+j.Action+")").with("job", j.url())
		case c.resync && (j.Resync || j.Action == "resynchronize"):
			return refuse(kindResync, "the VM %s resynchronizes; one does at a time", j.VMID).heading("Retry-After", "60").with("job", j.url())
		case j.Path != "": // others are counted as calls
			running++
		}
	}
	if running >= l.limit && !beside && !c.urgent {
		return refuse(kindLimit, "%d actions are under way, which is the limit", running).heading("Retry-After", "10")
	}
	return nil
}

// schedule refuses a second resynchronization at a time of somebody's choice: nobody
// can tell how long the first will take.
func (l *locks) schedule() *problem {
	for _, j := range l.jobs.running("") {
		if j.Scheduled && j.Action == "resynchronize" {
			return refuse(kindResync, "that of the VM %s is scheduled already; one can be at a time", j.VMID).heading("Retry-After", "60").with("job", j.url())
		}
	}
	return nil
}

// refuses tells why an action could not be begun now.
func (l *locks) refuses(c call) *problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.callsRefuse(c, false); p != nil {
		return p
	}
	return l.jobsRefuse("", c, false)
}

func busy(vm, what string) *problem {
	about := "the VM " + vm
	if vm == "" {
		about = "the host itself"
	}
	return refuse(kindBusy, "something about %s is under way: %s", about, what).heading("Retry-After", "5")
}
