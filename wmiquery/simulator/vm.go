package simulator

import (
	"math/rand/v2"
	"slices"
	"time"
)

// guest is a VM as all hosts together have it: its machines, the links between
// them and the jobs about them. What happens to one guest happens to no other, so
// each is brought up to now by itself.
type guest struct {
	world *World
	index int     // of the VM in the world
	links []*link // in the order of their making
	jobs  []*job  // those that have not ended, in the order of their making
	// random is made when it is needed: most guests never need it.
	random *rand.Rand
}

// rand is the source of what calls and jobs draw. Links have their own, so that
// a call changes nothing that would have happened anyway.
func (g *guest) rand() *rand.Rand {
	if g.random == nil {
		g.random = rand.New(rand.NewPCG(g.world.cfg.Seed, 2<<32|uint64(g.index)))
	}
	return g.random
}

// event is what can happen to a guest by itself. At the same second it happens in
// this order: a window ends first, and what is under way ends before something
// new begins.
type event int

const (
	windowEnds event = iota
	cycleEnds
	jobSteps
	cycleBegins
)

// moment is when an event happens, and to what: a link, or a job if that is not
// nil.
type moment struct {
	at   time.Time
	what event
	link *link
	job  *job
}

// before tells which of two moments comes first. One without a time never comes.
func (m moment) before(o moment) bool {
	switch {
	case m.at.IsZero() || o.at.IsZero():
		return !m.at.IsZero()
	case m.at.Equal(o.at):
		return m.what < o.what
	}
	return m.at.Before(o.at)
}

// advance brings the guest up to a time: everything that happens until then
// happens, each at its own time. Nothing but calls changes a guest otherwise, and
// they come at their own time too, so the steps in which it is advanced do not
// matter.
func (g *guest) advance(to time.Time) {
	for len(g.jobs) == 0 && len(g.links) == 1 { // as most are
		m := g.links[0].next()
		if m.at.After(to) {
			return
		}
		m.link.happen(m.what, m.at)
	}
	for {
		m := g.next()
		switch {
		case m.at.IsZero() || m.at.After(to):
			return
		case m.job != nil:
			m.job.step(m.at)
		default:
			m.link.happen(m.what, m.at)
		}
	}
}

func (g *guest) next() (first moment) {
	for _, l := range g.links {
		if m := l.next(); m.before(first) {
			first = m
		}
	}
	for _, j := range g.jobs {
		if m := (moment{j.next(), jobSteps, nil, j}); m.before(first) {
			first = m
		}
	}
	return first
}

// unlink forgets a link that no machine has any more.
func (g *guest) unlink(l *link) {
	g.links = slices.DeleteFunc(g.links, func(x *link) bool { return x == l })
}

// settle brings the guests that have jobs up to a time: only jobs change which
// machines a host has, and what they are.
func (w *World) settle(at time.Time) {
	w.working = slices.DeleteFunc(w.working, func(g *guest) bool {
		g.advance(at)
		return len(g.jobs) == 0
	})
}

// settleAll brings everything up to a time: what is then set on a host counts
// from there on.
func (w *World) settleAll(at time.Time) {
	w.settle(at)
	for _, h := range w.hosts {
		h.advance(at)
	}
}

// advance brings all VMs of the host up to a time that the world has settled to.
func (h *host) advance(at time.Time) {
	for _, m := range h.machines {
		m.guest.advance(at)
	}
}
