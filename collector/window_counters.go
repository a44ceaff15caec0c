package collector

import (
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	cyclesTotal = counter("cycles_total",
		"Replication cycles since the exporter first saw the relationship, by result.", perRelationship("result")...)
	failuresTotal = counter("failures_total",
		"Failures since the exporter first saw the relationship, by kind.", perRelationship("kind")...)
	replicatedBytes = counter("replicated_bytes_total",
		"Bytes replicated since the exporter first saw the relationship.", relationshipLabels...)
	transferSeconds = counter("transfer_seconds_total",
		"Time that replication cycles took since the exporter first saw the relationship.", relationshipLabels...)
	windowResets = counter("window_resets_total",
		"Times that the statistics started anew since the exporter first saw the relationship: ends of the monitoring window and resets by hand.", relationshipLabels...)
)

// windowField is a count or sum of Msvm_ReplicationStatistics that falls to 0
// when its monitoring window ends. The gauge shows it as it is; the counter goes
// on over the windows.
type windowField struct {
	gauge   *Metric
	counter *Metric
	label   *dto.LabelPair // of the counter's series; nil for none
	value   func(*msvm.ReplicationStatistics) (float64, bool)
}

var windowFields = [...]windowField{
	{
		gauge("window_successful_cycles", "Successful cycles in the monitoring window.", relationshipLabels...),
		cyclesTotal, label("result", "success"),
		func(s *msvm.ReplicationStatistics) (float64, bool) { return number(s.ReplicationSuccessCount) },
	},
	{
		gauge("window_missed_cycles", "Missed cycles in the monitoring window.", relationshipLabels...),
		cyclesTotal, label("result", "missed"),
		func(s *msvm.ReplicationStatistics) (float64, bool) { return number(s.ReplicationMissCount) },
	},
	{
		gauge("window_failures", "Failed replication operations in the monitoring window.", relationshipLabels...),
		failuresTotal, label("kind", "replication"),
		func(s *msvm.ReplicationStatistics) (float64, bool) { return number(s.ReplicationFailureCount) },
	},
	{
		gauge("window_network_failures", "Network failures towards the replica server in the monitoring window.", relationshipLabels...),
		failuresTotal, label("kind", "network"),
		func(s *msvm.ReplicationStatistics) (float64, bool) { return number(s.NetworkFailureCount) },
	},
	{
		gauge("window_application_consistent_failures", "Failed application-consistent snapshots in the monitoring window.", relationshipLabels...),
		failuresTotal, label("kind", "application_consistent"),
		func(s *msvm.ReplicationStatistics) (float64, bool) {
			return number(s.ApplicationConsistentSnapshotFailureCount)
		},
	},
	{
		gauge("window_replicated_bytes", "Bytes replicated in the monitoring window; divided by the successful cycles, the average size of a cycle.", relationshipLabels...),
		replicatedBytes, nil,
		func(s *msvm.ReplicationStatistics) (float64, bool) { return number(s.ReplicationSize) },
	},
	{
		gauge("window_transfer_seconds", "Time that the cycles in the monitoring window took; divided by the successful cycles, the average duration of a cycle.", relationshipLabels...),
		transferSeconds, nil,
		func(s *msvm.ReplicationStatistics) (float64, bool) { return number(s.ReplicationLatency) },
	},
}

func number[N uint32 | uint64](n *N) (float64, bool) {
	if n == nil {
		return 0, false
	}
	return float64(*n), true
}

// counters go on where the statistics of a monitoring window start anew. They
// count from the first time a relationship is seen, so that a new exporter's
// first scrape is no jump.
type counters struct {
	mu sync.Mutex
	of map[msvm.Key]*window
}

// window is the last that was seen of a relationship's statistics, and the
// totals with it.
type window struct {
	start  time.Time // zero if the host did not tell
	last   [len(windowFields)]float64
	known  [len(windowFields)]bool // whether last is more than the zero value
	totals totals
}

// totals are the values of a relationship's counters.
type totals struct {
	sums   [len(windowFields)]float64 // as windowFields
	resets float64
}

// sameStart is how far apart two readings of one window's start may be.
const sameStart = time.Second

func newCounters() *counters { return &counters{of: map[msvm.Key]*window{}} }

// add adds what has happened since the last statistics, and returns the totals.
//
// As long as StartStatisticTime is the same and no value is smaller than before,
// that is the difference. Otherwise a new window has started and its values count
// in full. What happened in the old window after its last reading is lost. A
// null neither adds nor makes a reset.
func (c *counters) add(k msvm.Key, s *msvm.ReplicationStatistics) totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, seen := c.of[k]
	if !seen {
		w = &window{}
		c.of[k] = w
	}
	start, _ := msvm.Known(s.StartStatisticTime)
	if seen && w.isOver(start, s) {
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

// isOver tells whether s, which starts at start, is of another window.
func (w *window) isOver(start time.Time, s *msvm.ReplicationStatistics) bool {
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

// keep forgets the relationships that are not wanted any more.
func (c *counters) keep(wanted func(msvm.Key) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.of {
		if !wanted(k) {
			delete(c.of, k)
		}
	}
}
