package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

// readAll reads the statistics of the rows that replicate. The result has the
// index of the row, and is nil for statistics that are not available.
//
// All queries are started at once. Those that the host has no time for during the
// scrape are answered after it, and are new to the next one.
func (sr *statisticsReader) readAll(ctx context.Context, rows []relationship) ([]*relationshipStatistics, error) {
	for _, r := range rows {
		if r.Replicates() {
			sr.view.join(sr.query(r))
		}
	}
	statistics := make([]*relationshipStatistics, len(rows))
	errs := make([]error, len(rows))
	for i, r := range rows {
		if !r.Replicates() {
			continue
		}
		var response response
		if response, errs[i] = sr.view.get(ctx, sr.query(r)); errs[i] == nil {
			statistics[i] = response.value.(*relationshipStatistics)
		}
	}
	return statistics, newStatisticsError(rows, errs)
}

// query returns the query for the statistics of one relationship.
func (sr *statisticsReader) query(r relationship) query {
	return query{
		key:       statisticsKey(r.key),
		operation: msvm.MethodGetReplicationStatisticsEx,
		run:       func(ctx context.Context) (any, error) { return sr.call(ctx, r) },
		// The counters increase here, so that each response counts once, however
		// many scrapes receive it.
		onResponse: func(value any) {
			s := value.(*relationshipStatistics)
			s.totals = sr.counters.add(r.key, &s.stats, sr.view.reader.Now())
		},
	}
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
