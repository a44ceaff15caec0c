package simulator

import (
	"math/rand/v2"
	"slices"
	"time"
)

// guest is a VM as all hosts together have it: its machines, the links between
// them and the jobs about them. What happens to one guest happens to no other, so
// each is brought up to now by itself.
type logicalVM struct {
	world *World
	index int     // of the VM in the world
	links []*link // in the order of their making
	jobs  []*job  // those that have not ended, in the order of their making
	// random is made when it is needed: most guests never need it.
	random *rand.Rand
}

// rand is the source of what calls and jobs draw. Links have their own, so that
// a call changes nothing that would have happened anyway.
func (lv *logicalVM) rand() *rand.Rand {
	if lv.random == nil {
		lv.random = rand.New(rand.NewPCG(lv.world.cfg.Seed, 2<<32|uint64(lv.index)))
	}
	return lv.random
}

// event is what can happen to a guest by itself. At the same second it happens in
// this order: a window ends first, and what is under way ends before something
// new begins.
type eventKind int

const (
	windowEnds eventKind = iota
	cycleEnds
	jobSteps
	cycleBegins
)

// moment is when an event happens, and to what: a link, or a job if that is not
// nil.
type event struct {
	at   time.Time
	kind eventKind
	link *link
	job  *job
}

// before tells which of two moments comes first. One without a time never comes.
func (m event) before(o event) bool {
	switch {
	case m.at.IsZero() || o.at.IsZero():
		return !m.at.IsZero()
	case m.at.Equal(o.at):
		return m.kind < o.kind
	}
	return m.at.Before(o.at)
}

// advance brings the guest up to a time: everything that happens until then
// happens, each at its own time. Nothing but calls changes a guest otherwise, and
// they come at their own time too, so the steps in which it is advanced do not
// matter.
func (lv *logicalVM) advance(to time.Time) {
	for len(lv.jobs) == 0 && len(lv.links) == 1 { // as most are
		m := lv.links[0].next()
		if m.at.After(to) {
			return
		}
		m.link.handle(m.kind, m.at)
	}
	for {
		m := lv.next()
		switch {
		case m.at.IsZero() || m.at.After(to):
			return
		case m.job != nil:
			m.job.advance(m.at)
		default:
			m.link.handle(m.kind, m.at)
		}
	}
}

func (lv *logicalVM) next() (first event) {
	for _, l := range lv.links {
		if m := l.next(); m.before(first) {
			first = m
		}
	}
	for _, j := range lv.jobs {
		if m := (event{j.next(), jobSteps, nil, j}); m.before(first) {
			first = m
		}
	}
	return first
}

// unlink forgets a link that no machine has any more.
func (lv *logicalVM) removeLink(l *link) {
	lv.links = slices.DeleteFunc(lv.links, func(x *link) bool { return x == l })
}

// settle brings the guests that have jobs up to a time: only jobs change which
// machines a host has, and what they are.
func (w *World) advanceVMsWithJobs(at time.Time) {
	w.vmsWithJobs = slices.DeleteFunc(w.vmsWithJobs, func(lv *logicalVM) bool {
		lv.advance(at)
		return len(lv.jobs) == 0
	})
}

// settleAll brings everything up to a time: what is then set on a host counts
// from there on.
func (w *World) advanceAll(at time.Time) {
	w.advanceVMsWithJobs(at)
	for _, h := range w.hosts {
		h.advance(at)
	}
}

// advance brings all VMs of the host up to a time that the world has settled to.
func (h *host) advance(at time.Time) {
	for _, vm := range h.vms {
		vm.logical.advance(at)
	}
}
