package simulator

import (
	"math"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// continueTransfer continues a transfer that was suspended or stalled, if its disks can be sent.
func (l *link) continueTransfer(at time.Time) {
	if l.transfer != nil && l.isSending() {
		l.attempt(at)
	}
}

// startInitialTransfer starts the job that sends the initial replica (JobSendInitialReplica). When it
// completes, both endpoints replicate.
func (l *link) startInitialTransfer(at time.Time, duration time.Duration) {
	l.submitJob(at, &job{
		kind: msvm.JobSendInitialReplica, duration: duration, transfer: l,
		onEnd:    func(at time.Time) *failure { l.setReplicating(at); return nil },
		onFail:   l.enterError,
		onCancel: func(at time.Time) { l.sender.setState(msvm.ReadyForReplication, at) },
	})
}

// startResync starts or schedules the job that compares the disks and sends the differences
// (JobResynchronize, or JobResynchronizeExtended). When it completes, both endpoints replicate and the
// recovery points are merged.
func (l *link) startResync(at, begin time.Time, cause *failure) *job {
	kind := msvm.JobResynchronize
	if l.linkType == msvm.Extended {
		kind = msvm.JobResynchronizeExtended
	}
	return l.submitJob(at, &job{
		kind: kind, begin: begin, duration: l.drawResyncDuration(), transfer: l, failure: cause,
		onBegin: l.beginResync,
		onEnd: func(at time.Time) *failure {
			l.receiver.mergeAllPoints()
			l.setReplicating(at)
			return nil
		},
		onFail:   l.requireResync,
		onCancel: l.requireResync,
	})
}

func (l *link) beginResync(at time.Time) *failure {
	switch l.sender.state {
	case msvm.Resynchronizing, // set by a situation
		msvm.WaitingToStartResynchronization, msvm.Suspended, msvm.Critical, msvm.ResynchronizationSuspended:
	default:
		return errResyncNotAllowed
	}
	l.endReceiverError(at)
	if f := l.receiverFailure(at, msvm.WaitingToStartResynchronization); f != nil {
		return f
	}
	if !l.receiver.hasReplicated() && l.sender.state != msvm.WaitingToStartResynchronization {
		return errReplicaState // the initial replication is not replaced
	}
	l.currentCycle, l.noAutoResync = nil, false
	l.sender.setState(msvm.Resynchronizing, at)
	l.receiver.state = msvm.Resynchronizing
	return nil
}

// restoreTransfer starts the transfer that belongs to the current state of the link. It is used when the
// World is created.
func (l *link) restoreTransfer(at time.Time, duration time.Duration) {
	if l.sender.state == msvm.WaitingToCompleteInitialReplication {
		l.startInitialTransfer(at, duration)
		return
	}
	paused := l.sender.state == msvm.ResynchronizationSuspended
	j := l.startResync(at, at, nil)
	j.duration, j.end = duration, at.Add(duration)
	if paused {
		l.sender.state = msvm.ResynchronizationSuspended
		j.suspend(at)
	}
}

// autoResyncDue reports whether an automatic resynchronization must start. It starts between
// AutoResynchronizeIntervalStart and AutoResynchronizeIntervalEnd, which may be on the next day. Both
// are in local time, which is UTC on the simulated hosts.
func (l *link) autoResyncDue(at time.Time) bool {
	s := l.settings
	switch {
	case l.noAutoResync, !*s.AutoResynchronizeEnabled, l.sender.state != msvm.WaitingToStartResynchronization,
		l.transfer != nil, l.receiverFailure(at, l.sender.state) != nil:
		return false
	}
	clock := at.Sub(at.Truncate(24 * time.Hour))
	begin, end := *s.AutoResynchronizeIntervalStart, *s.AutoResynchronizeIntervalEnd
	if begin <= end {
		return begin <= clock && clock < end
	}
	return begin <= clock || clock < end
}

// drawInitialDuration draws how long an initial replication takes.
func (l *link) drawInitialDuration() time.Duration {
	return l.drawTransferDuration(l.traffic.bandwidth)
}

// drawResyncDuration draws how long a resynchronization takes. It reads all disks at 200 MB/s and sends
// little.
func (l *link) drawResyncDuration() time.Duration { return l.drawTransferDuration(200e6) }

func (l *link) drawTransferDuration(bytesPerSecond float64) time.Duration {
	s := l.diskBytes() / bytesPerSecond * (1 + 0.2*l.sender.vm.logical.rand().Float64())
	return time.Duration(math.Ceil(s)) * time.Second
}

// submitJob starts a job for the sending VM on its host.
func (l *link) submitJob(at time.Time, j *job) *job { return l.sender.vm.submitJob(at, j) }
