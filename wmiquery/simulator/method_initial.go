package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// InitialReplicationType of StartReplication.
const (
	overNetwork  = 1
	byExport     = 2
	fromExisting = 3 // over the network, but only what differs from a VM that is there
)

var errNoExport = &failure{32779, "There is no initial replica of the virtual machine in the folder."}

// startReplication is Msvm_ReplicationService.StartReplication. A job begins the
// initial replication, at once or at StartTime; over the network another one
// sends the disks, while an export is for somebody to carry.
func startReplication(r *request) wmiquery.Reply {
	l, how := r.side.link, r.args.number("InitialReplicationType")
	begin, ok := r.args.startTime(r.at)
	if how == byExport {
		begin, ok = r.at, r.args.text("InitialReplicationExportLocation") != ""
	}
	if how < overNetwork || how > fromExisting || !ok {
		return refuse(wmiquery.CodeInvalidParam)
	}
	for _, j := range r.machine.guest.jobs {
		if j.machine == r.machine && startsInitial(j) {
			return refuse(wmiquery.CodeInUse) // one is scheduled
		}
	}
	kind, length := msvm.JobStartInitialReplication, r.between(2, 5)
	switch how {
	case byExport:
		kind, length = msvm.JobStartExportInitialReplication, l.drawInitial()
	case fromExisting:
		kind = msvm.JobStartResynchronizingInitialReplication
	}
	back := func(at time.Time) { l.sender.enter(msvm.ReadyForReplication, at) }
	fails := r.faults.jobFailure()
	return started(r.post(&job{
		kind: kind, begin: begin, length: length, failure: fails, onFail: back, onCancel: back,
		onBegin: func(at time.Time) *failure {
			if l.sender.state != msvm.ReadyForReplication || !l.receives() {
				return errNotReceived
			}
			l.sender.enter(msvm.WaitingToCompleteInitialReplication, at)
			return nil
		},
		onEnd: func(at time.Time) *failure {
			switch how {
			case byExport:
				l.exported = true
			case fromExisting:
				l.sendInitial(at, l.drawInitial()/4)
			default:
				l.sendInitial(at, l.drawInitial())
			}
			return nil
		},
	}))
}

// importInitialReplica is Msvm_ReplicationService.ImportInitialReplica: what was
// exported on the primary has been carried here.
func importInitialReplica(r *request) wmiquery.Reply {
	if r.args.text("InitialReplicationImportLocation") == "" {
		return refuse(wmiquery.CodeInvalidParam)
	}
	l := r.side.link
	return started(r.post(&job{
		kind: msvm.JobImportReplication, length: l.drawInitial(),
		onCancel: func(time.Time) {},
		onEnd: func(at time.Time) *failure {
			if !l.exported || l.sender.state != msvm.WaitingToCompleteInitialReplication ||
				l.receiver.state != msvm.WaitingToCompleteInitialReplication {
				return errNoExport
			}
			l.exported = false
			l.replicatedAt(at)
			return nil
		},
	}))
}

// resynchronize is Msvm_ReplicationService.Resynchronize, at once or at StartTime.
func resynchronize(r *request) wmiquery.Reply {
	begin, ok := r.args.startTime(r.at)
	if !ok {
		return refuse(wmiquery.CodeInvalidParam)
	}
	l := r.side.link
	if t := l.transfer; t != nil {
		if t.state(r.at) == msvm.JobNew {
			return refuse(wmiquery.CodeInUse) // one is scheduled
		}
		l.drop(r.at) // it is suspended: the new one starts from the beginning
	}
	return started(l.resynchronize(r.at, begin, r.faults.jobFailure()))
}
