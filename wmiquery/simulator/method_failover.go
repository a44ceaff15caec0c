package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// initiateFailover is Msvm_ReplicationService.InitiateFailover. The VM stays off,
// and the primary hears nothing of it.
func initiateFailover(r *request) wmiquery.Reply {
	to, code := r.givenPoint()
	if code != wmiquery.CodeCompleted {
		return errorReply(code)
	}
	return jobReply(r.endpoint.link.startFailover(r.at, r.drawDuration(15, 60), to, r.faults.jobFailure()))
}

// point is the recovery point that is given, nil for the latest. There is none
// before something was replicated.
func (r *request) givenPoint() (*recoveryPoint, uint32) {
	if !r.endpoint.hasReplicated() {
		return nil, wmiquery.CodeInvalidState
	}
	ref := r.args.ref("SnapshotSettingData")
	if ref == "" {
		return nil, wmiquery.CodeCompleted
	}
	p, ok := r.endpoint.pointAt(ref)
	if !ok {
		return nil, wmiquery.CodeInvalidParam
	}
	return &p, wmiquery.CodeCompleted
}

// relevant is the relationship that RevertFailover is about: of a replica that is
// replicated on and has not failed over, a prepared extended one.
func revertLink(r *request) msvm.Link {
	inbound, extended := r.vm.endpoints[msvm.Primary], r.vm.endpoints[msvm.Extended]
	if extended != nil && extended.state == msvm.SyncedReplicationComplete && inbound != nil && inbound.failedOver == msvm.TypeNone {
		return msvm.Extended
	}
	return msvm.Primary
}

// revertFailover is Msvm_ReplicationService.RevertFailover: on the replica a
// failover is taken back, or stopped if it is under way; on the sending side a
// prepared one is.
func revertFailover(r *request) wmiquery.Reply {
	e, l := r.endpoint, r.endpoint.link
	if j := r.vm.runningJob(); j != nil {
		if j.kind != msvm.JobInitiateFailover {
			return errorReply(wmiquery.CodeInUse)
		}
		j.cancelled = true
		j.finish(r.at)
	}
	if !e.sends() {
		return jobReply(r.submitJob(&job{
			kind: msvm.JobRevertFailover, duration: r.drawDuration(5, 20),
			onEnd: func(at time.Time) *failure {
				if r.vm.on {
					return errRunning
				}
				e.revertFailover(at)
				return nil
			},
			onFail: func(at time.Time) {
				if e.state == msvm.FailoverInProgress { // and nothing goes on with it
					e.revertFailover(at)
					e.setState(msvm.Critical, at)
				}
			},
		}))
	}
	return jobReply(r.submitJob(&job{
		kind: msvm.JobCancelSyncedReplication, duration: r.drawDuration(2, 8),
		onEnd: func(at time.Time) *failure {
			e.setState(msvm.Replicating, at)
			if l.receiver.failedOver == msvm.TypeNone && l.receiver.state != msvm.FailoverInProgress {
				l.receiver.mergePlannedPoint()
			}
			return nil
		},
	}))
}

// commitFailover is Msvm_ReplicationService.CommitFailover: the recovery points
// are merged, and there is no way back.
func commitFailover(r *request) wmiquery.Reply {
	e := r.endpoint
	return jobReply(r.submitJob(&job{
		kind: msvm.JobCommitFailover, duration: r.drawDuration(10, 40),
		onEnd: func(at time.Time) *failure {
			e.setState(msvm.Committed, at)
			e.mergeAllPoints()
			return nil
		},
	}))
}

// initiateFailback is Msvm_ReplicationService.InitiateFailback, which Hyper-V's
// own provider does not have.
func initiateFailback(*request) wmiquery.Reply { return errorReply(wmiquery.CodeNotSupported) }

// testReplica is Msvm_ReplicationService.TestReplicaSystem: a test VM of a
// recovery point, of which a replica has one at most. Replication goes on. The
// test VM is known when the job is done, by Msvm_AffectedJobElement.
func testReplica(r *request) wmiquery.Reply {
	vm, e := r.vm, r.endpoint
	if vm.testReplica != nil {
		return errorReply(wmiquery.CodeInvalidState)
	}
	if _, code := r.givenPoint(); code != wmiquery.CodeCompleted {
		return errorReply(code)
	}
	j := &job{kind: msvm.JobInitiateTestReplica, duration: r.drawDuration(10, 30)}
	j.onEnd = func(at time.Time) *failure {
		j.createdVM = vm.newTestReplica(drawGUID(vm.logical.rand()), at)
		j.createdVM.added = at
		vm.host.add(j.createdVM)
		e.lastTest = at
		return nil
	}
	return jobReply(r.submitJob(j))
}

// destroy is Msvm_VirtualSystemManagementService.DestroySystem, of test replicas
// only: package msvm says so, and the table of methods checks it.
func destroySystem(r *request) wmiquery.Reply {
	vm := r.vm
	return jobReply(r.submitJob(&job{
		kind: msvm.JobRemoveTestReplica, duration: r.drawDuration(2, 8),
		onEnd: func(time.Time) *failure {
			vm.host.remove(vm)
			vm.testOf.testReplica = nil
			return nil
		},
	}))
}
