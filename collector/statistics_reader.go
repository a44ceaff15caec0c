package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// relationshipStatistics are the statistics of one relationship.
type relationshipStatistics struct {
	stats  msvm.ReplicationStatistics
	issues []msvm.Error
	totals counterTotals // including stats
	// invalid contains the values that are missing in stats and issues.
	invalid []wmiquery.InvalidValue
}

// statisticsReader reads the statistics of relationships, each with a call of
// GetReplicationStatisticsEx.
type statisticsReader struct {
	view     *view
	service  msvm.ReplicationService
	counters *windowCounters
}

// statisticsKey returns the key of the query for a relationship's statistics.
func statisticsKey(k msvm.Key) string {
	return msvm.MethodGetReplicationStatisticsEx + " " + k.InstanceID()
}

// readAll reads the statistics of the rows that replicate, up to concurrency at a
// time. It starts with those whose last read is the longest ago, so that on a slow
// host all are read in turn. The result has the index of the row, and is nil for
// statistics that are not available.
func (sr *statisticsReader) readAll(
	ctx context.Context, rows []relationship, concurrency int,
) ([]*relationshipStatistics, error) {
	type entry struct {
		index   int
		lastRun time.Time
	}
	var entries []entry
	for i, r := range rows {
		if r.Replicates() {
			entries = append(entries, entry{i, sr.view.lastRunTime(statisticsKey(r.key))})
		}
	}
	slices.SortStableFunc(entries, func(x, y entry) int { return x.lastRun.Compare(y.lastRun) })
	statistics := make([]*relationshipStatistics, len(rows))
	errs := make([]error, len(rows))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(concurrency, len(entries)) {
		wg.Go(func() {
			for i := range next {
				statistics[i], errs[i] = recoverPanic(func() (*relationshipStatistics, error) {
					return sr.read(ctx, rows[i])
				})
			}
		})
	}
	for _, e := range entries {
		next <- e.index
	}
	close(next)
	wg.Wait()
	return statistics, newStatisticsError(rows, errs)
}

// read reads the statistics of one relationship. When the time of the scrape is
// over, it does not query the host and returns the last good statistics.
func (sr *statisticsReader) read(ctx context.Context, r relationship) (*relationshipStatistics, error) {
	key := statisticsKey(r.key)
	if ctx.Err() != nil {
		if last, ok := sr.view.lastGoodResponse(key); ok {
			sr.view.recordLate(msvm.MethodGetReplicationStatisticsEx)
			sr.view.recordTime(last.at)
			return last.value.(*relationshipStatistics), nil
		}
		return nil, wmiquery.ErrTimeout
	}
	response, err := sr.view.get(ctx, query{
		key:       key,
		operation: msvm.MethodGetReplicationStatisticsEx,
		run:       func(ctx context.Context) (any, error) { return sr.call(ctx, r) },
		// The counters increase here, so that each response counts once, however
		// many scrapes receive it.
		onResponse: func(value any) {
			s := value.(*relationshipStatistics)
			s.totals = sr.counters.add(r.key, &s.stats)
		},
	})
	if err != nil {
		return nil, err
	}
	return response.value.(*relationshipStatistics), nil
}

// call calls the method of the host.
func (sr *statisticsReader) call(ctx context.Context, r relationship) (*relationshipStatistics, error) {
	call, err := msvm.GetReplicationStatistics(sr.service, r.key, r.ReplicationRelationship)
	if err != nil {
		return nil, err
	}
	reply, err := sr.view.reader.Get(ctx, call)
	if err != nil {
		return nil, err
	}
	stats, issues, err := msvm.Statistics(reply)
	invalid, ok := wmiquery.InvalidValues(err)
	if !ok {
		return nil, err
	}
	for i := range invalid {
		invalid[i].Instance = r.InstanceID
	}
	return &relationshipStatistics{stats: stats, issues: issues, invalid: invalid}, err
}

// statisticsError combines the errors of several relationships.
type statisticsError struct {
	text   string
	causes []error
}

// newStatisticsError returns the error for the errors of rows, or nil if all are
// nil. Its text names only the first few relationships, to keep log lines short.
func newStatisticsError(rows []relationship, errs []error) error {
	const shown = 3
	e := &statisticsError{}
	var texts []string
	for i, err := range errs {
		if err == nil {
			continue
		}
		r := rows[i]
		name := displayName(msvm.StringOrEmpty(r.ElementName), r.key.VM)
		texts = append(texts, fmt.Sprintf("%.100s (%s): %.300v", name, r.key.InstanceID(), err))
		e.causes = append(e.causes, err)
	}
	if len(e.causes) == 0 {
		return nil
	}
	slices.Sort(texts)
	if len(texts) > shown {
		texts = append(texts[:shown], "…")
	}
	e.text = fmt.Sprintf("statistics of %d relationships: %s", len(e.causes), strings.Join(texts, "; "))
	return e
}

func (e *statisticsError) Error() string { return e.text }

// Unwrap returns the errors of the relationships.
func (e *statisticsError) Unwrap() []error { return e.causes }
