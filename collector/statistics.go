package collector

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	pending = gauge("pending_bytes",
		"Bytes of changes that are tracked and not yet sent; absent on the receiving side.", perRelationship()...)
	windowStart = gauge("window_start_timestamp_seconds",
		"Start of the current monitoring window; absent if the time is in the future.", perRelationship()...)
	windowEnd = gauge("window_end_timestamp_seconds",
		"End of the period that the statistics of the current monitoring window cover.", perRelationship()...)
	windowMaxBytes = gauge("window_max_cycle_bytes",
		"Size of the largest replication cycle in the current monitoring window.", perRelationship()...)
	windowMaxSeconds = gauge("window_max_cycle_seconds",
		"Duration of the longest replication cycle in the current monitoring window.", perRelationship()...)
	lastTestFailover = gauge("last_test_failover_timestamp_seconds",
		"Time of the last test failover; absent if there was none or if the time is in the future.",
		perRelationship()...)
	statisticsAge = gauge("statistics_age_seconds",
		"Age of the last statistics that were read, by the host's clock.", perRelationship()...)
)

// statisticsCollector exposes the statistics of every relationship that
// replicates. It fails if those of a relationship cannot be read, and exposes the
// others. If the host does not respond in time, it exposes the last statistics. The
// text of health issues is exposed unless omitIssueText is true.
func statisticsCollector(omitIssueText bool) Collector {
	metrics := []*Metric{
		pending, windowStart, windowEnd, windowMaxBytes, windowMaxSeconds, healthIssue, healthIssueInfo,
		lastTestFailover, statisticsAge, windowResets,
	}
	for _, f := range windowFields {
		metrics = append(metrics, f.gauge)
		if !slices.Contains(metrics, f.counter) {
			metrics = append(metrics, f.counter)
		}
	}
	counters, method := newWindowCounters(), &msvm.StatisticsMethod{}
	texts := newIssueTexts(omitIssueText)
	return Collector{
		Name: "statistics",
		Help: "Statistics of the monitoring window, counters across monitoring windows, pending bytes, and health " +
			"issues.",
		Default: true,
		Reads: append(instancesOf(msvm.ReplicationRelationship{}, msvm.ReplicationService{}, msvm.ComputerSystem{}),
			resultOf(msvm.ReplicationService{}, msvm.MethodGetReplicationStatisticsEx)),
		Metrics: metrics,
		collect: func(ctx context.Context, v *view, out *output) error {
			relationships, relationshipErr := readRelationships(ctx, v)
			services, serviceErr := read[msvm.ReplicationService](ctx, v)
			if relationshipErr != nil || serviceErr != nil {
				return errors.Join(relationshipErr, serviceErr)
			}
			vms, vmErr := readVMs(ctx, v)
			current := replicating(relationships.rows)
			pruneStatistics(v, counters, texts, current)
			reader := &statisticsReader{
				view: v, reader: &msvm.RelationshipTexts{Reader: v.reader}, method: method,
				service: services.rows[0], counters: counters,
			}
			statistics, statisticsErr := reader.readAll(ctx, relationships.rows)
			if method.NeedsText() {
				out.warn("relationship text", "host accepts only its own text of a relationship",
					"method", msvm.MethodGetReplicationStatisticsEx)
			}
			var invalid []wmiquery.InvalidValue
			for i, r := range relationships.rows {
				at := v.lastGoodTime(statisticsKey(r.key))
				if statistics[i] != nil {
					sends := vms[r.key.VM].Sends(r.key.Link)
					collectStatistics(r, statistics[i], at, sends, out)
					collectIssues(r, statistics[i].issues, texts, out)
					invalid = append(invalid, shownStatistics(statistics[i].invalid, sends)...)
				}
				if age, ok := msvm.Elapsed(at, v.reader.Now()); ok && r.Replicates() && !at.IsZero() {
					out.add(statisticsAge, age.Seconds(), r.labels)
				}
			}
			return errors.Join(relationships.invalid, vmErr, statisticsErr, newInvalidError(invalid),
				checkShown(v, isReplicating, "InstanceID", "ElementName", "ReplicationState"),
				checkShown(v, vmIn(replicatingVMs(current)), "Name", "ReplicationMode"))
		},
	}
}

// pruneStatistics removes the state of relationships that no longer exist or no
// longer replicate.
func pruneStatistics(
	v *view, counters *windowCounters, texts *issueTexts, current map[msvm.Key]relationship,
) {
	keys := make(map[string]bool, len(current))
	for k := range current {
		keys[statisticsKey(k)] = true
	}
	v.prune(func(key string) bool {
		return strings.HasPrefix(key, msvm.MethodGetReplicationStatisticsEx) && !keys[key]
	})
	obsolete := func(k msvm.Key) bool { _, ok := current[k]; return !ok }
	counters.prune(obsolete)
	texts.prune(obsolete)
}

// collectStatistics adds the samples of one relationship, whose statistics were
// read at the time readAt. It adds the pending bytes on the sending side only: the
// receiving side reports 0 without knowing them, which would say that no data can
// be lost.
func collectStatistics(r relationship, s *relationshipStatistics, readAt time.Time, sends bool, out *output) {
	l := r.labels
	if sends {
		addNumber(out, pending, s.stats.PendingReplicationSize, l)
	}
	times := recordedTimes{readAt: readAt}
	start, hasStart := times.past("StartStatisticTime", s.stats.StartStatisticTime)
	out.addTimestamp(windowStart, start, hasStart, l)
	end, hasEnd := msvm.Known(s.stats.EndStatisticTime) // may be the planned end
	out.addTimestamp(windowEnd, end, hasEnd, l)
	tested, hasTested := times.past("LastTestFailoverTime", s.stats.LastTestFailoverTime)
	out.addTimestamp(lastTestFailover, tested, hasTested, l)
	times.warn(out, r.InstanceID)
	addNumber(out, windowMaxBytes, s.stats.MaxReplicationSize, l)
	addNumber(out, windowMaxSeconds, s.stats.MaxReplicationLatency, l)
	for i, f := range windowFields {
		if v, ok := f.value(&s.stats); ok {
			out.add(f.gauge, v, l)
		}
		out.add(f.counter, s.totals.sums[i], l, f.labels...)
	}
	out.add(windowResets, s.totals.resets, l)
}

// shownStatistics returns the invalid values of a relationship's statistics that
// collectStatistics would have shown.
func shownStatistics(values []wmiquery.InvalidValue, sends bool) []wmiquery.InvalidValue {
	var shown []wmiquery.InvalidValue
	for _, i := range values {
		switch i.Property {
		case "ReplicationHealth", "MessageArguments", "ErrorSource", "ProbableCause", "ProbableCauseDescription":
		case "PendingReplicationSize":
			if sends {
				shown = append(shown, i)
			}
		default:
			shown = append(shown, i)
		}
	}
	return shown
}
