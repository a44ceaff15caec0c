package simulator

import (
	"hyperv_replica_exporter/wmiquery/msvm"
	"time"
)

// side is one host's end of a link.
type endpoint struct {
	link  *link
	vm    *hostVM
	state msvm.ReplicationState

	failedOver                msvm.ReplicationType
	lastType                  msvm.ReplicationType
	lastReplication           time.Time // LastReplicationTime
	lastConsistentReplication time.Time
	lastTest                  time.Time
	// applied is when the last replication was applied, or will be: the one before
	// that counts until then. The sender applies nothing.
	lastApplied, previousApplied time.Time

	window    window
	windowEnd time.Time
	totals    Totals

	recoveryPoints           []recoveryPoint // of the receiver, in the order of their making
	pointsMade, pointsMerged int             // points ever
	rewound                  bool            // failed over to what was not the latest
}

// sends tells the sending side from the receiving one.
func (e *endpoint) sends() bool { return e == &e.link.sender }

// lastApply is LastApplyTime at a time.
func (e *endpoint) lastApply(at time.Time) time.Time {
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

// apply has what arrived at a time applied a little later.
func (e *endpoint) setApplied(at time.Time, after time.Duration) {
	e.previousApplied = e.lastApply(at)
	e.lastApplied = at.Add(after)
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

// revert has a side that failed over as it was before.
func (e *endpoint) revertFailover(at time.Time) {
	e.setState(msvm.Replicating, at)
	e.failedOver, e.rewound = msvm.TypeNone, false
}

// keepFigures has the side go on with what was counted for its machine.
func (e *endpoint) copyStatistics(was endpoint) {
	e.window, e.windowEnd, e.totals, e.lastTest = was.window, was.windowEnd, was.totals, was.lastTest
}
