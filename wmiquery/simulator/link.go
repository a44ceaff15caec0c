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

	windowLength time.Duration
	windowEnd    time.Time
	due          time.Time // the next cycle
	sending      *cycle    // the cycle under way, if any
	operation    *operation

	// What is not sent yet: backlog bytes at the time since, and bytes a second
	// from then on, as long as the sender tracks changes.
	backlog   float64
	writeRate float64
	since     time.Time

	snapshotDue time.Time // the next application-consistent cycle
	refused     bool      // the last cycle could not be sent
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

	window window
	totals Totals
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

// newLink is a link between two machines on which nothing has happened yet.
func newLink(random *rand.Rand, t traffic, from, to *machine) *link {
	l := &link{random: random, traffic: t}
	l.sender = newSide(l, from)
	l.receiver = newSide(l, to)
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
func (l *link) start(at time.Time, windowLength time.Duration) {
	l.windowLength = windowLength
	l.windowEnd = windowAfter(at, windowLength)
	for _, s := range l.sides() {
		s.window = window{start: at}
	}
	// Links do not all send at the same second.
	l.due = at.Add(time.Duration(1+l.random.IntN(int(l.traffic.interval/time.Second))) * time.Second)
	l.since = at
	l.writeRate = l.traffic.drawRate(l.random, at)
	l.snapshotDue = at
}

// advance brings the link up to a time: everything that happens until then
// happens, each at its own time. Nothing else changes a link while time passes,
// so the steps in which it is advanced do not matter.
func (l *link) advance(to time.Time) {
	for {
		at, happen := l.next()
		if at.After(to) {
			return
		}
		happen(l, at)
	}
}

// next is the next event. At the same second a window ends first, and what is
// under way ends before something new begins.
func (l *link) next() (at time.Time, happen func(*link, time.Time)) {
	at, happen = l.windowEnd, (*link).endWindow
	if l.sending != nil && l.sending.end.Before(at) {
		at, happen = l.sending.end, (*link).endCycle
	}
	if l.operation != nil && l.operation.end.Before(at) {
		at, happen = l.operation.end, (*link).endOperation
	}
	if l.due.Before(at) {
		at, happen = l.due, (*link).beginCycle
	}
	return at, happen
}

// operation is what takes long: an initial replication or a resynchronization.
// Its progress is even from begin to end, and then the link replicates.
type operation struct{ begin, end time.Time }

func (l *link) endOperation(at time.Time) {
	l.operation = nil
	l.replicatedAt(at)
}

// replicatedAt makes the link one that replicates and last did so at a time.
func (l *link) replicatedAt(at time.Time) {
	for _, s := range l.sides() {
		s.state = msvm.Replicating
		s.last, s.lastType = at, msvm.TypeRegular
	}
	l.receiver.apply(at, 0)
}
