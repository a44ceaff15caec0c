package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Values of InitialReplicationType in StartReplication.
const (
	initialOverNetwork  = 1
	initialByExport     = 2
	initialFromExisting = 3 // over the network, but only the differences from an existing VM
)

// startReplication is Msvm_ReplicationService.StartReplication. Its job begins at once or at StartTime.
// When it completes, a second job transfers the disks over the network. An export needs no second job,
// because the replica is carried to the other host.
func startReplication(r *request) wmiquery.Reply {
	l, how := r.endpoint.link, r.args.number("InitialReplicationType")
	begin, ok := r.args.startTime(r.at)
	if how == initialByExport {
		begin, ok = r.at, r.args.text("InitialReplicationExportLocation") != ""
	}
	if how < initialOverNetwork || how > initialFromExisting || !ok {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	for _, j := range r.vm.logical.jobs {
		if j.vm == r.vm && startsInitial(j) {
			return errorReply(wmiquery.CodeInUse) // a start is scheduled
		}
	}
	kind, duration := msvm.JobStartInitialReplication, r.drawDuration(2, 5)
	switch how {
	case initialByExport:
		kind, duration = msvm.JobStartExportInitialReplication, l.drawInitialDuration()
	case initialFromExisting:
		kind = msvm.JobStartResynchronizingInitialReplication
	}
	restore := func(at time.Time) { l.sender.setState(msvm.ReadyForReplication, at) }
	return jobReply(r.submitJob(&job{
		kind: kind, begin: begin, duration: duration, onFail: restore, onCancel: restore,
		onBegin: func(at time.Time) *failure {
			if l.sender.state != msvm.ReadyForReplication {
				return errReplicaState
			}
			if f := l.receiverFailure(at, l.sender.state); f != nil {
				return f
			}
			l.sender.setState(msvm.WaitingToCompleteInitialReplication, at)
			return nil
		},
		onEnd: func(at time.Time) *failure {
			switch how {
			case initialByExport:
				l.exportedUntil = begin
			case initialFromExisting:
				l.startInitialTransfer(at, l.drawInitialDuration()/4)
			default:
				l.startInitialTransfer(at, l.drawInitialDuration())
			}
			return nil
		},
	}))
}

// importInitialReplica is Msvm_ReplicationService.ImportInitialReplica. It imports a replica that was
// exported on the primary server.
func importInitialReplica(r *request) wmiquery.Reply {
	if r.args.text("InitialReplicationImportLocation") == "" {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	l := r.endpoint.link
	return jobReply(r.submitJob(&job{
		kind: msvm.JobImportReplication, duration: l.drawInitialDuration(),
		onCancel: func(time.Time) {},
		onEnd: func(at time.Time) *failure {
			if !l.exported() || l.sender.state != msvm.WaitingToCompleteInitialReplication ||
				l.receiver.state != msvm.WaitingToCompleteInitialReplication {
				return errNoExportedReplica
			}
			if !l.connected(at) { // the sender does not hear of the import
				return errServerUnreachable
			}
			l.setReplicating(l.exportedUntil)
			l.receiver.setApplied(at, 0)
			l.exportedUntil = time.Time{}
			return nil
		},
	}))
}

// resynchronize is Msvm_ReplicationService.Resynchronize. It starts at once or at StartTime.
func resynchronize(r *request) wmiquery.Reply {
	begin, ok := r.args.startTime(r.at)
	if !ok {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	l := r.endpoint.link
	if t := l.transfer; t != nil {
		if t.state(r.at) == msvm.JobNew {
			return errorReply(wmiquery.CodeInUse) // a resynchronization is scheduled
		}
		l.stopSending(r.at) // the suspended resynchronization is replaced by a new one
	}
	return jobReply(l.startResync(r.at, begin, r.faults.jobFailure()))
}
