package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// updateDisks starts the job that changes the replicated disks (JobUpdateDiskSet). While it runs, both
// endpoints are in a state of a disk update. For the other host this is inferred from the states of a
// replica that Microsoft's client knows.
func (r *request) updateDisks() *job {
	return r.endpoint.link.startDiskUpdate(r.at, r.vm, r.drawDuration(60, 240), r.faults.jobFailure())
}

// startDiskUpdate starts the job of a disk update on the host of a VM of the link.
func (l *link) startDiskUpdate(at time.Time, vm *hostVM, duration time.Duration, cause *failure) *job {
	l.currentCycle = nil
	l.setDiskUpdateState(msvm.DiskUpdateInProgress, at)
	return vm.submitJob(at, &job{
		kind: msvm.JobUpdateDiskSet, duration: duration, failure: cause,
		onEnd: func(at time.Time) *failure {
			if !l.connected(at) {
				return errServerUnreachable
			}
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

// abortDiskUpdate handles the requested states 1, 2 and 3 during a disk update. All three return to
// replication, or to the state before the first replication. Microsoft's client does not request them on
// extended links.
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

// retryDiskUpdate handles the requested state 15, DiskUpdateInProgress.
func (r *request) retryDiskUpdate(msvm.StateRequest) wmiquery.Reply {
	return jobReply(r.updateDisks())
}
