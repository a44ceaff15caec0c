package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Why the roles cannot be swapped. The texts are invented.
var (
	errPrimaryNotEnabled   = &failure{wmiquery.CodeFailed, "The virtual machine on the primary server is not enabled for replication any more."}
	errPrimaryIsReplica    = &failure{wmiquery.CodeInvalidState, "The virtual machine on the other server is a Replica itself."}
	errOperationInProgress = &failure{wmiquery.CodeInUse, "Another replication operation is in progress for the virtual machine."}
	errPrimaryRunning      = &failure{wmiquery.CodeInvalidState, "The virtual machine on the primary server is running."}
)

// reverse is Msvm_ReplicationService.ReverseReplicationRelationship. The old
// primary's host must be a replica server that lets this one in. That the old
// primary must be off, and that an extended replication cannot be reversed nor a
// replica that has one, is inferred: one VM would run twice, or have three
// relationships.
func reverseReplication(r *request) wmiquery.Reply {
	l, vm := r.endpoint.link, r.vm
	if vm.endpoints[msvm.Extended] != nil {
		return errorReply(wmiquery.CodeInvalidState)
	}
	settings, ok := r.givenSettings(l.settings)
	if !ok {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	return jobReply(r.submitJob(&job{
		kind: msvm.JobReverseReplication, duration: r.drawDuration(10, 30),
		onEnd: func(at time.Time) *failure {
			old := l.sender.vm
			h := r.world.serverAt(*settings.RecoveryConnectionPoint)
			switch {
			case h == nil:
				return errServerNotFound
			case l.sender.state == msvm.Disabled || h != old.host:
				return errPrimaryNotEnabled
			case l.linkType == msvm.Extended:
				return errPrimaryIsReplica
			case old.on:
				return errPrimaryRunning
			case old.hasRunningJob():
				return errOperationInProgress
			}
			if f := h.authorize(vm, settings); f != nil {
				return f
			}
			l.swapRoles(at, settings)
			return nil
		},
	}))
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

// keepFigures has the side go on with what was counted for its machine.
func (e *endpoint) copyStatistics(was endpoint) {
	e.window, e.windowEnd, e.totals, e.lastTest = was.window, was.windowEnd, was.totals, was.lastTest
}

// changeToPrimary is Msvm_ReplicationService.ChangeReplicationModeToPrimary: a
// replica that has failed over for good becomes the primary of what was its
// extended replication. If it went back to an earlier point the third host must be
// resynchronized, which is inferred.
func changeToPrimary(r *request) wmiquery.Reply {
	vm := r.vm
	inbound, extended := vm.endpoints[msvm.Primary], vm.endpoints[msvm.Extended]
	if givenLink(r) != msvm.Extended {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	if extended == nil || extended.state == msvm.Disabled {
		return errorReply(wmiquery.CodeInvalidState)
	}
	return jobReply(r.submitJob(&job{
		kind: msvm.JobChangeModeToPrimary, duration: r.drawDuration(5, 15),
		onEnd: func(at time.Time) *failure {
			rewound := inbound.rewound
			vm.leaveLink(msvm.Primary, at)
			delete(vm.endpoints, msvm.Extended)
			vm.endpoints[msvm.Primary] = extended
			vm.mode = msvm.ModePrimary
			if extended.link.receiver.state != msvm.Disabled {
				extended.link.receiver.vm.mode = msvm.ModeReplica
			}
			extended.link.linkType = msvm.Primary
			if rewound {
				extended.link.requireResync(at)
			}
			extended.link.updateBacklog(at)
			return nil
		},
	}))
}
