package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// initiateFailover is Msvm_ReplicationService.InitiateFailover. The VM stays off,
// and the primary hears nothing of it.
func initiateFailover(r *request) wmiquery.Reply {
	to, code := r.point()
	if code != wmiquery.CodeCompleted {
		return refuse(code)
	}
	return started(r.side.link.failOver(r.at, r.between(15, 60), to, r.faults.jobFailure()))
}

// point is the recovery point that is given, nil for the latest. There is none
// before something was replicated.
func (r *request) point() (*point, uint32) {
	if !r.side.replicated() {
		return nil, wmiquery.CodeInvalidState
	}
	ref := r.args.ref("SnapshotSettingData")
	if ref == "" {
		return nil, wmiquery.CodeCompleted
	}
	p, ok := r.side.pointAt(ref)
	if !ok {
		return nil, wmiquery.CodeInvalidParam
	}
	return &p, wmiquery.CodeCompleted
}

// failOver brings the replica to a recovery point, the latest if that is nil: job
// 97. What kind of failover it is follows from the point; the latest is what the
// last replication brought.
func (l *link) failOver(at time.Time, length time.Duration, to *point, fails *failure) *job {
	s := &l.receiver
	kind, rewound := s.lastType, false
	if to != nil {
		kind = to.kind.replicationType()
		rewound = *to != s.points[len(s.points)-1]
	}
	l.sending = nil
	s.enter(msvm.FailoverInProgress, at)
	return s.machine.post(at, &job{
		kind: msvm.JobInitiateFailover, length: length, failure: fails,
		onEnd: func(time.Time) *failure {
			s.state, s.failedOver, s.rewound = msvm.Recovered, kind, rewound
			return nil
		},
		onFail: s.revert,
	})
}

// revert has a side that failed over as it was before.
func (s *side) revert(at time.Time) {
	s.enter(msvm.Replicating, at)
	s.failedOver, s.rewound = msvm.TypeNone, false
}

// relevant is the relationship that RevertFailover is about: of a replica that is
// replicated on and has not failed over, a prepared extended one.
func relevant(r *request) msvm.Link {
	inbound, extended := r.machine.sides[msvm.Primary], r.machine.sides[msvm.Extended]
	if extended != nil && extended.state == msvm.SyncedReplicationComplete && inbound != nil && inbound.failedOver == msvm.TypeNone {
		return msvm.Extended
	}
	return msvm.Primary
}

// revertFailover is Msvm_ReplicationService.RevertFailover: on the replica a
// failover is taken back, or stopped if it is under way; on the sending side a
// prepared one is.
func revertFailover(r *request) wmiquery.Reply {
	s, l := r.side, r.side.link
	if j := r.machine.job(); j != nil {
		if j.kind != msvm.JobInitiateFailover {
			return refuse(wmiquery.CodeInUse)
		}
		j.cancelled = true
		j.leave(r.at)
	}
	if !s.sends() {
		return started(r.post(&job{
			kind: msvm.JobRevertFailover, length: r.between(5, 20),
			onEnd: func(at time.Time) *failure {
				if r.machine.on {
					return errRunning
				}
				s.revert(at)
				return nil
			},
			onFail: func(at time.Time) {
				if s.state == msvm.FailoverInProgress { // and nothing goes on with it
					s.revert(at)
					s.enter(msvm.Critical, at)
				}
			},
		}))
	}
	return started(r.post(&job{
		kind: msvm.JobCancelSyncedReplication, length: r.between(2, 8),
		onEnd: func(at time.Time) *failure {
			s.enter(msvm.Replicating, at)
			if l.receiver.failedOver == msvm.TypeNone && l.receiver.state != msvm.FailoverInProgress {
				l.receiver.dropPlanned()
			}
			return nil
		},
	}))
}

// commitFailover is Msvm_ReplicationService.CommitFailover: the recovery points
// are merged, and there is no way back.
func commitFailover(r *request) wmiquery.Reply {
	s := r.side
	return started(r.post(&job{
		kind: msvm.JobCommitFailover, length: r.between(10, 40),
		onEnd: func(at time.Time) *failure {
			s.enter(msvm.Committed, at)
			s.mergeAll()
			return nil
		},
	}))
}

// initiateFailback is Msvm_ReplicationService.InitiateFailback, which Hyper-V's
// own provider does not have.
func initiateFailback(*request) wmiquery.Reply { return refuse(wmiquery.CodeNotSupported) }
