package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// What befalls a link: errors, and changes that were not tracked.

// diskSize is the size of one virtual disk, in bytes: all are alike.
const diskSize = 60e9

// size is that of the replicated disks together, in bytes.
func (l *link) size() float64 { return diskSize * float64(max(1, len(l.settings.IncludedDisks))) }

// maxBacklog is the part of the disks' size that tracked changes may have, from
// "Resynchronization of virtual machines in Hyper-V Replica" of Microsoft's
// virtualization team.
const maxBacklog = 0.5

// requiresResynchronization tells whether more is tracked than may be.
func (l *link) requiresResynchronization() bool {
	switch l.sender.state {
	case msvm.Replicating, msvm.Resynchronizing:
		return !l.sender.machine.busy() && l.backlog > maxBacklog*l.size()
	}
	return false
}

// loseTrack is what happens when it is not known any more in what the disks of
// the two sides differ.
func (l *link) loseTrack(at time.Time) {
	l.drop(at)
	l.sender.enter(msvm.WaitingToStartResynchronization, at)
	l.backlog = 0
	if l.receiver.state == msvm.Resynchronizing {
		l.receiver.state = msvm.Replicating
	}
}

// drop gives up the cycle and the transfer under way; what was not sent stays to
// be sent.
func (l *link) drop(at time.Time) {
	l.sending = nil
	if l.transfer != nil {
		l.transfer.cancelled = true
		l.transfer.leave(at)
	}
}

// fail has both sides that still replicate in error: for the receiving one that
// is inferred, from what happens to it when the sender is gone.
func (l *link) fail(at time.Time) {
	l.drop(at)
	switch l.sender.state {
	case msvm.Disabled:
		l.receiver.state = msvm.Critical
	default:
		l.sender.enter(msvm.Critical, at)
	}
}

// abandoned tells whether one side replicates and the other does not know it any
// more: the relationship was removed on one host only. That the other side then
// is in error is inferred.
func (l *link) abandoned() bool {
	for i, s := range l.sides() {
		other := l.sides()[1-i]
		if other.state == msvm.Disabled && !s.machine.busy() {
			switch s.state {
			case msvm.Replicating, msvm.Resynchronizing, msvm.ResynchronizationSuspended:
				return true
			}
		}
	}
	return false
}

// enter changes the state. What the VM wrote is settled first if changes are
// tracked in one of the states and not in the other.
func (s *side) enter(state msvm.ReplicationState, at time.Time) {
	if s.sends() && tracks(s.state) != tracks(state) {
		s.link.track(at)
	}
	s.state = state
}

// replicated tells whether the side ever replicated.
func (s *side) replicated() bool { return s.last.After(msvm.Never()) }

// fallback is the state of a side whose attempt at something is over.
func (s *side) fallback() msvm.ReplicationState {
	switch {
	case s.replicated():
		return msvm.Replicating
	case s.sends():
		return msvm.ReadyForReplication
	}
	return msvm.WaitingToCompleteInitialReplication
}

// shipped is when the last changes before a planned failover have arrived.
func (l *link) shipped(at time.Time) {
	for _, s := range l.sides() {
		s.last, s.lastType = at, msvm.TypePlanned
	}
	l.receiver.apply(at, 0)
	l.receiver.addPoint(point{at.Unix(), pointPlanned})
}
