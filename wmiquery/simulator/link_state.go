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

// shipped is when the last changes before a planned failover have arrived.
func (l *link) completePlannedSync(at time.Time) {
	for _, e := range l.endpoints() {
		e.lastReplication, e.lastType = at, msvm.TypePlanned
	}
	l.receiver.setApplied(at, 0)
	l.receiver.addPoint(recoveryPoint{at.Unix(), pointPlanned})
}

// failOver brings the replica to a recovery point, the latest if that is nil: job
// 97. What kind of failover it is follows from the point; the latest is what the
// last replication brought.
func (l *link) startFailover(at time.Time, length time.Duration, to *recoveryPoint, fails *failure) *job {
	e := &l.receiver
	kind, rewound := e.lastType, false
	if to != nil {
		kind = to.kind.replicationType()
		rewound = *to != e.recoveryPoints[len(e.recoveryPoints)-1]
	}
	l.currentCycle = nil
	e.setState(msvm.FailoverInProgress, at)
	return e.vm.submitJob(at, &job{
		kind: msvm.JobInitiateFailover, duration: length, failure: fails,
		onEnd: func(time.Time) *failure {
			e.state, e.failedOver, e.rewound = msvm.Recovered, kind, rewound
			return nil
		},
		onFail: e.revertFailover,
	})
}

// swap replaces the link by one that goes the other way. After a planned failover
// the disks are alike and it replicates. Otherwise nobody knows what the old
// primary has, so it waits for an initial replication: that is inferred, from the
// cmdlets that Microsoft tells to use then.
func (l *link) swapRoles(at time.Time, settings msvm.ReplicationSettingData) {
	from, to := l.receiver.vm, l.sender.vm
	inSync := l.receiver.failedOver == msvm.TypePlanned && l.sender.state == msvm.SyncedReplicationComplete
	was, wasSender := l.receiver, l.sender
	var disks []string
	l.stopSending(at)
	from.logical.removeLink(l)
	from.mode, to.mode = msvm.ModePrimary, msvm.ModeReplica
	for i := range settings.IncludedDisks {
		disks = append(disks, diskPath(from, i))
	}
	settings.IncludedDisks = disks
	n := from.logical.connect(from, msvm.Primary, to, settings)
	n.traffic = l.traffic
	n.applySettings(n.settings)
	n.start(at)
	n.sender.copyStatistics(was)
	n.receiver.copyStatistics(wasSender)
	if inSync {
		n.setReplicating(at)
		return
	}
	n.sender.state, n.receiver.state = msvm.ReadyForReplication, msvm.WaitingToCompleteInitialReplication
}

// enterBoth puts both sides into a state of a disk update, if the other side is
// in none that is about something else.
func (l *link) setDiskUpdateState(state msvm.ReplicationState, at time.Time) {
	for _, e := range l.endpoints() {
		switch e.state {
		case msvm.Replicating, msvm.DiskUpdateInProgress, msvm.DiskUpdateCritical:
			e.setState(state, at)
		}
	}
}

// leaveDiskUpdate ends an update, whether the disks were changed or not.
func (l *link) endDiskUpdate(at time.Time) {
	for _, e := range l.endpoints() {
		if e.state.IsDiskUpdate() {
			e.setState(e.stateAfterAbort(), at)
		}
	}
}

// goOn has the sender go on after it was suspended or in error.
func (l *link) resumeSending(was msvm.ReplicationState, at time.Time) *failure {
	if l.receiver.state == msvm.Critical {
		l.receiver.state = l.receiver.stateAfterAbort()
	}
	switch r := l.receiver.state; {
	case was == msvm.Critical && !l.acceptsDisks():
		return errDisksNotAccepted
	case was == msvm.ResynchronizationSuspended && l.transfer != nil && r == msvm.Resynchronizing:
		l.sender.setState(msvm.Resynchronizing, at)
		l.transfer.resume(at)
	case was == msvm.ResynchronizationSuspended:
		l.requireResync(at)
	case !l.sender.hasReplicated() && l.transfer != nil:
		l.sender.setState(msvm.WaitingToCompleteInitialReplication, at)
		l.transfer.resume(at)
	case !l.sender.hasReplicated() && l.replicaExported:
		l.sender.setState(msvm.WaitingToCompleteInitialReplication, at)
	case !l.sender.hasReplicated():
		l.sender.setState(msvm.WaitingToCompleteInitialReplication, at)
		l.startInitialTransfer(at, l.drawInitialDuration())
	}
	l.lastCycleRejected, l.rejectedCycles = false, 0
	return nil
}
