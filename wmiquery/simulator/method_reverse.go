package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
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

// changeToPrimary is Msvm_ReplicationService.ChangeReplicationModeToPrimary: a
// replica that has failed over for good becomes the primary of what was its
// extended replication. If it went back to an earlier point the third host must be
// resynchronized, which is inferred.
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
