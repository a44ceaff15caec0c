package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	pending = gauge("pending_bytes",
		"Changes that are tracked and not yet sent, on the sending side.", relationshipLabels...)
	windowStart = gauge("window_start_timestamp_seconds",
		"Start of the monitoring window that runs.", relationshipLabels...)
	windowEnd = gauge("window_end_timestamp_seconds",
		"Up to when the statistics of the monitoring window go.", relationshipLabels...)
	windowMaxBytes = gauge("window_max_cycle_bytes",
		"Size of the largest cycle in the monitoring window.", relationshipLabels...)
	windowMaxSeconds = gauge("window_max_cycle_seconds",
		"Duration of the slowest cycle in the monitoring window.", relationshipLabels...)
	healthIssue = gauge("health_issue",
		"Health issues that the host reports now, by message id; their text is in the log.", perRelationship("message_id", "severity")...)
	lastTestFailover = gauge("last_test_failover_timestamp_seconds",
		"When the last test failover was done; absent if never.", relationshipLabels...)
	statisticsAge = gauge("statistics_age_seconds",
		"Age of the last good statistics of this relationship by the host's clock.", relationshipLabels...)
)

// maxIssues is how many different message ids of one relationship get a series
// of their own: the ids are the host's, and nobody bounds them.
const maxIssues = 10

// statisticsOf is what the host said of one relationship.
type statisticsOf struct {
	stats  msvm.ReplicationStatistics
	issues []msvm.Error
	totals totals // including these statistics
}

// statisticsCollector asks for the statistics of every relationship that
// replicates, the longest unheard first. Those that cannot be had make it fail,
// the others count; one that does not answer in time is shown as it was.
func statisticsCollector(concurrency int) Collector {
	metrics := []*Metric{
		pending, windowStart, windowEnd, windowMaxBytes, windowMaxSeconds, healthIssue, lastTestFailover, statisticsAge, windowResets,
	}
	for _, f := range windowFields {
		metrics = append(metrics, f.gauge)
		if f.counter != nil && !slices.Contains(metrics, f.counter) {
			metrics = append(metrics, f.counter)
		}
	}
	counters := newCounters()
	return Collector{
		Name:    "statistics",
		Help:    "Statistics of the monitoring window, counters over all windows, pending bytes, reasons for bad health.",
		Default: true,
		Reads: append(rowsOf(msvm.ReplicationRelationship{}, msvm.ReplicationService{}, msvm.ComputerSystem{}),
			answerOf(msvm.ReplicationService{}, msvm.MethodGetReplicationStatisticsEx)),
		Metrics: metrics,
		collect: func(ctx context.Context, v *view, out *output) error {
			relationships, relErr := readRelationships(ctx, v)
			services, svcErr := read[msvm.ReplicationService](ctx, v)
			if relErr != nil || svcErr != nil {
				return errors.Join(relErr, svcErr)
			}
			systems, sysErr := readMachines(ctx, v)
			forget(v, counters, replicating(relationships.rows))
			a := &asker{view: v, service: services.rows[0], counters: counters}
			a.askAll(ctx, relationships.rows, concurrency)
			for i, r := range relationships.rows {
				if a.answers[i] != nil {
					collectStatistics(r, a.answers[i], systems.sends(r.key), out)
				}
				if at := v.lastAt(statisticsKey(r.key)); r.Replicates() && !at.IsZero() {
					out.add(statisticsAge, max(0, v.reader.Now().Sub(at).Seconds()), r.labels)
				}
			}
			return errors.Join(relationships.odd, sysErr, a.err())
		},
	}
}

// statisticsKey is the question for a relationship's statistics.
func statisticsKey(k msvm.Key) string {
	return msvm.MethodGetReplicationStatisticsEx + " " + k.InstanceID()
}

// forget drops what is kept of relationships that are gone.
func forget(v *view, counters *counters, there map[msvm.Key]relationship) {
	keys := make(map[string]bool, len(there))
	for k := range there {
		keys[statisticsKey(k)] = true
	}
	v.forget(func(key string) bool {
		return strings.HasPrefix(key, msvm.MethodGetReplicationStatisticsEx) && !keys[key]
	})
	counters.keep(func(k msvm.Key) bool { _, ok := there[k]; return ok })
}

// asker asks for the statistics of many relationships.
type asker struct {
	view     *view
	service  msvm.ReplicationService
	counters *counters

	answers []*statisticsOf // by index of the relationship; nil if there is none
	mu      sync.Mutex
	failed  map[string]error // relationship -> why
}

// askAll asks for the statistics of the rows that replicate, some at once. Those
// that were not asked for the longest come first, so that on a slow host all have
// their turn.
func (a *asker) askAll(ctx context.Context, rows []relationship, concurrency int) {
	a.answers = make([]*statisticsOf, len(rows))
	a.failed = map[string]error{}
	type turn struct {
		index int
		asked time.Time
	}
	var turns []turn
	for i, r := range rows {
		if r.Replicates() {
			turns = append(turns, turn{i, a.view.lastAsked(statisticsKey(r.key))})
		}
	}
	slices.SortStableFunc(turns, func(x, y turn) int { return x.asked.Compare(y.asked) })
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(concurrency, len(turns)) {
		wg.Go(func() {
			for i := range next {
				var err error
				if a.answers[i], err = caught(func() (*statisticsOf, error) { return a.ask(ctx, rows[i]) }); err != nil {
					a.fail(rows[i], err)
				}
			}
		})
	}
	for _, t := range turns {
		next <- t.index
	}
	close(next)
	wg.Wait()
}

// ask asks for the statistics of one relationship. When the scrape's time is up
// it asks no more and shows what there is.
func (a *asker) ask(ctx context.Context, r relationship) (*statisticsOf, error) {
	key := statisticsKey(r.key)
	if ctx.Err() != nil {
		if last, ok := a.view.lastGood(key); ok {
			a.view.noteLate(msvm.MethodGetReplicationStatisticsEx)
			a.view.noteTime(last.at)
			return last.value.(*statisticsOf), nil
		}
		return nil, wmiquery.ErrTimeout
	}
	answer, err := a.view.get(ctx, question{
		key: key, operation: msvm.MethodGetReplicationStatisticsEx,
		ask: func(ctx context.Context) (any, error) { return a.statistics(ctx, r) },
		// Here the counters grow: once for every answer, however many see it.
		keep: func(v any) {
			s := v.(*statisticsOf)
			s.totals = a.counters.add(r.key, &s.stats)
		},
	})
	if err != nil {
		return nil, err
	}
	return answer.value.(*statisticsOf), nil
}

// statistics asks the host.
func (a *asker) statistics(ctx context.Context, r relationship) (*statisticsOf, error) {
	call, err := msvm.GetReplicationStatistics(a.service, r.key, r.ReplicationRelationship)
	if err != nil {
		return nil, err
	}
	reply, err := a.view.reader.Get(ctx, call)
	if err != nil {
		return nil, err
	}
	stats, issues, err := msvm.Statistics(reply)
	if err != nil {
		return nil, err
	}
	return &statisticsOf{stats: stats, issues: issues}, nil
}

func (a *asker) fail(r relationship, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed[displayName(msvm.StringOrEmpty(r.ElementName), r.key.VM)+" ("+r.key.InstanceID()+")"] = err
}

// err is one error for all that failed. It names the first few: a log line is not
// for a thousand.
func (a *asker) err() error {
	if len(a.failed) == 0 {
		return nil
	}
	const shown = 3
	e := &statisticsError{}
	var texts []string
	for name, why := range a.failed {
		texts = append(texts, name+": "+why.Error())
		e.causes = append(e.causes, why)
	}
	slices.Sort(texts)
	if len(texts) > shown {
		texts = append(texts[:shown], "…")
	}
	e.text = fmt.Sprintf("statistics of %d relationships: %s", len(a.failed), strings.Join(texts, "; "))
	return e
}

// statisticsError is why statistics could not be had.
type statisticsError struct {
	text   string
	causes []error
}

func (e *statisticsError) Error() string   { return e.text }
func (e *statisticsError) Unwrap() []error { return e.causes }

// collectStatistics shows what is pending on the sending side only: the other
// knows nothing of it, and its 0 would say that nothing could be lost.
func collectStatistics(r relationship, s *statisticsOf, sends bool, out *output) {
	l := r.labels
	if sends {
		addNumber(out, pending, s.stats.PendingReplicationSize, l)
	}
	for _, f := range []struct {
		metric *Metric
		at     *time.Time
	}{{windowStart, s.stats.StartStatisticTime}, {windowEnd, s.stats.EndStatisticTime}, {lastTestFailover, s.stats.LastTestFailoverTime}} {
		t, known := msvm.Known(f.at)
		out.timestamp(f.metric, t, known, l)
	}
	addNumber(out, windowMaxBytes, s.stats.MaxReplicationSize, l)
	addNumber(out, windowMaxSeconds, s.stats.MaxReplicationLatency, l)
	for i, f := range windowFields {
		if v, ok := f.value(&s.stats); ok {
			out.add(f.gauge, v, l)
		}
		if f.counter == nil {
			continue
		}
		if cl := l; f.label != nil {
			out.add(f.counter, s.totals.sums[i], cl.with(f.label))
		} else {
			out.add(f.counter, s.totals.sums[i], cl)
		}
	}
	out.add(windowResets, s.totals.resets, l)
	collectIssues(r, s.issues, out)
}

// collectIssues counts the issues by message id and severity. Past maxIssues the
// rest share the id "other".
func collectIssues(r relationship, issues []msvm.Error, out *output) {
	type series struct{ id, severity string }
	count := map[series]float64{}
	var order []series
	for _, e := range issues {
		s := series{"unknown", "unknown"}
		if id := msvm.StringOrEmpty(e.MessageID); id != "" {
			s.id = id
		}
		if e.PerceivedSeverity != nil {
			s.severity = e.PerceivedSeverity.String()
		}
		out.note(fmt.Sprint("issue ", r.InstanceID, " ", s.id), "the host reports a health issue",
			"vm", msvm.StringOrEmpty(r.ElementName), "vm_id", r.key.VM, "relationship", r.key.Link,
			"message_id", s.id, "severity", s.severity, "message", msvm.StringOrEmpty(e.Message))
		if _, ok := count[s]; !ok && len(order) >= maxIssues {
			s = series{"other", "unknown"}
		}
		if count[s]++; count[s] == 1 {
			order = append(order, s)
		}
	}
	for _, s := range order {
		out.add(healthIssue, count[s], r.labels.with(label("message_id", s.id)).with(label("severity", s.severity)))
	}
}
