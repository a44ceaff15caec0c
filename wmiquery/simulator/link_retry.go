package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// retryWaits are the times between attempts to send after a failure of the network; the last one repeats for ever.
// Source: MicrosoftDocs/azure-docs, hyper-v-azure-architecture.md, "Retry process", about replication to Azure. That
// they are the same between two hosts is inferred: it is the same engine, and an event of a host (32315) names a wait
// in minutes.
var retryWaits = [...]time.Duration{
	time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 30 * time.Minute,
}

// retry is what the sender knows about a failure to send. The zero value means that there was none.
type retry struct {
	failure  *failure  // of the last attempt
	attempts int       // number of consecutive attempts that the network has failed
	next     time.Time // of the next attempt; zero if it is that of the next cycle
}

// isSending reports whether the sender sends something: a cycle at each replication interval, or a transfer all the
// time.
func (l *link) isSending() bool {
	switch l.sender.state {
	case msvm.Replicating:
		return true
	case msvm.WaitingToCompleteInitialReplication, msvm.Resynchronizing:
		return l.transfer != nil || l.exported()
	}
	return false
}

// attempt begins a cycle, or continues the transfer. It returns false if that fails.
func (l *link) attempt(at time.Time) bool {
	f := l.receiverFailure(at, l.sender.state)
	switch {
	case f != nil:
		l.handleFailure(at, f)
		return false
	case l.transfer != nil:
		l.retry = retry{}
		l.transfer.resume(at)
	default:
		l.retry.next = time.Time{} // the failure is over when the cycle ends
		l.sendCycle(at)
	}
	return true
}

// handleFailure handles a failure to send. If it can end by itself, the sender tries again and keeps its state.
// Otherwise it enters the error state at once, or requires the resynchronization that has failed, until an
// administrator acts. Microsoft's description of the retries has both classes of failures.
func (l *link) handleFailure(at time.Time, f *failure) {
	l.currentCycle = nil
	switch f.class {
	case failsForGood:
		l.sender.count(Totals{Failures: 1})
		if l.transfer != nil {
			l.transfer.fail(at, f)
		} else {
			l.enterError(at)
		}
		return
	case networkFails:
		l.sender.count(Totals{NetworkFailures: 1})
		l.retry.next = at.Add(retryWaits[min(l.retry.attempts, len(retryWaits)-1)])
		l.retry.attempts++
	case receiverBusy:
		l.sender.count(Totals{Failures: 1})
		l.retry.next, l.retry.attempts = time.Time{}, 0
	}
	l.retry.failure = f
	if l.transfer != nil {
		l.transfer.stall(at)
	}
}

// tryAgain makes the attempt that is due.
func (l *link) tryAgain(at time.Time) {
	l.retry.next = time.Time{}
	if l.isSending() && !l.sender.vm.hasRunningJob() {
		l.attempt(at)
	}
}

// loseNetwork aborts what is being sent when the network goes down.
func (l *link) loseNetwork(at time.Time) {
	l.networkCut = l.sender.vm.logical.world.nextNetworkCut(at)
	switch {
	case l.currentCycle != nil:
		l.missCycle()
		l.handleFailure(at, errServerUnreachable)
	case l.transfer != nil && l.isSending():
		l.handleFailure(at, errServerUnreachable)
	}
}

// releaseReceiver ends on the receiving side what the sender does not run any more: a resynchronization, a disk update,
// or a planned failover that was only prepared. While the network is down, the receiver does not hear of it.
func (l *link) releaseReceiver(at time.Time) {
	r, s := l.receiver.state, l.sender.state
	if s == msvm.Disabled || !l.connected(at) {
		return
	}
	resync := s == msvm.Resynchronizing || s == msvm.ResynchronizationSuspended
	switch {
	case r == msvm.Resynchronizing && !resync, r.IsDiskUpdate() && !s.IsDiskUpdate():
		l.receiver.state = l.receiver.stateAfterAbort()
	case r == msvm.Replicating && s == msvm.Replicating:
		l.receiver.mergePlannedPoint()
	}
}
