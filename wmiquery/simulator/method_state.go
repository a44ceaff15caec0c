package simulator

import (
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// requestState is Msvm_ComputerSystem.RequestReplicationStateChange(Ex).
func requestState(r *request) wmiquery.Reply {
	if r.vm == nil { // the row of the host itself
		return errorReply(wmiquery.CodeNotSupported)
	}
	q, ok := msvm.FindStateRequest(msvm.ReplicationState(r.args.number("RequestedState")))
	if !ok {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	was, sends := r.state(), r.endpoint != nil && r.endpoint.sends()
	switch {
	case !slices.Contains(q.Modes, r.vm.mode):
		return errorReply(wmiquery.CodeInvalidState)
	case r.blockedByJob(q.State):
		return errorReply(wmiquery.CodeInUse)
	case !slices.Contains(q.States, was), q.SendingSide && !sends, q.RequiresOff && r.vm.on:
		return errorReply(wmiquery.CodeInvalidState)
	}
	if was.IsDiskUpdate() {
		if q.State != msvm.DiskUpdateInProgress && q.State != msvm.SyncedReplicationComplete {
			return r.abortDiskUpdate(q)
		}
	}
	switch q.State {
	case msvm.ReadyForReplication:
		return r.cancelInitial(q)
	case msvm.WaitingToCompleteInitialReplication:
		return r.makeReplica(q)
	case msvm.Replicating:
		return r.resume(q)
	case msvm.SyncedReplicationComplete:
		return r.preparePlannedFailover(q)
	case msvm.Suspended:
		return r.pause(q)
	case msvm.WaitingToStartResynchronization:
		return r.cancelResynchronization(q)
	}
	return r.retryDiskUpdate(q)
}

// blocksRequest tells whether a job is at work that the request cannot stop: it
// can stop a transfer, and 1 also what starts an initial replication.
func (r *request) blockedByJob(requested msvm.ReplicationState) bool {
	j := r.vm.runningJob()
	return j != nil && (requested != msvm.ReadyForReplication || !startsInitial(j))
}

// change has the state show what was requested at once, as the reference tells,
// while a job goes about it. end tells the state that comes of it; if that fails,
// it is as before.
//
// The host may as well complete the simple changes at once: that it does for
// every other VM is to show both to clients.
func (r *request) changeState(q msvm.StateRequest, length time.Duration, end func(time.Time) *failure) wmiquery.Reply {
	e, was := r.endpoint, r.endpoint.state
	transfer := e.link.transfer
	back := func(at time.Time) {
		e.setState(was, at)
		if transfer != nil && transfer == e.link.transfer && (was == msvm.Resynchronizing || was == msvm.WaitingToCompleteInitialReplication) {
			transfer.resume(at)
		}
	}
	if end == nil {
		end = func(time.Time) *failure { return nil }
	}
	e.setState(q.State, r.at)
	e.link.currentCycle = nil
	if q.Job == msvm.JobStateChange && r.vm.index%2 == 1 {
		f := r.faults.jobFailure()
		if f == nil {
			f = end(r.at)
		}
		if f == nil {
			return completedReply()
		}
		back(r.at)
		return errorReply(f.code)
	}
	return jobReply(r.submitJob(&job{kind: q.Job, duration: length, onEnd: end, onFail: back}))
}

// pause is request 7. A transfer is suspended with it.
func (r *request) pause(q msvm.StateRequest) wmiquery.Reply {
	e, was := r.endpoint, r.endpoint.state
	if t := e.link.transfer; t != nil && e.sends() && t.state(r.at) == msvm.JobRunning {
		t.suspend(r.at)
	}
	return r.changeState(q, r.drawDuration(1, 4), func(at time.Time) *failure {
		if was == msvm.Resynchronizing && e.sends() {
			e.setState(msvm.ResynchronizationSuspended, at)
		}
		return nil
	})
}

// resume is request 3.
func (r *request) resume(q msvm.StateRequest) wmiquery.Reply {
	e, l, was := r.endpoint, r.endpoint.link, r.endpoint.state
	if was == msvm.Resynchronizing {
		if e.sends() { // only a replica ends a resynchronization so
			return errorReply(wmiquery.CodeInvalidState)
		}
		if l.sender.state == msvm.Resynchronizing || l.sender.state == msvm.ResynchronizationSuspended {
			l.requireResync(r.at)
		}
	}
	return r.changeState(q, r.drawDuration(2, 6), func(at time.Time) *failure {
		switch {
		case was == msvm.WaitingToStartResynchronization: // what comes of it is not documented
			return errResyncRequired
		case e.sends():
			return l.resumeSending(was, at)
		}
		e.state = e.stateAfterAbort()
		return nil
	})
}

// cancelInitial is request 1: what starts, sends or exports an initial replica is
// stopped.
func (r *request) cancelInitial(q msvm.StateRequest) wmiquery.Reply {
	l := r.endpoint.link
	for _, j := range slices.Clone(r.vm.logical.jobs) {
		if j.vm == r.vm && (startsInitial(j) || j.transfer == l) {
			j.cancel(r.at)
		}
	}
	l.replicaExported = false
	return r.changeState(q, r.drawDuration(1, 4), nil)
}

// startsInitial tells the jobs by which StartReplication begins.
func startsInitial(j *job) bool {
	switch j.kind {
	case msvm.JobStartInitialReplication, msvm.JobStartResynchronizingInitialReplication, msvm.JobStartExportInitialReplication:
		return true
	}
	return false
}

// prepare is request 4: the last changes are sent, and the VM is locked.
func (r *request) preparePlannedFailover(q msvm.StateRequest) wmiquery.Reply {
	l := r.endpoint.link
	return r.changeState(q, r.drawDuration(5, 20), func(at time.Time) *failure {
		switch {
		case l.receiver.state != msvm.Replicating || l.rejection != nil:
			return errDisksNotAccepted
		case r.vm.on && l.linkType == msvm.Primary:
			return errRunning
		}
		l.backlog = 0
		l.completePlannedSync(at)
		return nil
	})
}

// cancelResynchronization is request 9. The next resynchronization starts from
// the beginning.
func (r *request) cancelResynchronization(q msvm.StateRequest) wmiquery.Reply {
	l := r.endpoint.link
	l.stopSending(r.at)
	if l.receiver.state == msvm.Resynchronizing {
		l.receiver.state = msvm.Replicating
	}
	return r.changeState(q, r.drawDuration(1, 4), func(at time.Time) *failure {
		l.requireResync(at)
		return nil
	})
}
