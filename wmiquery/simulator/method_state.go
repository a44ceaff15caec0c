package simulator

import (
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// requestState is Msvm_ComputerSystem.RequestReplicationStateChange(Ex).
func requestState(r *request) wmiquery.Reply {
	requests := msvm.StateRequests()
	i := slices.IndexFunc(requests, func(q msvm.StateRequest) bool {
		return q.State == msvm.ReplicationState(r.args.number("RequestedState"))
	})
	switch {
	case r.machine == nil: // the host's own row
		return refuse(wmiquery.CodeNotSupported)
	case i < 0:
		return refuse(wmiquery.CodeInvalidParam)
	}
	q := requests[i]
	was, sends := r.state(), r.side != nil && r.side.sends()
	switch {
	case !slices.Contains(q.Modes, r.machine.mode):
		return refuse(wmiquery.CodeInvalidState)
	case r.blocksRequest(q.State):
		return refuse(wmiquery.CodeInUse)
	case !slices.Contains(q.States, was), q.SendingSide && !sends, q.RequiresOff && r.machine.on:
		return refuse(wmiquery.CodeInvalidState)
	}
	if was == msvm.DiskUpdateInProgress || was == msvm.DiskUpdateCritical {
		if q.State != msvm.DiskUpdateInProgress && q.State != msvm.SyncedReplicationComplete {
			return r.giveUpDiskUpdate(q)
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
		return r.prepare(q)
	case msvm.Suspended:
		return r.pause(q)
	case msvm.WaitingToStartResynchronization:
		return r.cancelResynchronization(q)
	}
	return r.retryDiskUpdate(q)
}

// blocksRequest tells whether a job is at work that the request cannot stop: it
// can stop a transfer, and 1 also what starts an initial replication.
func (r *request) blocksRequest(requested msvm.ReplicationState) bool {
	j := r.machine.job()
	return j != nil && (requested != msvm.ReadyForReplication || !startsInitial(j))
}

// change has the state show what was requested at once, as the reference tells,
// while a job goes about it. end tells the state that comes of it; if that fails,
// it is as before.
//
// The host may as well complete the simple changes at once: that it does for
// every other VM is to show both to clients.
func (r *request) change(q msvm.StateRequest, length time.Duration, end func(time.Time) *failure) wmiquery.Reply {
	s, was := r.side, r.side.state
	transfer := s.link.transfer
	back := func(at time.Time) {
		s.enter(was, at)
		if transfer != nil && transfer == s.link.transfer && (was == msvm.Resynchronizing || was == msvm.WaitingToCompleteInitialReplication) {
			transfer.resume(at)
		}
	}
	if end == nil {
		end = func(time.Time) *failure { return nil }
	}
	s.enter(q.State, r.at)
	s.link.sending = nil
	if q.Job == msvm.JobStateChange && r.machine.index%2 == 1 {
		f := r.faults.jobFailure()
		if f == nil {
			f = end(r.at)
		}
		if f == nil {
			return done()
		}
		back(r.at)
		return refuse(f.code)
	}
	return started(r.post(&job{kind: q.Job, length: length, onEnd: end, onFail: back}))
}

// pause is request 7. A transfer is suspended with it.
func (r *request) pause(q msvm.StateRequest) wmiquery.Reply {
	s, was := r.side, r.side.state
	if t := s.link.transfer; t != nil && s.sends() && t.state(r.at) == msvm.JobRunning {
		t.pause(r.at)
	}
	return r.change(q, r.between(1, 4), func(at time.Time) *failure {
		if was == msvm.Resynchronizing && s.sends() {
			s.enter(msvm.ResynchronizationSuspended, at)
		}
		return nil
	})
}

// resume is request 3.
func (r *request) resume(q msvm.StateRequest) wmiquery.Reply {
	s, l, was := r.side, r.side.link, r.side.state
	if was == msvm.Resynchronizing {
		if s.sends() { // only a replica ends a resynchronization so
			return refuse(wmiquery.CodeInvalidState)
		}
		if l.sender.state == msvm.Resynchronizing || l.sender.state == msvm.ResynchronizationSuspended {
			l.loseTrack(r.at)
		}
	}
	return r.change(q, r.between(2, 6), func(at time.Time) *failure {
		switch {
		case was == msvm.WaitingToStartResynchronization: // what comes of it is not documented
			return errResyncRequired
		case s.sends():
			return l.goOn(was, at)
		}
		s.state = s.fallback()
		return nil
	})
}

// goOn has the sender go on after it was suspended or in error.
func (l *link) goOn(was msvm.ReplicationState, at time.Time) *failure {
	if l.receiver.state == msvm.Critical {
		l.receiver.state = l.receiver.fallback()
	}
	switch r := l.receiver.state; {
	case was == msvm.Critical && !l.receives():
		return errNotReceived
	case was == msvm.ResynchronizationSuspended && l.transfer != nil && r == msvm.Resynchronizing:
		l.sender.enter(msvm.Resynchronizing, at)
		l.transfer.resume(at)
	case was == msvm.ResynchronizationSuspended:
		l.loseTrack(at)
	case !l.sender.replicated() && l.transfer != nil:
		l.sender.enter(msvm.WaitingToCompleteInitialReplication, at)
		l.transfer.resume(at)
	case !l.sender.replicated() && l.exported:
		l.sender.enter(msvm.WaitingToCompleteInitialReplication, at)
	case !l.sender.replicated():
		l.sender.enter(msvm.WaitingToCompleteInitialReplication, at)
		l.sendInitial(at, l.drawInitial())
	}
	l.refused, l.refusals = false, 0
	return nil
}

// cancelInitial is request 1: what starts, sends or exports an initial replica is
// stopped.
func (r *request) cancelInitial(q msvm.StateRequest) wmiquery.Reply {
	l := r.side.link
	for _, j := range slices.Clone(r.machine.guest.jobs) {
		if j.machine == r.machine && (startsInitial(j) || j.transfer == l) {
			j.cancel(r.at)
		}
	}
	l.exported = false
	return r.change(q, r.between(1, 4), nil)
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
func (r *request) prepare(q msvm.StateRequest) wmiquery.Reply {
	l := r.side.link
	return r.change(q, r.between(5, 20), func(at time.Time) *failure {
		switch {
		case l.receiver.state != msvm.Replicating || l.barred != nil:
			return errNotReceived
		case r.machine.on && l.as == msvm.Primary:
			return errRunning
		}
		l.backlog = 0
		l.shipped(at)
		return nil
	})
}

// cancelResynchronization is request 9. The next resynchronization starts from
// the beginning.
func (r *request) cancelResynchronization(q msvm.StateRequest) wmiquery.Reply {
	l := r.side.link
	l.drop(r.at)
	if l.receiver.state == msvm.Resynchronizing {
		l.receiver.state = msvm.Replicating
	}
	return r.change(q, r.between(1, 4), func(at time.Time) *failure {
		l.loseTrack(at)
		return nil
	})
}
