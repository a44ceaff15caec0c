package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// endpoint is one end of a link, on one host.
type endpoint struct {
	link  *link
	vm    *hostVM
	state msvm.ReplicationState

	failedOver                msvm.ReplicationType
	lastType                  msvm.ReplicationType
	lastReplication           time.Time // LastReplicationTime
	lastConsistentReplication time.Time
	lastTest                  time.Time
	// lastApplied is when the last replication is applied. It may be in the future; until then
	// previousApplied is LastApplyTime. The sender applies nothing.
	lastApplied, previousApplied time.Time

	window    window
	windowEnd time.Time
	totals    Totals

	recoveryPoints           []recoveryPoint // of the receiver, oldest first
	pointsMade, pointsMerged int             // totals; for consistency checks
	rewound                  bool            // failed over to a recovery point that was not the latest
}

// sends reports whether the endpoint is the sender of its link.
func (e *endpoint) sends() bool { return e == &e.link.sender }

// lastApplyTime is LastApplyTime at the time.
func (e *endpoint) lastApplyTime(at time.Time) time.Time {
	if e.lastApplied.After(at) {
		return e.previousApplied
	}
	return e.lastApplied
}

func newEndpoint(l *link, vm *hostVM) endpoint {
	never := msvm.Never()
	return endpoint{
		link: l, vm: vm,
		lastReplication: never, lastConsistentReplication: never, lastTest: never, lastApplied: never, previousApplied: never,
	}
}

// setApplied schedules the apply of a replication that arrived at a time. While the replica is backed up, nothing is
// applied. Source: MicrosoftDocs/SupportArticles-docs, article on event 19050: since Windows Server 2012 R2, the
// replica acknowledges changes before it applies them, and state and health do not change while applying is late.
func (e *endpoint) setApplied(at time.Time, after time.Duration) {
	if end := e.vm.logical.world.backupEnd(at); end.After(at) {
		after += end.Sub(at)
	}
	e.previousApplied = e.lastApplyTime(at)
	e.lastApplied = at.Add(after)
}

// setState changes the state. If only one of the old and the new state tracks changes, the backlog is
// updated first. A sender that changes its state forgets a failure to send.
func (e *endpoint) setState(state msvm.ReplicationState, at time.Time) {
	if e.sends() {
		e.link.retry = retry{}
		if tracksChanges(e.state) != tracksChanges(state) {
			e.link.updateBacklog(at)
		}
	}
	e.state = state
}

// hasReplicated reports whether the endpoint has ever replicated.
func (e *endpoint) hasReplicated() bool { return e.lastReplication.After(msvm.Never()) }

// stateAfterAbort is the state to return to after an operation has ended without success.
func (e *endpoint) stateAfterAbort() msvm.ReplicationState {
	switch {
	case e.hasReplicated():
		return msvm.Replicating
	case e.sends():
		return msvm.ReadyForReplication
	}
	return msvm.WaitingToCompleteInitialReplication
}

// revertFailover cancels a failover of the endpoint. The point of a planned failover remains only while the sender is
// prepared for it.
func (e *endpoint) revertFailover(at time.Time) {
	e.setState(msvm.Replicating, at)
	e.failedOver, e.rewound = msvm.TypeNone, false
	if e.link.sender.state != msvm.SyncedReplicationComplete {
		e.mergePlannedPoint()
	}
}

// copyStatistics continues with the statistics of another endpoint of the same VM.
func (e *endpoint) copyStatistics(was endpoint) {
	e.window, e.windowEnd, e.totals, e.lastTest = was.window, was.windowEnd, was.totals, was.lastTest
}
