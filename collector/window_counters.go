package collector

import (
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	cyclesTotal = counter("cycles_total",
		"Replication cycles by result, since the exporter first read the relationship.", perRelationship("result")...)
	failuresTotal = counter("failures_total",
		"Replication failures by kind, since the exporter first read the relationship.", perRelationship("kind")...)
	replicatedBytes = counter("replicated_bytes_total",
		"Bytes replicated since the exporter first read the relationship.", perRelationship()...)
	transferSeconds = counter("transfer_seconds_total",
		"Total duration of the replication cycles since the exporter first read the relationship.", perRelationship()...)
	windowResets = counter("window_resets_total",
		"Resets of the statistics, at the end of a monitoring window or by an administrator, since the exporter first "+
			"read the relationship.",
		perRelationship()...)
)

// windowField is a count or a sum of Msvm_ReplicationStatistics, which Hyper-V
// resets to 0 at the end of the monitoring window.
type windowField struct {
	gauge   *Metric // the value in the current monitoring window
	counter *Metric // the total across monitoring windows
	labels  labels  // additional labels of the counter
	value   func(*msvm.ReplicationStatistics) (value float64, known bool)
}

var windowFields = [...]windowField{
	{
		gauge("window_successful_cycles",
			"Successful replication cycles in the current monitoring window.", perRelationship()...),
		cyclesTotal, newLabels("result", "success"),
		func(s *msvm.ReplicationStatistics) (float64, bool) { return toFloat(s.ReplicationSuccessCount) },
	},
	{
		gauge("window_missed_cycles",
			"Missed replication cycles in the current monitoring window.", perRelationship()...),
		cyclesTotal, newLabels("result", "missed"),
		func(s *msvm.ReplicationStatistics) (float64, bool) { return toFloat(s.ReplicationMissCount) },
	},
	{
		gauge("window_failures",
			"Failed replication operations in the current monitoring window.", perRelationship()...),
		failuresTotal, newLabels("kind", "replication"),
		func(s *msvm.ReplicationStatistics) (float64, bool) { return toFloat(s.ReplicationFailureCount) },
	},
	{
		gauge("window_network_failures",
			"Network failures on the way to the replica server in the current monitoring window.", perRelationship()...),
		failuresTotal, newLabels("kind", "network"),
		func(s *msvm.ReplicationStatistics) (float64, bool) { return toFloat(s.NetworkFailureCount) },
	},
	{
		gauge("window_application_consistent_failures",
			"Failed application-consistent snapshots in the current monitoring window.", perRelationship()...),
		failuresTotal, newLabels("kind", "application_consistent"),
		func(s *msvm.ReplicationStatistics) (float64, bool) {
			return toFloat(s.ApplicationConsistentSnapshotFailureCount)
		},
	},
	{
		gauge("window_replicated_bytes",
			"Bytes replicated in the current monitoring window; divide by the successful cycles for the average size of a "+
				"cycle.",
			perRelationship()...),
		replicatedBytes, nil,
		func(s *msvm.ReplicationStatistics) (float64, bool) { return toFloat(s.ReplicationSize) },
	},
	{
		gauge("window_transfer_seconds",
			"Total duration of the replication cycles in the current monitoring window; divide by the successful cycles "+
				"for the average duration of a cycle.",
			perRelationship()...),
		transferSeconds, nil,
		func(s *msvm.ReplicationStatistics) (float64, bool) { return toFloat(s.ReplicationLatency) },
	},
}

// toFloat converts a property, and returns false for nil.
func toFloat[N uint32 | uint64](n *N) (float64, bool) {
	if n == nil {
		return 0, false
	}
	return float64(*n), true
}

// windowCounters computes counters across monitoring windows. The counters of a
// relationship start at 0 when it is first read, so that a restart of the exporter
// does not look like an increase.
type windowCounters struct {
	mu      sync.Mutex
	windows map[msvm.Key]*windowState
}

// windowState contains the last statistics of a relationship and the totals.
type windowState struct {
	start  time.Time // of the monitoring window; zero if not known
	last   [len(windowFields)]float64
	known  [len(windowFields)]bool // whether last has been set
	totals counterTotals
}

// counterTotals are the values of a relationship's counters.
type counterTotals struct {
	sums   [len(windowFields)]float64 // in the order of windowFields
	resets float64
}

// sameStart is the maximum difference between two values of the start of the same
// monitoring window.
const sameStart = time.Second

func newWindowCounters() *windowCounters {
	return &windowCounters{windows: map[msvm.Key]*windowState{}}
}

// add adds the increase since the last statistics, and returns the totals. The
// statistics were read at the time readAt.
//
// As long as StartStatisticTime is the same and no value has decreased, the
// increase is the difference to the last value. Otherwise a new window has started
// and the increase is the whole value; what happened in the old window after it was
// last read is lost. A nil value neither adds to a counter nor counts as a reset,
// and neither does a StartStatisticTime that is nil or in the future.
func (c *windowCounters) add(k msvm.Key, s *msvm.ReplicationStatistics, readAt time.Time) counterTotals {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, seen := c.windows[k]
	if !seen {
		w = &windowState{}
		c.windows[k] = w
	}
	times := recordedTimes{readAt: readAt}
	start, _ := times.past("StartStatisticTime", s.StartStatisticTime)
	if seen && w.hasEnded(start, s) {
		w.last = [len(windowFields)]float64{}
		w.totals.resets++
	}
	for i, f := range windowFields {
		v, ok := f.value(s)
		if !ok {
			continue
		}
		if w.known[i] {
			w.totals.sums[i] += v - w.last[i]
		}
		w.last[i], w.known[i] = v, true
	}
	if !start.IsZero() {
		w.start = start
	}
	return w.totals
}

// prune removes the counters of the relationships for whose key obsolete returns
// true.
func (c *windowCounters) prune(obsolete func(msvm.Key) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.windows {
		if obsolete(k) {
			delete(c.windows, k)
		}
	}
}

// hasEnded reports whether s belongs to a new window. The start is that of s, or
// zero if it is not known.
func (w *windowState) hasEnded(start time.Time, s *msvm.ReplicationStatistics) bool {
	if !start.IsZero() && !w.start.IsZero() && start.Sub(w.start).Abs() > sameStart {
		return true
	}
	for i, f := range windowFields {
		if v, ok := f.value(s); ok && v < w.last[i] {
			return true
		}
	}
	return false
}
