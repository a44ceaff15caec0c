package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// initiateFailover is Msvm_ReplicationService.InitiateFailover. The VM remains off, and the primary
// server is not informed.
func initiateFailover(r *request) wmiquery.Reply {
	to, code := r.givenPoint()
	if code != wmiquery.CodeCompleted {
		return errorReply(code)
	}
	return jobReply(r.endpoint.link.startFailover(r.at, r.drawFailoverDuration(to), to, r.faults.jobFailure()))
}

// undoRate is how many bytes of changes a host undoes per second in a failover. It is an assumption.
const undoRate = 50e6

// drawFailoverDuration draws how long a failover to a recovery point takes; nil is the latest one. Source: Microsoft's
// virtualization blog, 2014-01-27: since Windows Server 2012 R2 the replica keeps undo logs, so a failover to the
// latest point is nearly instant, and one to an older point takes as long as there is to undo.
func (r *request) drawFailoverDuration(to *recoveryPoint) time.Duration {
	d := r.drawDuration(6, 12)
	if to == nil {
		return d
	}
	undo := r.endpoint.link.traffic.meanWriteRate * float64(r.at.Unix()-to.at)
	return d + time.Duration(undo/undoRate)*time.Second
}

// givenPoint is the given recovery point, or nil for the latest one. It fails if nothing has been
// replicated yet.
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

// revertLink is the relationship that RevertFailover is about. It is the primary one, unless the VM is a
// replica that has not failed over and whose extended relationship is prepared for a failover.
func revertLink(r *request) msvm.Link {
	inbound, extended := r.vm.endpoints[msvm.Primary], r.vm.endpoints[msvm.Extended]
	if extended != nil && extended.state == msvm.SyncedReplicationComplete &&
		inbound != nil && inbound.failedOver == msvm.TypeNone {
		return msvm.Extended
	}
	return msvm.Primary
}

// revertFailover is Msvm_ReplicationService.RevertFailover. On the replica it reverts or stops a
// failover. On the sending side it cancels a prepared one.
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
					return errVMRunning
				}
				e.revertFailover(at)
				return nil
			},
			onFail: func(at time.Time) {
				if e.state == msvm.FailoverInProgress { // the failover that was stopped does not continue
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
			l.releaseReceiver(at)
			return nil
		},
	}))
}

// commitFailover is Msvm_ReplicationService.CommitFailover. It merges the recovery points and cannot be
// undone.
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

// initiateFailback is Msvm_ReplicationService.InitiateFailback, which the reference describes as forwarded to the
// provider of the relationship. That the provider of Hyper-V does not support it is inferred from its states, which
// only external providers are known to use. The settings and the recovery point are a matter of the provider.
func initiateFailback(r *request) wmiquery.Reply {
	if !r.endpoint.link.settings.external() {
		return errorReply(wmiquery.CodeNotSupported)
	}
	return jobReply(r.endpoint.link.startFailback(r.at, r.drawDuration(60, 240), r.faults.jobFailure()))
}

// startFailback starts the job in which an external provider fails the replica back (JobInitiateFailback).
func (l *link) startFailback(at time.Time, duration time.Duration, cause *failure) *job {
	e, was := &l.receiver, l.receiver.state
	e.setState(msvm.FailbackInProgress, at)
	return e.vm.submitJob(at, &job{
		kind: msvm.JobInitiateFailback, duration: duration, failure: cause,
		onEnd: func(at time.Time) *failure {
			e.setState(msvm.FailbackComplete, at)
			return nil
		},
		onFail: func(at time.Time) { e.setState(was, at) },
	})
}

// testReplica is Msvm_ReplicationService.TestReplicaSystem. It creates a test VM from a recovery point;
// a replica has at most one. Replication continues. Msvm_AffectedJobElement refers to the test VM when
// the job has completed.
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
		vm.host.addVM(j.createdVM)
		e.lastTest = at
		return nil
	}
	return jobReply(r.submitJob(j))
}

// destroySystem is Msvm_VirtualSystemManagementService.DestroySystem. Package msvm allows it for test
// replicas only.
func destroySystem(r *request) wmiquery.Reply {
	vm := r.vm
	return jobReply(r.submitJob(&job{
		kind: msvm.JobRemoveTestReplica, duration: r.drawDuration(2, 8),
		onEnd: func(time.Time) *failure {
			vm.host.removeVM(vm)
			vm.testOf.testReplica = nil
			return nil
		},
	}))
}
