package simulator

import "time"

// Totals are counters of one endpoint since New. Msvm_ReplicationStatistics has the same counters for
// one monitoring window; the comments give the names of its properties.
type Totals struct {
	Cycles           uint64 // ReplicationSuccessCount
	Missed           uint64 // ReplicationMissCount: cycles that were due and did not run or failed
	Bytes            uint64 // ReplicationSize: bytes of successful cycles
	Seconds          uint64 // ReplicationLatency: duration of successful cycles
	NetworkFailures  uint64 // NetworkFailureCount: on the sending side only
	Failures         uint64 // ReplicationFailureCount: on the sending side only
	SnapshotFailures uint64 // ApplicationConsistentSnapshotFailureCount: on the sending side only
	Windows          uint64 // monitoring windows that have ended
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

// window is the current monitoring window of an endpoint.
type window struct {
	Totals
	start      time.Time
	maxBytes   uint64 // of a single cycle
	maxSeconds uint64 // of a single cycle
}

// count adds d to the current window and to the totals.
func (e *endpoint) count(d Totals) {
	e.window.add(d)
	e.totals.add(d)
	if d.Cycles == 1 {
		e.window.maxBytes = max(e.window.maxBytes, d.Bytes)
		e.window.maxSeconds = max(e.window.maxSeconds, d.Seconds)
	}
}

// startWindow starts a monitoring window.
func (e *endpoint) startWindow(at time.Time) {
	e.window = window{start: at}
	length, start := e.vm.host.monitoringWindow()
	e.windowEnd = windowAfter(at, length, start)
}

// endWindow starts the next monitoring window. Its counters start at 0.
func (e *endpoint) endWindow(at time.Time) {
	e.startWindow(at)
	e.totals.Windows++
}

// windowAfter is the first end of a monitoring window after t.
func windowAfter(t time.Time, length, start time.Duration) time.Time {
	first := time.Unix(0, 0).UTC().Add(start)
	return first.Add(t.Sub(first).Truncate(length)).Add(length)
}
