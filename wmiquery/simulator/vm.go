package simulator

import (
	"math/rand/v2"
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// logicalVM is a VM across all hosts: the hostVMs with its GUID and their test replicas, the links
// between them and their jobs. Logical VMs do not affect each other, so each is advanced on its own.
type logicalVM struct {
	world *World
	index int     // of the VM in the World
	links []*link // in the order of creation
	jobs  []*job  // jobs that have not ended, in the order of creation, and shutdowns of guest operating systems
	// random is created on first use, because most VMs never need it.
	random *rand.Rand
}

// rand is the random source of calls and jobs. Links have sources of their own, so that a call does not
// change unrelated events.
func (lv *logicalVM) rand() *rand.Rand {
	if lv.random == nil {
		lv.random = rand.New(rand.NewPCG(lv.world.cfg.Seed, 2<<32|uint64(lv.index)))
	}
	return lv.random
}

// eventKind is the kind of an event. Events at the same second are processed in the order of their
// kinds: the network goes down and windows end first, and operations end before new ones begin.
type eventKind int

const (
	networkEnds eventKind = iota
	windowEnds
	cycleEnds
	jobSteps
	cycleBegins
	retryBegins
)

// event is the next event of a link, or of a job if job is not nil.
type event struct {
	at   time.Time
	kind eventKind
	link *link
	job  *job
}

// before reports whether e comes before o. An event with a zero time never happens.
func (e event) before(o event) bool {
	switch {
	case e.at.IsZero() || o.at.IsZero():
		return !e.at.IsZero()
	case e.at.Equal(o.at):
		return e.kind < o.kind
	}
	return e.at.Before(o.at)
}

// advance processes all events up to a time, each at its own time. Apart from events, only calls change
// a VM, and a call advances the VM first. The result is therefore independent of when and how often
// advance is called.
func (lv *logicalVM) advance(to time.Time) {
	for len(lv.jobs) == 0 && len(lv.links) == 1 { // the common case, kept fast
		ev := lv.links[0].next()
		if ev.at.After(to) {
			return
		}
		ev.link.handle(ev.kind, ev.at)
	}
	for {
		ev := lv.next()
		switch {
		case ev.at.IsZero() || ev.at.After(to):
			return
		case ev.job != nil:
			ev.job.advance(ev.at)
		default:
			ev.link.handle(ev.kind, ev.at)
		}
	}
}

func (lv *logicalVM) next() (first event) {
	for _, l := range lv.links {
		if ev := l.next(); ev.before(first) {
			first = ev
		}
	}
	for _, j := range lv.jobs {
		if ev := (event{j.next(), jobSteps, nil, j}); ev.before(first) {
			first = ev
		}
	}
	return first
}

// addJob adds a job that has not ended.
func (lv *logicalVM) addJob(j *job) {
	lv.jobs = append(lv.jobs, j)
	if !slices.Contains(lv.world.vmsWithJobs, lv) {
		lv.world.vmsWithJobs = append(lv.world.vmsWithJobs, lv)
	}
}

// removeLink removes a link that no VM uses any more.
func (lv *logicalVM) removeLink(l *link) {
	lv.links = slices.DeleteFunc(lv.links, func(x *link) bool { return x == l })
}

// connect creates a link with settings between two VMs.
func (lv *logicalVM) connect(from *hostVM, linkType msvm.Link, to *hostVM, settings linkSettings) *link {
	random := rand.New(rand.NewPCG(lv.rand().Uint64(), lv.rand().Uint64()))
	l := newLink(random, drawTraffic(random, 300*time.Second), from, linkType, to)
	settings.PrimaryHostSystem, settings.PrimaryConnectionPoint = &from.host.fqdn, &from.host.fqdn
	settings.RecoveryHostSystem = &to.host.fqdn
	switch inbound := from.endpoints[msvm.Primary]; {
	case linkType == msvm.Extended && inbound != nil:
		settings.IncludedDisks = inbound.link.settings.IncludedDisks
	case settings.IncludedDisks == nil:
		settings.IncludedDisks = []string{diskPath(from, 0)}
	}
	l.applySettings(settings)
	return l
}
