package simulator

import (
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// createRelationship is Msvm_ReplicationService.CreateReplicationRelationship. It makes a VM without
// replication a primary VM, and extends the replication of a replica to a third host.
func createRelationship(r *request) wmiquery.Reply {
	settings, ok := r.givenSettings(linkSettings{ReplicationSettingData: unsetSettings()})
	if !ok {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	vm := r.vm
	return jobReply(r.submitJob(&job{
		kind: msvm.JobCreateRelationship, duration: r.drawDuration(5, 15),
		onEnd: func(at time.Time) *failure {
			h := r.world.serverAt(*settings.RecoveryConnectionPoint)
			if f := r.world.connectionFailure(at, vm, h, settings.ReplicationSettingData); f != nil {
				return f
			}
			to, f := vm.newReplicaVM(h, at)
			if f != nil {
				return f
			}
			l := vm.logical.connect(vm, r.linkType, to, settings)
			l.start(at)
			l.sender.state, l.receiver.state = msvm.ReadyForReplication, msvm.WaitingToCompleteInitialReplication
			if vm.mode == msvm.ModeNone {
				vm.mode = msvm.ModePrimary
			}
			return nil
		},
	}))
}

// givenSettings are the base settings with the given changes. It returns false if the result is not
// valid.
func (r *request) givenSettings(base linkSettings) (linkSettings, bool) {
	var given msvm.ReplicationSettingData
	if !r.args.unmarshal("ReplicationSettingData", &given) {
		return base, false
	}
	s := linkSettings{
		overlay(base.ReplicationSettingData, given), r.args.laterBuild("ReplicationSettingData"),
	}
	history, hours := *s.RecoveryHistory, *s.ApplicationConsistentSnapshotInterval
	intervals := []uint16{30, 300, 900}
	if r.linkType == msvm.Extended { // at least 300 s and at least the interval of the primary link
		intervals = slices.DeleteFunc(intervals, func(i uint16) bool {
			inbound := r.vm.endpoints[msvm.Primary]
			return i < 300 || inbound != nil && i < *inbound.link.settings.ReplicationInterval
		})
	}
	isProvider := func(p msvm.ReplicationProvider) bool { return p.Name == s.ProviderID() }
	switch {
	case s.ReplicationProvider != nil && !slices.ContainsFunc(r.providers(), isProvider),
		msvm.StringOrEmpty(s.RecoveryConnectionPoint) == "", !validConnection(s.ReplicationSettingData),
		!slices.Contains(intervals, *s.ReplicationInterval),
		history > 24, hours > 12, hours > 0 && (history == 0 || r.linkType == msvm.Extended):
		return s, false
	}
	return s, true
}

// makeReplica handles the requested state 2, WaitingToCompleteInitialReplication: a VM without
// replication, or an old primary, becomes a replica without a sender. No data is moved.
func (r *request) makeReplica(q msvm.StateRequest) wmiquery.Reply {
	vm := r.vm
	if vm.mode == msvm.ModePrimary {
		return r.changeState(q, r.drawDuration(1, 4), func(at time.Time) *failure {
			if vm.on {
				return errVMRunning
			}
			vm.leaveLink(msvm.Primary, at)
			vm.waitForSender(at)
			return nil
		})
	}
	vm.waitForSender(r.at)
	return jobReply(r.submitJob(&job{
		kind: q.Job, duration: r.drawDuration(1, 4),
		onFail: func(at time.Time) { vm.leaveLink(msvm.Primary, at) },
	}))
}

// modifyRelationship is Msvm_ReplicationService.ModifyReplicationSettings. A change of the replicated
// disks starts a disk update instead.
func modifyRelationship(r *request) wmiquery.Reply {
	l := r.endpoint.link
	settings, ok := r.givenSettings(l.settings)
	otherDisks := !slices.Equal(settings.IncludedDisks, l.settings.IncludedDisks)
	switch {
	case !ok || otherDisks && r.linkType == msvm.Extended:
		return errorReply(wmiquery.CodeInvalidParam)
	case otherDisks && r.endpoint.state != msvm.Replicating:
		return errorReply(wmiquery.CodeInvalidState)
	case otherDisks:
		l.pendingSettings = &settings
		return jobReply(r.updateDisks())
	}
	return jobReply(r.submitJob(&job{
		kind: msvm.JobModifyRelationship, duration: r.drawDuration(2, 5),
		onEnd: func(at time.Time) *failure {
			if r.world.serverAt(*settings.RecoveryConnectionPoint) != l.receiver.vm.host {
				return errOtherServer
			}
			if !l.connected(at) {
				return errServerUnreachable
			}
			l.applySettings(settings)
			return nil
		},
	}))
}

// removeRelationship is Msvm_ReplicationService.RemoveReplicationRelationship(Ex). It removes the
// relationship on this host only. The extended relationship of a replica must be removed first. The Ex method does not
// support external providers.
func removeRelationship(r *request) wmiquery.Reply {
	if r.method.Name == msvm.MethodRemoveReplicationRelationshipEx && r.endpoint.link.settings.external() {
		return errorReply(wmiquery.CodeNotSupported)
	}
	if r.vm.hasRunningJob() {
		return errorReply(wmiquery.CodeInUse)
	}
	if other := r.vm.endpoints[msvm.Extended]; r.linkType == msvm.Primary && other != nil && other.state != msvm.Disabled {
		return errorReply(wmiquery.CodeInvalidState)
	}
	if r.endpoint.sends() {
		r.endpoint.link.stopSending(r.at)
	}
	for _, j := range slices.Clone(r.vm.logical.jobs) {
		if j.vm == r.vm && startsInitial(j) && r.endpoint.sends() {
			j.cancel(r.at)
		}
	}
	return jobReply(r.submitJob(&job{
		kind: msvm.JobRemoveRelationship, duration: r.drawDuration(2, 6),
		onEnd: func(at time.Time) *failure { r.vm.leaveLink(r.linkType, at); return nil },
	}))
}
