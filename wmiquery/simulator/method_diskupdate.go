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
	l := r.endpoint.link
	l.currentCycle = nil
	l.setDiskUpdateState(msvm.DiskUpdateInProgress, r.at)
	return r.submitJob(&job{
		kind: msvm.JobUpdateDiskSet, duration: r.drawDuration(60, 240),
		onEnd: func(at time.Time) *failure {
			if l.pendingSettings != nil {
				l.applySettings(*l.pendingSettings)
				l.pendingSettings = nil
			}
			l.endDiskUpdate(at)
			return nil
		},
		onFail:   func(at time.Time) { l.setDiskUpdateState(msvm.DiskUpdateCritical, at) },
		onCancel: l.endDiskUpdate,
	})
}

// giveUpDiskUpdate is request 1, 2 or 3 during an update: whichever it is, a side
// that replicated does so again, and another waits as before. Microsoft's client
// does not ask for it on extended links.
func (r *request) abortDiskUpdate(q msvm.StateRequest) wmiquery.Reply {
	l, e := r.endpoint.link, r.endpoint
	if l.linkType == msvm.Extended {
		return errorReply(wmiquery.CodeInvalidState)
	}
	return r.changeState(q, r.drawDuration(1, 4), func(at time.Time) *failure {
		l.pendingSettings = nil
		e.setState(e.stateAfterAbort(), at)
		l.endDiskUpdate(at)
		return nil
	})
}

// retryDiskUpdate is request 15.
func (r *request) retryDiskUpdate(msvm.StateRequest) wmiquery.Reply {
	return jobReply(r.updateDisks())
}
