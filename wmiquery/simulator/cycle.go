package simulator

import (
	"math"
	"math/rand/v2"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// traffic describes how much a VM writes and how fast its changes are sent.
type traffic struct {
	interval      time.Duration // ReplicationInterval
	meanWriteRate float64       // average, in bytes per second
	bandwidth     float64       // bytes per second
	meanOverhead  time.Duration // average duration of a cycle without the time to send its bytes
	// snapshotInterval is ApplicationConsistentSnapshotInterval. Zero means no application-consistent
	// snapshots.
	snapshotInterval time.Duration
}

// snapshotFailures is the probability that an application-consistent snapshot fails.
const snapshotFailures = 0.02

// cycle is a replication cycle.
type cycle struct {
	begin, end time.Time
	bytes      float64
	kind       msvm.ReplicationType
}

// drawTraffic draws the traffic of a typical VM.
func drawTraffic(r *rand.Rand, interval time.Duration) traffic {
	return traffic{
		interval:      interval,
		meanWriteRate: 20e3 * math.Pow(100, r.Float64()), // 20 kB/s to 2 MB/s
		bandwidth:     40e6 + 60e6*r.Float64(),
		meanOverhead:  interval / 100 * time.Duration(2+r.IntN(3)),
	}
}

// slowDown returns traffic that the link cannot keep up with: a cycle takes longer than the interval,
// even at night.
func (t traffic) slowDown() traffic {
	t.meanOverhead = t.interval + t.interval/10
	t.bandwidth = t.meanWriteRate * 3
	return t
}

// drawWriteRate draws how much the VM writes until the next cycle, in bytes per second: more by day than
// by night, in bursts, and nothing while the VM is off. A replica with extended replication is off, but
// it changes with every cycle that it receives.
func (l *link) drawWriteRate(at time.Time) float64 {
	rate := l.traffic.drawWriteRate(l.random, at)
	if l.linkType == msvm.Primary && !l.sender.vm.on {
		return 0
	}
	return rate
}

func (t traffic) drawWriteRate(r *rand.Rand, at time.Time) float64 {
	hour := float64(at.Unix()%86400) / 3600
	day := 1 + 0.5*math.Cos((hour-14)/24*2*math.Pi)
	burst := 0.4 + 0.6*min(r.ExpFloat64(), 5)
	return t.meanWriteRate * day * burst
}

// drawCycleDuration draws how long a cycle takes, in whole seconds.
func (t traffic) drawCycleDuration(r *rand.Rand, bytes float64) time.Duration {
	d := t.meanOverhead.Seconds()*(0.8+0.4*r.Float64()) + bytes/t.bandwidth
	return time.Duration(math.Ceil(d)) * time.Second
}

// beginCycle runs at every replication interval, whether a cycle can start or not.
func (l *link) beginCycle(at time.Time) {
	l.nextCycle = at.Add(l.traffic.interval)
	l.updateBacklog(at)
	if l.sender.vm.hasRunningJob() {
		return // no cycle is expected, so none is missed
	}
	l.releaseReceiver(at)
	isCycle := l.isSending() && l.transfer == nil
	switch {
	case l.senderRemoved():
		l.enterError(at)
	case l.backlogTooLarge():
		l.requireResync(at)
	case l.autoResyncDue(at):
		l.startResync(at, at, nil)
	case !l.isSending():
	case l.currentCycle == nil && l.retry.next.IsZero() && l.attempt(at):
	case isCycle:
		l.missCycle()
	}
}

// missCycle counts a cycle that was due and did not run or failed.
func (l *link) missCycle() {
	for _, e := range l.endpoints() {
		e.count(Totals{Missed: 1})
	}
}

func (l *link) sendCycle(at time.Time) {
	c := &l.cycleStorage
	*c = cycle{begin: at, bytes: math.Floor(l.backlog), kind: msvm.TypeRegular}
	if l.traffic.snapshotInterval > 0 && !at.Before(l.nextSnapshot) {
		if l.random.Float64() < snapshotFailures {
			l.sender.count(Totals{SnapshotFailures: 1}) // the next cycle tries again
		} else {
			c.kind = msvm.TypeApplicationConsistent
			l.nextSnapshot = at.Add(l.traffic.snapshotInterval)
		}
	}
	c.end = at.Add(l.traffic.drawCycleDuration(l.random, c.bytes))
	l.currentCycle = c
}

func (l *link) endCycle(at time.Time) {
	c := l.currentCycle
	l.currentCycle, l.retry = nil, retry{}
	l.backlog -= c.bytes
	done := Totals{Cycles: 1, Bytes: uint64(c.bytes), Seconds: uint64(c.end.Sub(c.begin) / time.Second)}
	for _, e := range l.endpoints() {
		e.count(done)
	}
	if l.exported() { // nothing is applied before the import
		l.exportedUntil = at
		return
	}
	for _, e := range l.endpoints() {
		e.lastReplication, e.lastType = at, c.kind
		if c.kind == msvm.TypeApplicationConsistent {
			e.lastConsistentReplication = at
		}
	}
	l.receiver.setApplied(at, time.Duration(2+l.random.IntN(5))*time.Second)
	l.receiver.addCyclePoint(at, c.kind)
}

// updateBacklog adds what the VM has written since the last update, and draws a new write rate.
func (l *link) updateBacklog(at time.Time) {
	l.backlog = l.pendingBytes(at)
	l.backlogTime = at
	l.writeRate = l.drawWriteRate(at)
}

// pendingBytes is the size of the tracked changes that are not sent yet.
func (l *link) pendingBytes(at time.Time) float64 {
	if !tracksChanges(l.sender.state) {
		return l.backlog
	}
	return l.backlog + l.writeRate*at.Sub(l.backlogTime).Seconds()
}

// tracksChanges reports whether Hyper-V tracks changes while the sender is in the state. It does not
// track them before the initial replication and while resynchronization is required. A VM that is
// prepared for failover is off.
func tracksChanges(s msvm.ReplicationState) bool {
	switch s {
	case msvm.WaitingToCompleteInitialReplication, msvm.Replicating, msvm.Suspended, msvm.Critical,
		msvm.Resynchronizing, msvm.ResynchronizationSuspended:
		return true
	}
	return false
}
