package admin

import (
	"sync"
)

// locks lets one action at a time be about a VM, one resynchronization be under
// way, and a limited number of actions in all. An action is under way from its
// checks to the end of its job.
type locks struct {
	jobs  *jobs
	limit int

	mu    sync.Mutex
	calls map[string]bool // VMs that are acted on now; "" is the host itself
	count int
	resyn bool
}

// claim takes a VM for an action. Release must be called when the host has
// answered and the job, if there is one, is recorded.
func (l *locks) claim(vm string, resync, beside bool) (release func(), p *problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[vm] {
		return nil, busy(vm, "a call")
	}
	if p := l.jobsRefuse(vm, resync, beside); p != nil {
		return nil, p
	}
	if resync && l.resyn {
		return nil, refuse(kindResync, "another one is being started").heading("Retry-After", "10")
	}
	l.calls[vm], l.resyn = true, l.resyn || resync
	l.count++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.calls, vm)
		l.count--
		if resync {
			l.resyn = false
		}
	}), nil
}

// jobsRefuse tells why jobs that run, or the limit, speak against an action; l.mu
// is held.
func (l *locks) jobsRefuse(vm string, resync, beside bool) *problem {
	running := l.count
	for _, j := range l.jobs.running("") {
		switch {
		case j.Scheduled:
			continue
		case j.VMID == vm && !beside:
			return busy(vm, "the job "+j.ID+" ("+j.Action+")").with("job", j.url())
		case resync && j.Action == "resynchronize":
			return refuse(kindResync, "the VM %s resynchronizes; one does at a time", j.VMID).heading("Retry-After", "60").with("job", j.url())
		case j.Path != "": // others are counted as calls
			running++
		}
	}
	if running >= l.limit && !beside {
		return refuse(kindLimit, "%d actions are under way, which is the limit", running).heading("Retry-After", "10")
	}
	return nil
}

// refuses tells why an action could not be begun now.
func (l *locks) refuses(vm string, resync bool) *problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[vm] {
		return busy(vm, "a call")
	}
	return l.jobsRefuse(vm, resync, false)
}

func busy(vm, what string) *problem {
	about := "the VM " + vm
	if vm == "" {
		about = "the host itself"
	}
	return refuse(kindBusy, "%s about %s is under way", what, about).heading("Retry-After", "5")
}
