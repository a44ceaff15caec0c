package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// diskSize is the size of every virtual disk, in bytes.
const diskSize = 60e9

// diskBytes is the total size of the replicated disks.
func (l *link) diskBytes() float64 { return diskSize * float64(max(1, len(l.settings.IncludedDisks))) }

// maxBacklogShare is the share of the disk size that the tracked changes may reach before a
// resynchronization is required. It is from "Resynchronization of virtual machines in Hyper-V Replica"
// by Microsoft's virtualization team.
const maxBacklogShare = 0.5

// backlogTooLarge reports whether the tracked changes require a resynchronization.
func (l *link) backlogTooLarge() bool {
	switch l.sender.state {
	case msvm.Replicating, msvm.Resynchronizing:
		return !l.sender.vm.hasRunningJob() && l.backlog > maxBacklogShare*l.diskBytes()
	}
	return false
}

// requireResync changes the state to WaitingToStartResynchronization, because the differences between
// the disks are no longer known.
func (l *link) requireResync(at time.Time) {
	l.stopSending(at)
	l.sender.setState(msvm.WaitingToStartResynchronization, at)
	l.backlog = 0
	if l.receiver.state == msvm.Resynchronizing {
		l.receiver.state = msvm.Replicating
	}
}

// stopSending aborts the running cycle and the running transfer. Unsent changes remain in the backlog.
func (l *link) stopSending(at time.Time) {
	l.currentCycle = nil
	if l.transfer != nil {
		l.transfer.cancelled = true
		l.transfer.finish(at)
	}
}

// enterError sets the sender to Critical, or the receiver if the sender does not replicate any more. For
// the receiver this is inferred.
func (l *link) enterError(at time.Time) {
	l.stopSending(at)
	switch l.sender.state {
	case msvm.Disabled:
		l.receiver.state = msvm.Critical
	default:
		l.sender.setState(msvm.Critical, at)
	}
}

// peerRemoved reports whether the relationship was removed on one host only. That the other side is then
// in an error state is inferred.
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

// completePlannedSync records that the last changes before a planned failover have arrived.
func (l *link) completePlannedSync(at time.Time) {
	l.backlog = 0
	for _, e := range l.endpoints() {
		e.lastReplication, e.lastType = at, msvm.TypePlanned
	}
	l.receiver.setApplied(at, 0)
	l.receiver.addPoint(recoveryPoint{at.Unix(), pointPlanned})
}

// startFailover starts the job that fails the replica over to a recovery point (JobInitiateFailover).
// Nil means the latest one. The type of the failover is that of the recovery point, or of the last
// replication.
func (l *link) startFailover(at time.Time, duration time.Duration, to *recoveryPoint, cause *failure) *job {
	e := &l.receiver
	kind, rewound := e.lastType, false
	if to != nil {
		kind = to.kind.replicationType()
		rewound = *to != e.recoveryPoints[len(e.recoveryPoints)-1]
	}
	l.currentCycle = nil
	e.setState(msvm.FailoverInProgress, at)
	return e.vm.submitJob(at, &job{
		kind: msvm.JobInitiateFailover, duration: duration, failure: cause,
		onEnd: func(time.Time) *failure {
			e.state, e.failedOver, e.rewound = msvm.Recovered, kind, rewound
			return nil
		},
		onFail: e.revertFailover,
	})
}

// swapRoles replaces the link by one in the other direction. After a planned failover the disks are
// identical and replication continues. Otherwise the new link waits for an initial replication; that is
// inferred from the cmdlets that Microsoft recommends for this case.
func (l *link) swapRoles(at time.Time, settings linkSettings) {
	from, to := l.receiver.vm, l.sender.vm
	inSync := l.receiver.failedOver == msvm.TypePlanned && l.sender.state == msvm.SyncedReplicationComplete
	was, wasSender := l.receiver, *to.endpoints[msvm.Primary]
	var disks []string
	l.stopSending(at)
	from.logical.removeLink(l)
	from.logical.removeLink(wasSender.link) // another one if the old primary was made a replica
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

// setDiskUpdateState sets both endpoints to a state of a disk update. An endpoint in an unrelated state
// does not change.
func (l *link) setDiskUpdateState(state msvm.ReplicationState, at time.Time) {
	for _, e := range l.endpoints() {
		switch e.state {
		case msvm.Replicating, msvm.DiskUpdateInProgress, msvm.DiskUpdateCritical:
			e.setState(state, at)
		}
	}
}

// endDiskUpdate ends a disk update, whether it succeeded or not.
func (l *link) endDiskUpdate(at time.Time) {
	for _, e := range l.endpoints() {
		if e.state.IsDiskUpdate() {
			e.setState(e.stateAfterAbort(), at)
		}
	}
}

// resumeSending resumes the sender after it was suspended or in an error state.
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
	case !l.sender.hasReplicated() && l.initialReplicaExported:
		l.sender.setState(msvm.WaitingToCompleteInitialReplication, at)
	case !l.sender.hasReplicated():
		l.sender.setState(msvm.WaitingToCompleteInitialReplication, at)
		l.startInitialTransfer(at, l.drawInitialDuration())
	}
	l.lastCycleRejected, l.rejectedCycles = false, 0
	return nil
}
