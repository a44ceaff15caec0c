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
	sender, receiver side
	settings         msvm.ReplicationSettingData // without what differs by side; never written to
	traffic          traffic
	random           *rand.Rand

	as       msvm.Link // the sender's relationship; the receiver's is always the primary one
	due      time.Time // the next cycle
	sending  *cycle    // the cycle under way, if any, which is cycle
	cycle    cycle
	transfer *job // the initial replication or resynchronization under way, if any

	// What is not sent yet: backlog bytes at the time since, and bytes a second
	// from then on, as long as the sender tracks changes.
	backlog   float64
	writeRate float64
	since     time.Time

	snapshotDue time.Time // the next application-consistent cycle
	refused     bool      // the last cycle could not be sent
	refusals    int       // cycles in a row that could not
	// barred is why the receiving host does not let the sending one in, nil if it
	// does; see reauthorize.
	barred *failure
	// stays: the link was made to show that a resynchronization is required, and is
	// not to begin one by itself.
	stays bool
	// update is the settings that a change of the disks leads to.
	update *msvm.ReplicationSettingData
	// exported: an initial replica was written to a folder.
	exported bool
}

// side is one host's end of a link.
type side struct {
	link    *link
	machine *machine
	state   msvm.ReplicationState

	failedOver     msvm.ReplicationType
	lastType       msvm.ReplicationType
	last           time.Time // LastReplicationTime
	lastConsistent time.Time
	lastTest       time.Time
	// applied is when the last replication was applied, or will be: the one before
	// that counts until then. The sender applies nothing.
	applied, appliedBefore time.Time

	window    window
	windowEnd time.Time
	totals    Totals

	points       []point // of the receiver, in the order of their making
	made, merged int     // points ever
	rewound      bool    // failed over to what was not the latest
}

// sends tells the sending side from the receiving one.
func (s *side) sends() bool { return s == &s.link.sender }

func (l *link) sides() [2]*side { return [2]*side{&l.sender, &l.receiver} }

// lastApply is LastApplyTime at a time.
func (s *side) lastApply(at time.Time) time.Time {
	if s.applied.After(at) {
		return s.appliedBefore
	}
	return s.applied
}

// newLink is a link between two machines, as the sender's relationship of that
// name, on which nothing has happened yet.
func newLink(random *rand.Rand, t traffic, from *machine, as msvm.Link, to *machine) *link {
	l := &link{random: random, traffic: t, as: as}
	l.sender = newSide(l, from)
	l.receiver = newSide(l, to)
	from.sides[as], to.sides[msvm.Primary] = &l.sender, &l.receiver
	from.guest.links = append(from.guest.links, l)
	return l
}

func newSide(l *link, m *machine) side {
	never := msvm.Never()
	return side{
		link: l, machine: m,
		last: never, lastConsistent: never, lastTest: never, applied: never, appliedBefore: never,
	}
}

// start begins the link's life at a time, in whole seconds.
func (l *link) start(at time.Time) {
	for _, s := range l.sides() {
		s.startWindow(at)
	}
	// Links do not all send at the same second.
	l.due = at.Add(time.Duration(1+l.random.IntN(int(l.traffic.interval/time.Second))) * time.Second)
	l.since = at
	l.writeRate = l.drawRate(at)
	l.snapshotDue = at
}

// next is what happens next to the link by itself.
func (l *link) next() moment {
	at, what := l.sender.windowEnd, windowEnds
	if l.receiver.windowEnd.Before(at) {
		at = l.receiver.windowEnd
	}
	if l.sending != nil && l.sending.end.Before(at) {
		at, what = l.sending.end, cycleEnds
	}
	if l.due.Before(at) {
		at, what = l.due, cycleBegins
	}
	return moment{at, what, l, nil}
}

// happen has an event happen.
func (l *link) happen(what event, at time.Time) {
	switch what {
	case windowEnds:
		for _, s := range l.sides() {
			if s.windowEnd.Equal(at) {
				s.endWindow(at)
			}
		}
	case cycleEnds:
		l.endCycle(at)
	case cycleBegins:
		l.beginCycle(at)
	}
}

// replicatedAt makes the link one that replicates and last did so at a time.
func (l *link) replicatedAt(at time.Time) {
	for _, s := range l.sides() {
		s.state = msvm.Replicating
		s.last, s.lastType = at, msvm.TypeRegular
	}
	l.receiver.apply(at, 0)
}
