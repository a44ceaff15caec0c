package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// What befalls a link: errors, and changes that were not tracked.

// diskSize is the size of one virtual disk, in bytes: all are alike.
const diskSize = 60e9

// size is that of the replicated disks together, in bytes.
func (l *link) diskBytes() float64 { return diskSize * float64(max(1, len(l.settings.IncludedDisks))) }

// maxBacklog is the part of the disks' size that tracked changes may have, from
// "Resynchronization of virtual machines in Hyper-V Replica" of Microsoft's
// virtualization team.
const maxBacklogShare = 0.5

// requiresResynchronization tells whether more is tracked than may be.
func (l *link) backlogTooLarge() bool {
	switch l.sender.state {
	case msvm.Replicating, msvm.Resynchronizing:
		return !l.sender.vm.hasRunningJob() && l.backlog > maxBacklogShare*l.diskBytes()
	}
	return false
}

// loseTrack is what happens when it is not known any more in what the disks of
// the two sides differ.
func (l *link) requireResync(at time.Time) {
	l.stopSending(at)
	l.sender.setState(msvm.WaitingToStartResynchronization, at)
	l.backlog = 0
	if l.receiver.state == msvm.Resynchronizing {
		l.receiver.state = msvm.Replicating
	}
}

// drop gives up the cycle and the transfer under way; what was not sent stays to
// be sent.
func (l *link) stopSending(at time.Time) {
	l.currentCycle = nil
	if l.transfer != nil {
		l.transfer.cancelled = true
		l.transfer.finish(at)
	}
}

// fail has both sides that still replicate in error: for the receiving one that
// is inferred, from what happens to it when the sender is gone.
func (l *link) enterError(at time.Time) {
	l.stopSending(at)
	switch l.sender.state {
	case msvm.Disabled:
		l.receiver.state = msvm.Critical
	default:
		l.sender.setState(msvm.Critical, at)
	}
}

// abandoned tells whether one side replicates and the other does not know it any
// more: the relationship was removed on one host only. That the other side then
// is in error is inferred.
func (l *link) peerRemoved() bool {
	for i, e := range l.endpoints() {
		other := l.endpoints()[1-i]
		if other.state == msvm.Disabled && !e.vm.hasRunningJob() {
			switch e.state {
			case msvm.Replicating, msvm.Resynchronizing, msvm.ResynchronizationSuspended:
				return true
			}
		}
	}
	return false
}

// enter changes the state. What the VM wrote is settled first if changes are
// tracked in one of the states and not in the other.
func (e *endpoint) setState(state msvm.ReplicationState, at time.Time) {
	if e.sends() && tracksChanges(e.state) != tracksChanges(state) {
		e.link.updateBacklog(at)
	}
	e.state = state
}

// replicated tells whether the side ever replicated.
func (e *endpoint) hasReplicated() bool { return e.lastReplication.After(msvm.Never()) }

// fallback is the state of a side whose attempt at something is over.
func (e *endpoint) stateAfterAbort() msvm.ReplicationState {
	switch {
	case e.hasReplicated():
		return msvm.Replicating
	case e.sends():
		return msvm.ReadyForReplication
	}
	return msvm.WaitingToCompleteInitialReplication
}

// shipped is when the last changes before a planned failover have arrived.
func (l *link) completePlannedSync(at time.Time) {
	for _, e := range l.endpoints() {
		e.lastReplication, e.lastType = at, msvm.TypePlanned
	}
	l.receiver.setApplied(at, 0)
	l.receiver.addPoint(recoveryPoint{at.Unix(), pointPlanned})
}
