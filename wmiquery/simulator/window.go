package simulator

import "time"

// Totals are counts and sums of what happened to one side of a link: without
// end what Msvm_ReplicationStatistics has for one monitoring window, under the
// name of the property that each stands for.
type Totals struct {
	Cycles           uint64 // ReplicationSuccessCount
	Missed           uint64 // ReplicationMissCount: cycles that were due and did not run or failed
	Bytes            uint64 // ReplicationSize: in successful cycles
	Seconds          uint64 // ReplicationLatency: that successful cycles took
	NetworkFailures  uint64 // NetworkFailureCount: on the sending side only
	Failures         uint64 // ReplicationFailureCount: on the sending side only
	SnapshotFailures uint64 // ApplicationConsistentSnapshotFailureCount: on the sending side only
	Windows          uint64 // monitoring windows that ended
}

func (t *Totals) add(d Totals) {
	t.Cycles += d.Cycles
	t.Missed += d.Missed
	t.Bytes += d.Bytes
	t.Seconds += d.Seconds
	t.NetworkFailures += d.NetworkFailures
	t.Failures += d.Failures
	t.SnapshotFailures += d.SnapshotFailures
	t.Windows += d.Windows
}

// window is a monitoring window that runs.
type window struct {
	Totals
	start      time.Time
	maxBytes   uint64 // of one cycle
	maxSeconds uint64 // of one cycle
}

// count counts what happened in the running window and for good.
func (e *endpoint) count(d Totals) {
	e.window.add(d)
	e.totals.add(d)
	if d.Cycles == 1 {
		e.window.maxBytes = max(e.window.maxBytes, d.Bytes)
		e.window.maxSeconds = max(e.window.maxSeconds, d.Seconds)
	}
}

// startWindow begins the first monitoring window of a side.
func (e *endpoint) startWindow(at time.Time) {
	e.window = window{start: at}
	length, start := e.vm.host.monitoring()
	e.windowEnd = windowAfter(at, length, start)
}

// endWindow begins a new monitoring window: all starts at 0 again.
func (e *endpoint) endWindow(at time.Time) {
	e.startWindow(at)
	e.totals.Windows++
}

// windowAfter is the first end of a window after a time.
func windowAfter(t time.Time, length, start time.Duration) time.Time {
	first := time.Unix(0, 0).UTC().Add(start)
	return first.Add(t.Sub(first).Truncate(length)).Add(length)
}
