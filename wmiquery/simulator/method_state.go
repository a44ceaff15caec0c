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
	case !slices.Contains(q.StatesIn(r.vm.mode), was), q.SendingSide && !sends, q.RequiresOff && r.vm.on:
		return errorReply(wmiquery.CodeInvalidState)
	}
	if was.IsDiskUpdate() && q.State != msvm.DiskUpdateInProgress && q.State != msvm.SyncedReplicationComplete {
		return r.abortDiskUpdate(q)
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

// blockedByJob reports whether a running job prevents the request. Transfers do not, and
// ReadyForReplication also stops the job that starts an initial replication.
func (r *request) blockedByJob(requested msvm.ReplicationState) bool {
	j := r.vm.runningJob()
	return j != nil && (requested != msvm.ReadyForReplication || !startsInitial(j))
}

// changeState sets the requested state at once, as the reference describes, and starts a job that
// completes the change. end sets the final state. If it fails, the previous state is restored.
func (r *request) changeState(
	q msvm.StateRequest, duration time.Duration, end func(time.Time) *failure,
) wmiquery.Reply {
	e, was := r.endpoint, r.endpoint.state
	transfer := e.link.transfer
	restore := func(at time.Time) {
		e.setState(was, at)
		transferring := was == msvm.Resynchronizing || was == msvm.WaitingToCompleteInitialReplication
		if transferring && transfer != nil && transfer == e.link.transfer {
			e.link.continueTransfer(at)
		}
	}
	if end == nil {
		end = func(time.Time) *failure { return nil }
	}
	e.setState(q.State, r.at)
	e.link.currentCycle = nil
	if q.Job == msvm.JobStateChange && r.vm.skipsSimpleJobs() {
		f := r.faults.jobFailure()
		if f == nil {
			f = end(r.at)
		}
		if f == nil {
			return completedReply()
		}
		restore(r.at)
		return errorReply(f.code)
	}
	return jobReply(r.submitJob(&job{kind: q.Job, duration: duration, onEnd: end, onFail: restore}))
}

// pause handles the requested state 7, Suspended. It suspends a running transfer, too.
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

// resume handles the requested state 3, Replicating.
func (r *request) resume(q msvm.StateRequest) wmiquery.Reply {
	e, l, was := r.endpoint, r.endpoint.link, r.endpoint.state
	sends := l.sender.state == msvm.Resynchronizing || l.sender.state == msvm.ResynchronizationSuspended
	if was == msvm.Resynchronizing {
		if e.sends() { // only a replica can end a resynchronization this way
			return errorReply(wmiquery.CodeInvalidState)
		}
		if sends && l.connected(r.at) { // otherwise the sender does not hear of it before its next attempt
			l.requireResync(r.at)
		}
	}
	return r.changeState(q, r.drawDuration(2, 6), func(at time.Time) *failure {
		if e.sends() {
			return l.resumeSending(was, at)
		}
		if was == msvm.Suspended && sends {
			e.state = msvm.Resynchronizing
		} else {
			e.state = e.stateAfterAbort()
		}
		return nil
	})
}

// cancelInitial handles the requested state 1, ReadyForReplication. It stops the jobs that start, send
// or export an initial replica. Source: Stop-VMInitialReplication in MicrosoftDocs/windows-powershell-docs:
// after an export has finished, the initial replication cannot be stopped.
func (r *request) cancelInitial(q msvm.StateRequest) wmiquery.Reply {
	l := r.endpoint.link
	if l.exported() {
		return errorReply(wmiquery.CodeInvalidState)
	}
	for _, j := range slices.Clone(r.vm.logical.jobs) {
		if j.vm == r.vm && (startsInitial(j) || j.transfer == l) {
			j.cancel(r.at)
		}
	}
	return r.changeState(q, r.drawDuration(1, 4), nil)
}

// startsInitial reports whether the job was started by StartReplication.
func startsInitial(j *job) bool {
	switch j.kind {
	case msvm.JobStartInitialReplication, msvm.JobStartResynchronizingInitialReplication,
		msvm.JobStartExportInitialReplication:
		return true
	}
	return false
}

// preparePlannedFailover handles the requested state 4, SyncedReplicationComplete. It sends the last
// changes and locks the VM.
func (r *request) preparePlannedFailover(q msvm.StateRequest) wmiquery.Reply {
	l := r.endpoint.link
	return r.changeState(q, r.drawDuration(5, 20), func(at time.Time) *failure {
		if f := l.receiverFailure(at, msvm.SyncedReplicationComplete); f != nil {
			return f
		}
		if r.vm.on && l.linkType == msvm.Primary {
			return errVMRunning
		}
		l.completePlannedSync(at)
		return nil
	})
}

// cancelResynchronization handles the requested state 9, WaitingToStartResynchronization. The next
// resynchronization starts from the beginning, even if the job of the request fails.
func (r *request) cancelResynchronization(q msvm.StateRequest) wmiquery.Reply {
	r.endpoint.link.requireResync(r.at)
	return r.changeState(q, r.drawDuration(1, 4), nil)
}
