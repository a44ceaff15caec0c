package simulator

import (
	"math"
	"math/rand/v2"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// traffic is how a VM writes and how its changes travel.
type traffic struct {
	interval      time.Duration // ReplicationInterval
	meanWriteRate float64       // bytes a second in the mean
	bandwidth     float64       // bytes a second
	meanOverhead  time.Duration // what a cycle takes in the mean, besides its bytes
	// snapshots is ApplicationConsistentSnapshotInterval; 0 is off.
	snapshotInterval time.Duration
}

// How often, by cycle, something goes wrong on a good network.
const (
	networkFailures  = 0.004
	snapshotFailures = 0.02
)

// cycle is a replication cycle under way.
type cycle struct {
	begin, end time.Time
	bytes      float64
	kind       msvm.ReplicationType
}

// drawTraffic is a VM like many.
func drawTraffic(r *rand.Rand, interval time.Duration) traffic {
	return traffic{
		interval:      interval,
		meanWriteRate: 20e3 * math.Pow(100, r.Float64()), // 20 kB/s to 2 MB/s
		bandwidth:     40e6 + 60e6*r.Float64(),
		meanOverhead:  interval / 100 * time.Duration(2+r.IntN(3)),
	}
}

// slow makes the link one that cannot keep up: a cycle takes longer than the
// interval even at night.
func (t traffic) slowDown() traffic {
	t.meanOverhead = t.interval + t.interval/10
	t.bandwidth = t.meanWriteRate * 3
	return t
}

// drawRate is what the VM writes for a while, in bytes a second: more by day
// than by night, in bursts, and nothing while it is off. A replica that is
// replicated on is off and changes all the same.
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

// drawTime is how long a cycle takes, in whole seconds.
func (t traffic) drawCycleDuration(r *rand.Rand, bytes float64) time.Duration {
	d := t.meanOverhead.Seconds()*(0.8+0.4*r.Float64()) + bytes/t.bandwidth
	return time.Duration(math.Ceil(d)) * time.Second
}

// retries is how many cycles in a row may be refused before the sender is in
// error. Microsoft tells that there is a limit, not which.
const maxRejectedCycles = 3

// beginCycle is what happens at every interval, whether a cycle can run or not.
func (l *link) beginCycle(at time.Time) {
	l.nextCycle = at.Add(l.traffic.interval)
	l.updateBacklog(at)
	switch {
	case l.peerRemoved():
		l.enterError(at)
	case l.backlogTooLarge():
		l.requireResync(at)
	case l.autoResyncDue(at):
		l.startResync(at, at, nil)
	case l.sender.state != msvm.Replicating || l.sender.vm.hasRunningJob():
		// Nothing is sent, and nothing was meant to be: no cycle is missed.
	case l.currentCycle != nil:
		l.missCycle(Totals{})
	case l.receiver.state != msvm.Replicating || l.rejection != nil:
		l.rejectCycle(at)
	case l.random.Float64() < networkFailures || l.sender.vm.logical.world.networkDown(at):
		l.missCycle(Totals{NetworkFailures: 1})
	default:
		l.sendCycle(at)
	}
}

// refuse is a cycle that the replica server does not take. It takes one again
// when the administrator lets it, but not when the VM has failed over there, or
// the server lets the sender in no more: then the sender gives up.
func (l *link) rejectCycle(at time.Time) {
	l.lastCycleRejected = true
	l.rejectedCycles++
	l.missCycle(Totals{Failures: 1})
	if r := l.receiver.state; r == msvm.Suspended || r == msvm.Replicating && l.rejectedCycles < maxRejectedCycles {
		return
	}
	if !l.receiver.vm.hasRunningJob() {
		l.enterError(at)
	}
}

// miss counts a cycle that was due and did not run. Why it failed is known to
// the sender only.
func (l *link) missCycle(why Totals) {
	l.receiver.count(Totals{Missed: 1})
	why.Missed = 1
	l.sender.count(why)
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
	l.currentCycle, l.lastCycleRejected, l.rejectedCycles = nil, false, 0
	l.backlog -= c.bytes
	done := Totals{Cycles: 1, Bytes: uint64(c.bytes), Seconds: uint64(c.end.Sub(c.begin) / time.Second)}
	for _, e := range l.endpoints() {
		e.count(done)
		e.lastReplication, e.lastType = at, c.kind
		if c.kind == msvm.TypeApplicationConsistent {
			e.lastConsistentReplication = at
		}
	}
	l.receiver.setApplied(at, time.Duration(2+l.random.IntN(5))*time.Second)
	l.receiver.addCyclePoint(at, c.kind)
}

// track settles what the VM wrote up to a time and lets it write on at another
// rate.
func (l *link) updateBacklog(at time.Time) {
	l.backlog = l.pendingBytes(at)
	l.backlogTime = at
	l.writeRate = l.drawWriteRate(at)
}

// pending is what is tracked and not sent, in bytes.
func (l *link) pendingBytes(at time.Time) float64 {
	if !tracksChanges(l.sender.state) {
		return l.backlog
	}
	return l.backlog + l.writeRate*at.Sub(l.backlogTime).Seconds()
}

// tracks tells whether changes are tracked in a state of the sending side:
// before the initial replication and while a resynchronization is required they
// are not, and a VM prepared for failover is off.
func tracksChanges(s msvm.ReplicationState) bool {
	switch s {
	case msvm.WaitingToCompleteInitialReplication, msvm.Replicating, msvm.Suspended, msvm.Critical,
		msvm.Resynchronizing, msvm.ResynchronizationSuspended:
		return true
	}
	return false
}
