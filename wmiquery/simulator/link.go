package simulator

import (
	"math/rand/v2"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// link is the replication of one VM from one host to another. It has two endpoints, so that an event on
// either host affects the same link.
//
// Its state changes only by events, at whole seconds; see logicalVM.advance.
type link struct {
	sender, receiver endpoint
	settings         linkSettings // without what differs between the endpoints; never written to
	traffic          traffic
	random           *rand.Rand

	linkType     msvm.Link // of the sender; for the receiver it is always Primary
	nextCycle    time.Time
	currentCycle *cycle // nil if no cycle is running; points to cycleStorage
	cycleStorage cycle
	transfer     *job // running initial replication or resynchronization, or nil

	// Changes that are not sent yet: backlog bytes at backlogTime, growing by writeRate bytes per second
	// while the sender tracks changes.
	backlog     float64
	writeRate   float64
	backlogTime time.Time

	nextSnapshot time.Time // time of the next application-consistent cycle
	networkCut   time.Time // when the network goes down next; zero if it does not
	retry        retry
	// noAutoResync prevents an automatic resynchronization. It is set for situations that show a
	// required resynchronization.
	noAutoResync bool
	// pendingSettings are the settings that a running disk update will apply.
	pendingSettings *linkSettings
	// disksModified means that a disk of the sending VM was changed outside of Hyper-V while the VM was off.
	disksModified bool
	// exportedUntil is the time of the last changes in an exported initial replica and what was sent since the export. It
	// is zero unless such a replica waits to be imported.
	exportedUntil time.Time
}

// exported reports whether an exported initial replica waits to be imported. Changes are sent meanwhile. Source:
// Microsoft's virtualization blog, 2013-06-28: once the export has finished, changes are sent to the placeholder VM,
// and are merged with the initial replica when that is imported.
func (l *link) exported() bool { return !l.exportedUntil.IsZero() }

func (l *link) endpoints() [2]*endpoint { return [2]*endpoint{&l.sender, &l.receiver} }

// newLink creates a link between two VMs. linkType is the relationship of the sender.
func newLink(random *rand.Rand, t traffic, from *hostVM, linkType msvm.Link, to *hostVM) *link {
	l := &link{random: random, traffic: t, linkType: linkType}
	l.sender = newEndpoint(l, from)
	l.receiver = newEndpoint(l, to)
	from.endpoints[linkType], to.endpoints[msvm.Primary] = &l.sender, &l.receiver
	from.logical.links = append(from.logical.links, l)
	return l
}

// start starts the first monitoring window and schedules the first cycle. The time must be in whole
// seconds.
func (l *link) start(at time.Time) {
	for _, e := range l.endpoints() {
		e.startWindow(at)
	}
	// Spread the links over the interval.
	l.nextCycle = at.Add(time.Duration(1+l.random.IntN(int(l.traffic.interval/time.Second))) * time.Second)
	l.backlogTime = at
	l.writeRate = l.drawWriteRate(at)
	l.nextSnapshot = at
	l.networkCut = l.sender.vm.logical.world.nextNetworkCut(at)
}

// next is the next event of the link.
func (l *link) next() event {
	at, kind := l.sender.windowEnd, windowEnds
	if l.receiver.windowEnd.Before(at) {
		at = l.receiver.windowEnd
	}
	if l.currentCycle != nil && l.currentCycle.end.Before(at) {
		at, kind = l.currentCycle.end, cycleEnds
	}
	if l.nextCycle.Before(at) {
		at, kind = l.nextCycle, cycleBegins
	}
	if t := l.retry.next; !t.IsZero() && t.Before(at) {
		at, kind = t, retryBegins
	}
	if t := l.networkCut; !t.IsZero() && !t.After(at) {
		at, kind = t, networkEnds
	}
	return event{at, kind, l, nil}
}

// handle processes an event.
func (l *link) handle(kind eventKind, at time.Time) {
	switch kind {
	case windowEnds:
		for _, e := range l.endpoints() {
			if e.windowEnd.Equal(at) {
				e.endWindow(at)
			}
		}
	case cycleEnds:
		l.endCycle(at)
	case cycleBegins:
		l.beginCycle(at)
	case retryBegins:
		l.tryAgain(at)
	case networkEnds:
		l.loseNetwork(at)
	}
}

// setReplicating sets both endpoints to Replicating, with a last replication at the time.
func (l *link) setReplicating(at time.Time) {
	for _, e := range l.endpoints() {
		e.state = msvm.Replicating
		e.lastReplication, e.lastType = at, msvm.TypeRegular
	}
	l.receiver.setApplied(at, 0)
}
