package simulator

import (
	"hyperv_replica_exporter/wmiquery/msvm"
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

// connect joins two machines by a new link.
func (lv *logicalVM) connect(from *hostVM, as msvm.Link, to *hostVM, settings msvm.ReplicationSettingData) *link {
	random := rand.New(rand.NewPCG(lv.rand().Uint64(), lv.rand().Uint64()))
	l := newLink(random, drawTraffic(random, 300*time.Second), from, as, to)
	settings.PrimaryHostSystem, settings.PrimaryConnectionPoint = &from.host.fqdn, &from.host.fqdn
	settings.RecoveryHostSystem = &to.host.fqdn
	switch inbound := from.endpoints[msvm.Primary]; {
	case as == msvm.Extended && inbound != nil:
		settings.IncludedDisks = inbound.link.settings.IncludedDisks
	case settings.IncludedDisks == nil:
		settings.IncludedDisks = []string{diskPath(from, 0)}
	}
	l.applySettings(settings)
	return l
}
