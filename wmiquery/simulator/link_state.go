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

// backlogTooLarge reports whether the tracked changes require a resynchronization. The source of the limit names no
// state, so it applies in all states in which changes are tracked.
func (l *link) backlogTooLarge() bool {
	return tracksChanges(l.sender.state) && l.backlog > maxBacklogShare*l.diskBytes()
}

// requireResync changes the state to WaitingToStartResynchronization, because the differences between
// the disks are no longer known.
func (l *link) requireResync(at time.Time) {
	l.stopSending(at)
	l.sender.setState(msvm.WaitingToStartResynchronization, at)
	l.backlog = 0
	l.releaseReceiver(at)
}

// stopSending aborts the running cycle and the running transfer. Unsent changes remain in the backlog.
func (l *link) stopSending(at time.Time) {
	l.currentCycle = nil
	if l.transfer != nil {
		l.transfer.cancelled = true
		l.transfer.finish(at)
	}
}

// enterError sets both endpoints to Critical. Source: "Interpreting Replication Health - Part 1" by Microsoft's
// virtualization team, table of states: the state applies to both. That a receiver keeps its state if the network is
// down, or if it does not replicate because it is paused, fails over or has failed over, is inferred.
func (l *link) enterError(at time.Time) {
	l.stopSending(at)
	if l.sender.state != msvm.Disabled {
		l.sender.setState(msvm.Critical, at)
	}
	switch l.receiver.state {
	case msvm.WaitingToCompleteInitialReplication, msvm.Replicating, msvm.Resynchronizing:
		if l.connected(at) {
			l.receiver.state = msvm.Critical
		}
	}
}

// senderRemoved reports whether the relationship was removed on the sending host only. That the receiver is then in the
// error state is inferred.
func (l *link) senderRemoved() bool {
	r := l.receiver.state
	return l.sender.state == msvm.Disabled && !l.receiver.vm.hasRunningJob() &&
		(r == msvm.Replicating || r == msvm.Resynchronizing)
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

// setDiskUpdateState sets both endpoints to a state of a disk update. The receiver does not change while the network is
// down, nor does an endpoint in an unrelated state.
func (l *link) setDiskUpdateState(state msvm.ReplicationState, at time.Time) {
	for _, e := range l.endpoints() {
		switch e.state {
		case msvm.Replicating, msvm.DiskUpdateInProgress, msvm.DiskUpdateCritical:
			if e.sends() || l.connected(at) {
				e.setState(state, at)
			}
		}
	}
}

// endDiskUpdate ends a disk update, whether it succeeded or not.
func (l *link) endDiskUpdate(at time.Time) {
	if l.sender.state.IsDiskUpdate() {
		l.sender.setState(l.sender.stateAfterAbort(), at)
	}
	l.releaseReceiver(at)
}

// resumeSending resumes the sender after it was suspended or in an error state.
func (l *link) resumeSending(was msvm.ReplicationState, at time.Time) *failure {
	next := msvm.Replicating
	if !l.sender.hasReplicated() {
		next = msvm.WaitingToCompleteInitialReplication
	}
	l.endReceiverError(at)
	switch was {
	case msvm.Critical:
		if f := l.receiverFailure(at, next); f != nil {
			return f
		}
	case msvm.WaitingToStartResynchronization:
		return l.resumeWithResync(at)
	}
	switch {
	case was == msvm.ResynchronizationSuspended && l.transfer != nil && l.receiver.state == msvm.Resynchronizing:
		l.sender.setState(msvm.Resynchronizing, at)
	case was == msvm.ResynchronizationSuspended:
		l.requireResync(at)
	default:
		l.sender.setState(next, at)
		if next != msvm.Replicating && l.transfer == nil && !l.exported() {
			l.startInitialTransfer(at, l.drawInitialDuration())
		}
	}
	l.continueTransfer(at)
	return nil
}

// resumeWithResync starts the resynchronization that is required. Sources: Resume-VMReplication in
// MicrosoftDocs/windows-powershell-docs, which is also for VMs that require a resynchronization; Microsoft's
// virtualization blog, 2013-05-10: the next resume starts it from the beginning. That the request alone does so is
// inferred.
func (l *link) resumeWithResync(at time.Time) *failure {
	l.stopSending(at) // replaces one that is scheduled
	l.sender.setState(msvm.WaitingToStartResynchronization, at)
	if f := l.receiverFailure(at, l.sender.state); f != nil {
		return f
	}
	l.startResync(at, at, nil)
	return nil
}

// endReceiverError ends the error state of the receiver if its host accepts the sender.
func (l *link) endReceiverError(at time.Time) {
	to := l.receiver.vm
	if l.receiver.state == msvm.Critical && to.logical.world.connectionFailure(at, l.sender.vm, to.host,
		l.settings.ReplicationSettingData) == nil {
		l.receiver.state = l.receiver.stateAfterAbort()
	}
}
