package simulator

import (
	"math/rand/v2"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// link is the replication of one VM from one host to another: one object with
// two sides, so that what happens on either host happens to the same link.
//
// Its life is a row of events at whole seconds, see advance.
type link struct {
	sender, receiver endpoint
	settings         msvm.ReplicationSettingData // without what differs by side; never written to
	traffic          traffic
	random           *rand.Rand

	linkType     msvm.Link // the sender's relationship; the receiver's is always the primary one
	nextCycle    time.Time // the next cycle
	currentCycle *cycle    // the cycle under way, if any, which is cycle
	cycleStorage cycle
	transfer     *job // the initial replication or resynchronization under way, if any

	// What is not sent yet: backlog bytes at the time since, and bytes a second
	// from then on, as long as the sender tracks changes.
	backlog     float64
	writeRate   float64
	backlogTime time.Time

	nextSnapshot      time.Time // the next application-consistent cycle
	lastCycleRejected bool      // the last cycle could not be sent
	rejectedCycles    int       // cycles in a row that could not
	// barred is why the receiving host does not let the sending one in, nil if it
	// does; see reauthorize.
	rejection *failure
	// stays: the link was made to show that a resynchronization is required, and is
	// not to begin one by itself.
	noAutoResync bool
	// update is the settings that a change of the disks leads to.
	pendingSettings *msvm.ReplicationSettingData
	// exported: an initial replica was written to a folder.
	replicaExported bool
}

func (l *link) endpoints() [2]*endpoint { return [2]*endpoint{&l.sender, &l.receiver} }

// newLink is a link between two machines, as the sender's relationship of that
// name, on which nothing has happened yet.
func newLink(random *rand.Rand, t traffic, from *hostVM, as msvm.Link, to *hostVM) *link {
	l := &link{random: random, traffic: t, linkType: as}
	l.sender = newEndpoint(l, from)
	l.receiver = newEndpoint(l, to)
	from.endpoints[as], to.endpoints[msvm.Primary] = &l.sender, &l.receiver
	from.logical.links = append(from.logical.links, l)
	return l
}

// start begins the link's life at a time, in whole seconds.
func (l *link) start(at time.Time) {
	for _, e := range l.endpoints() {
		e.startWindow(at)
	}
	// Links do not all send at the same second.
	l.nextCycle = at.Add(time.Duration(1+l.random.IntN(int(l.traffic.interval/time.Second))) * time.Second)
	l.backlogTime = at
	l.writeRate = l.drawWriteRate(at)
	l.nextSnapshot = at
}

// next is what happens next to the link by itself.
func (l *link) next() event {
	at, what := l.sender.windowEnd, windowEnds
	if l.receiver.windowEnd.Before(at) {
		at = l.receiver.windowEnd
	}
	if l.currentCycle != nil && l.currentCycle.end.Before(at) {
		at, what = l.currentCycle.end, cycleEnds
	}
	if l.nextCycle.Before(at) {
		at, what = l.nextCycle, cycleBegins
	}
	return event{at, what, l, nil}
}

// happen has an event happen.
func (l *link) handle(what eventKind, at time.Time) {
	switch what {
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
	}
}

// replicatedAt makes the link one that replicates and last did so at a time.
func (l *link) setReplicating(at time.Time) {
	for _, e := range l.endpoints() {
		e.state = msvm.Replicating
		e.lastReplication, e.lastType = at, msvm.TypeRegular
	}
	l.receiver.setApplied(at, 0)
}
