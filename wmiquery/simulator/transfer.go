package simulator

import (
	"math"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Failures of transfers, as jobs tell them. The texts are invented.
var (
	errNotReceived    = &failure{32768, "The Replica server does not take the disks in the state that its relationship is in."}
	errResyncRequired = &failure{32768, "The virtual machine requires resynchronization."}
)

// receives tells whether the receiving side takes whole disks.
func (l *link) receives() bool {
	switch l.receiver.state {
	case msvm.WaitingToCompleteInitialReplication, msvm.Replicating, msvm.Resynchronizing:
		return l.barred == nil
	}
	return false
}

// sendInitial sends the initial replica: job 116, until both sides replicate.
func (l *link) sendInitial(at time.Time, length time.Duration) {
	l.post(at, &job{
		kind: msvm.JobSendInitialReplica, length: length, transfer: l,
		onEnd: func(at time.Time) *failure {
			if !l.receives() {
				return errNotReceived
			}
			l.replicatedAt(at)
			return nil
		},
		onFail:   func(at time.Time) { l.sender.enter(msvm.Critical, at) },
		onCancel: func(at time.Time) { l.sender.enter(msvm.ReadyForReplication, at) },
	})
}

// resynchronize compares the disks and sends what differs, beginning at a time:
// job 107, or 121 on an extended link, until both sides replicate. The recovery
// points are then gone.
func (l *link) resynchronize(at, begin time.Time, fails *failure) *job {
	kind := msvm.JobResynchronize
	if l.as == msvm.Extended {
		kind = msvm.JobResynchronizeExtended
	}
	return l.post(at, &job{
		kind: kind, begin: begin, length: l.drawResynchronization(), transfer: l, failure: fails,
		onBegin: l.beginResynchronization,
		onEnd: func(at time.Time) *failure {
			if !l.receives() {
				return errNotReceived
			}
			l.receiver.mergeAll()
			l.replicatedAt(at)
			return nil
		},
		onFail:   l.loseTrack,
		onCancel: l.loseTrack,
	})
}

func (l *link) beginResynchronization(at time.Time) *failure {
	switch l.sender.state {
	case msvm.Resynchronizing, // as a VM of a world that is being made
		msvm.WaitingToStartResynchronization, msvm.Suspended, msvm.Critical, msvm.ResynchronizationSuspended:
	default:
		return &failure{32775, "The virtual machine is not in a state to be resynchronized."}
	}
	if l.receiver.state == msvm.Critical {
		l.receiver.state = msvm.Replicating // it has nothing against it
	}
	if !l.receives() || !l.receiver.replicated() {
		return errNotReceived
	}
	l.sending, l.stays = nil, false
	l.sender.enter(msvm.Resynchronizing, at)
	l.receiver.state = msvm.Resynchronizing
	return nil
}

// resumeTransfer has a link that is in the midst of a transfer, as its state
// says, when the world is made.
func (l *link) resumeTransfer(at time.Time, length time.Duration) {
	if l.sender.state == msvm.WaitingToCompleteInitialReplication {
		l.sendInitial(at, length)
		return
	}
	paused := l.sender.state == msvm.ResynchronizationSuspended
	j := l.resynchronize(at, at, nil)
	j.length, j.end = length, at.Add(length)
	if paused {
		l.sender.state = msvm.ResynchronizationSuspended
		j.pause(at)
	}
}

// resynchronizesItself tells whether it is time for an automatic
// resynchronization: between AutoResynchronizeIntervalStart and End, which may be
// the next day, in local time, which is UTC for the simulated hosts.
func (l *link) resynchronizesItself(at time.Time) bool {
	s := l.settings
	if l.stays || l.sender.state != msvm.WaitingToStartResynchronization || !*s.AutoResynchronizeEnabled || l.transfer != nil ||
		l.sender.machine.busy() || !l.receives() {
		return false
	}
	clock := at.Sub(at.Truncate(24 * time.Hour))
	begin, end := *s.AutoResynchronizeIntervalStart, *s.AutoResynchronizeIntervalEnd
	if begin <= end {
		return begin <= clock && clock < end
	}
	return begin <= clock || clock < end
}

// drawInitial is how long an initial replication takes.
func (l *link) drawInitial() time.Duration { return l.drawLength(l.traffic.bandwidth) }

// drawResynchronization is how long a resynchronization takes: it reads all, at
// 200 MB/s, and sends little.
func (l *link) drawResynchronization() time.Duration { return l.drawLength(200e6) }

func (l *link) drawLength(bytesPerSecond float64) time.Duration {
	s := l.size() / bytesPerSecond * (1 + 0.2*l.sender.machine.guest.rand().Float64())
	return time.Duration(math.Ceil(s)) * time.Second
}

// post puts a job about the sending machine on its host.
func (l *link) post(at time.Time, j *job) *job { return l.sender.machine.post(at, j) }

// post puts a job about the machine on its host.
func (m *machine) post(at time.Time, j *job) *job {
	j.host, j.machine = m.host, m
	m.guest.world.post(j, at)
	return j
}

// busy tells whether a job about the machine is at work, other than a transfer.
func (m *machine) busy() bool { return m.job() != nil }

// job is the job about the machine that is at work, other than a transfer.
func (m *machine) job() *job {
	for _, j := range m.guest.jobs {
		if j.machine == m && j.started && j.transfer == nil {
			return j
		}
	}
	return nil
}
