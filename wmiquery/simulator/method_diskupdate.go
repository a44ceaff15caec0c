package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// updateDisks changes the disks that are replicated: job 125, during which both
// sides show it. What the other host shows is inferred from the states that
// Microsoft's client knows of a replica.
func (r *request) updateDisks() *job {
	l := r.side.link
	l.sending = nil
	l.enterBoth(msvm.DiskUpdateInProgress, r.at)
	return r.post(&job{
		kind: msvm.JobUpdateDiskSet, length: r.between(60, 240),
		onEnd: func(at time.Time) *failure {
			if l.update != nil {
				l.apply(*l.update)
				l.update = nil
			}
			l.leaveDiskUpdate(at)
			return nil
		},
		onFail:   func(at time.Time) { l.enterBoth(msvm.DiskUpdateCritical, at) },
		onCancel: l.leaveDiskUpdate,
	})
}

// enterBoth puts both sides into a state of a disk update, if the other side is
// in none that is about something else.
func (l *link) enterBoth(state msvm.ReplicationState, at time.Time) {
	for _, s := range l.sides() {
		switch s.state {
		case msvm.Replicating, msvm.DiskUpdateInProgress, msvm.DiskUpdateCritical:
			s.enter(state, at)
		}
	}
}

// leaveDiskUpdate ends an update, whether the disks were changed or not.
func (l *link) leaveDiskUpdate(at time.Time) {
	for _, s := range l.sides() {
		if updates(s.state) {
			s.enter(s.fallback(), at)
		}
	}
}

func updates(s msvm.ReplicationState) bool {
	return s == msvm.DiskUpdateInProgress || s == msvm.DiskUpdateCritical
}

// giveUpDiskUpdate is request 1, 2 or 3 during an update: whichever it is, a side
// that replicated does so again, and another waits as before. Microsoft's client
// does not ask for it on extended links.
func (r *request) giveUpDiskUpdate(q msvm.StateRequest) wmiquery.Reply {
	l, s := r.side.link, r.side
	if l.as == msvm.Extended {
		return refuse(wmiquery.CodeInvalidState)
	}
	return r.change(q, r.between(1, 4), func(at time.Time) *failure {
		l.update = nil
		s.enter(s.fallback(), at)
		l.leaveDiskUpdate(at)
		return nil
	})
}

// retryDiskUpdate is request 15.
func (r *request) retryDiskUpdate(msvm.StateRequest) wmiquery.Reply {
	return started(r.updateDisks())
}
