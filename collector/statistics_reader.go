package collector

import (
	"context"
	"fmt"

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
	reader   wmiquery.Reader
	method   *msvm.StatisticsMethod
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
	return statistics, newErrorList("statistics", "relationships", errs, func(i int) string {
		key := rows[i].key
		return fmt.Sprintf("%.100s (%s)", displayName(msvm.StringOrEmpty(rows[i].ElementName), key.VM), key.InstanceID())
	})
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
	reply, err := sr.method.Get(ctx, sr.reader, sr.service, r.key, r.ReplicationRelationship)
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
