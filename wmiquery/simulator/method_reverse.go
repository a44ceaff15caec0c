package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// reverseReplication is Msvm_ReplicationService.ReverseReplicationRelationship. The host of the old
// primary must be a replica server that authorizes this host. The old primary may have been made a replica
// before (Set-VMReplication -AsReplica), which Microsoft documents for unplanned failovers. Windows Admin
// Center reverses without that step, so it is optional here. It is inferred that the old primary must
// be off, and that neither an extended replication nor a replica with an extended replication can be
// reversed: otherwise one VM would run twice or have three relationships.
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
			if f := r.world.connectionFailure(at, vm, h, settings.ReplicationSettingData); f != nil {
				return f
			}
			switch {
			case h != old.host, l.sender.state == msvm.Disabled && !old.waitsForSender():
				return errPrimaryNotEnabled
			case l.linkType == msvm.Extended:
				return errPrimaryIsReplica
			case old.on:
				return errPrimaryRunning
			case old.hasRunningJob():
				return errOperationInProgress
			}
			l.swapRoles(at, settings)
			return nil
		},
	}))
}

// changeToPrimary is Msvm_ReplicationService.ChangeReplicationModeToPrimary. A replica with a committed
// failover becomes the primary of its extended relationship. It is inferred that the third host requires
// a resynchronization if the failover was to an earlier recovery point.
func changeToPrimary(r *request) wmiquery.Reply {
	vm := r.vm
	inbound, extended := vm.endpoints[msvm.Primary], vm.endpoints[msvm.Extended]
	if r.givenLink() != msvm.Extended {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	if extended == nil || extended.state == msvm.Disabled {
		return errorReply(wmiquery.CodeInvalidState)
	}
	return jobReply(r.submitJob(&job{
		kind: msvm.JobChangeModeToPrimary, duration: r.drawDuration(5, 15),
		onEnd: func(at time.Time) *failure {
			if !extended.link.connected(at) {
				return errServerUnreachable
			}
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
