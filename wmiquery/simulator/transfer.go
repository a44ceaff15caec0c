package simulator

import (
	"math"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// receives tells whether the receiving side takes whole disks.
func (l *link) acceptsDisks() bool {
	switch l.receiver.state {
	case msvm.WaitingToCompleteInitialReplication, msvm.Replicating, msvm.Resynchronizing:
		return l.rejection == nil
	}
	return false
}

// sendInitial sends the initial replica: job 116, until both sides replicate.
func (l *link) startInitialTransfer(at time.Time, length time.Duration) {
	l.submitJob(at, &job{
		kind: msvm.JobSendInitialReplica, duration: length, transfer: l,
		onEnd: func(at time.Time) *failure {
			if !l.acceptsDisks() {
				return errDisksNotAccepted
			}
			l.setReplicating(at)
			return nil
		},
		onFail:   func(at time.Time) { l.sender.setState(msvm.Critical, at) },
		onCancel: func(at time.Time) { l.sender.setState(msvm.ReadyForReplication, at) },
	})
}

// resynchronize compares the disks and sends what differs, beginning at a time:
// job 107, or 121 on an extended link, until both sides replicate. The recovery
// points are then gone.
func (l *link) startResync(at, begin time.Time, fails *failure) *job {
	kind := msvm.JobResynchronize
	if l.linkType == msvm.Extended {
		kind = msvm.JobResynchronizeExtended
	}
	return l.submitJob(at, &job{
		kind: kind, begin: begin, duration: l.drawResyncDuration(), transfer: l, failure: fails,
		onBegin: l.beginResync,
		onEnd: func(at time.Time) *failure {
			if !l.acceptsDisks() {
				return errDisksNotAccepted
			}
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
	case msvm.Resynchronizing, // as a VM of a world that is being made
		msvm.WaitingToStartResynchronization, msvm.Suspended, msvm.Critical, msvm.ResynchronizationSuspended:
	default:
		return errResyncNotAllowed
	}
	if l.receiver.state == msvm.Critical {
		l.receiver.state = msvm.Replicating // it has nothing against it
	}
	if !l.acceptsDisks() || !l.receiver.hasReplicated() {
		return errDisksNotAccepted
	}
	l.currentCycle, l.noAutoResync = nil, false
	l.sender.setState(msvm.Resynchronizing, at)
	l.receiver.state = msvm.Resynchronizing
	return nil
}

// resumeTransfer has a link that is in the midst of a transfer, as its state
// says, when the world is made.
func (l *link) restoreTransfer(at time.Time, length time.Duration) {
	if l.sender.state == msvm.WaitingToCompleteInitialReplication {
		l.startInitialTransfer(at, length)
		return
	}
	paused := l.sender.state == msvm.ResynchronizationSuspended
	j := l.startResync(at, at, nil)
	j.duration, j.end = length, at.Add(length)
	if paused {
		l.sender.state = msvm.ResynchronizationSuspended
		j.suspend(at)
	}
}

// resynchronizesItself tells whether it is time for an automatic
// resynchronization: between AutoResynchronizeIntervalStart and End, which may be
// the next day, in local time, which is UTC for the simulated hosts.
func (l *link) autoResyncDue(at time.Time) bool {
	s := l.settings
	if l.noAutoResync || l.sender.state != msvm.WaitingToStartResynchronization || !*s.AutoResynchronizeEnabled || l.transfer != nil ||
		l.sender.vm.hasRunningJob() || !l.acceptsDisks() {
		return false
	}
	clock := at.Sub(at.Truncate(24 * time.Hour))
	begin, end := *s.AutoResynchronizeIntervalStart, *s.AutoResynchronizeIntervalEnd
	if begin <= end {
		return begin <= clock && clock < end
	}
	return begin <= clock || clock < end
}

// drawInitial is how long an initial replication takes.
func (l *link) drawInitialDuration() time.Duration {
	return l.drawTransferDuration(l.traffic.bandwidth)
}

// drawResynchronization is how long a resynchronization takes: it reads all, at
// 200 MB/s, and sends little.
func (l *link) drawResyncDuration() time.Duration { return l.drawTransferDuration(200e6) }

func (l *link) drawTransferDuration(bytesPerSecond float64) time.Duration {
	s := l.diskBytes() / bytesPerSecond * (1 + 0.2*l.sender.vm.logical.rand().Float64())
	return time.Duration(math.Ceil(s)) * time.Second
}

// post puts a job about the sending machine on its host.
func (l *link) submitJob(at time.Time, j *job) *job { return l.sender.vm.submitJob(at, j) }
