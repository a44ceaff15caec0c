package admin

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

type replicaList struct {
	Time     time.Time     `json:"time"` // by the host's clock
	Replicas []replicaView `json:"replicas"`
}

// Limits of the statistics of a list: their queries at a time, and the time for all of them. The statistics of a
// relationship hang while the host at the other end does not answer. One list leaves a worker for other requests.
const (
	listQueries        = 3
	listStatisticsTime = 10 * time.Second
)

// listReplicas handles GET /api/v1/replicas. The list has the relationships that replicate, and the VMs without one.
func (s *Server) listReplicas(r *http.Request) (problem.Response, *problem.Problem) {
	query := r.URL.Query()
	if p := checkFilters(query); p != nil {
		return problem.Response{}, p
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	snapshot, p := s.readSnapshot(ctx)
	if p != nil {
		return problem.Response{}, p
	}
	s.refreshJobs(r)
	var shown []*operation.Relationship
	all := []replicaView{}
	for _, x := range snapshot.Protection() {
		if s.authorize(r, viewAttributes(x)) != nil {
			continue
		}
		if v := s.newReplicaView(snapshot, x); v.matches(query) {
			shown, all = append(shown, x), append(all, v)
		}
	}
	results, err := s.jobs.TestResults()
	if err != nil {
		return problem.Response{}, errStoreRead()
	}
	statistics := s.listStatistics(ctx, snapshot, shown)
	for i, x := range shown {
		v := &all[i]
		v.addStatistics(x, statistics[i])
		s.addActions(r, v, snapshot, x)
		if x.Key.Link == msvm.Primary {
			v.LastTestResult = results[x.Key.VM]
		}
	}
	return problem.JSON(http.StatusOK, replicaList{snapshot.Time, all}), nil
}

// listStatistics returns the statistics of relationships.
func (s *Server) listStatistics(
	ctx context.Context, snapshot *operation.Snapshot, shown []*operation.Relationship,
) []operation.Statistics {
	ctx, cancel := context.WithTimeout(ctx, listStatisticsTime)
	defer cancel()
	all := make([]operation.Statistics, len(shown))
	var queries errgroup.Group
	queries.SetLimit(listQueries)
	for i, x := range shown {
		if !snapshot.Has(x.Key) {
			continue
		}
		queries.Go(func() error {
			all[i] = operation.ReadStatistics(ctx, s.options.Reader, snapshot, x)
			return nil
		})
	}
	_ = queries.Wait() // no query returns an error
	return all
}

// addActions adds the jobs of the VM that have not ended, and the actions that the caller can execute now.
func (s *Server) addActions(r *http.Request, v *replicaView, snapshot *operation.Snapshot, x *operation.Relationship) {
	v.Jobs = append([]job.Record{}, s.jobs.Running(x.Key.VM)...)
	if !snapshot.Has(x.Key) {
		return
	}
	for _, a := range operation.Actions() {
		if s.checkAction(r, snapshot, x, a) == nil {
			v.Allowed = append(v.Allowed, a.Name)
		}
	}
}

// replicaFilter is a filter of the list of replicas.
type replicaFilter struct {
	name   string
	values []string // that are accepted, nil for any
	is     func(v replicaView, value string) bool
}

// unknownValue is the value of a filter for what the host does not show.
const unknownValue = "unknown"

// replicaFilters returns the filters of the list in the order of their description.
func replicaFilters() []replicaFilter {
	orUnknown := func(names []string) []string { return append(slices.Clone(names), unknownValue) }
	return []replicaFilter{
		{"health", orUnknown(msvm.ReplicationHealths()), func(v replicaView, value string) bool {
			return cmp.Or(v.Health, unknownValue) == value
		}},
		{"state", orUnknown(msvm.ReplicationStates()), func(v replicaView, value string) bool { return v.State == value }},
		{"mode", orUnknown(msvm.ReplicationModes()), func(v replicaView, value string) bool { return v.Mode == value }},
		{"relationship", []string{string(msvm.Primary), string(msvm.Extended)}, func(v replicaView, value string) bool {
			return v.Relationship == value
		}},
		{"protected", []string{"true", "false"}, func(v replicaView, value string) bool {
			return strconv.FormatBool(v.Protected) == value
		}},
		// By the name or by the GUID.
		{"vm", nil, func(v replicaView, value string) bool { return v.VM == value || strings.EqualFold(v.VMID, value) }},
	}
}

// checkFilters refuses a query with unknown filters and with unknown values of filters.
func checkFilters(query url.Values) *problem.Problem {
	filters := replicaFilters()
	for name, values := range query {
		i := slices.IndexFunc(filters, func(f replicaFilter) bool { return f.name == name })
		if i < 0 {
			var names []string
			for _, f := range filters {
				names = append(names, f.name)
			}
			return problem.New(problem.BadRequest, "query: unknown filter %.80q; use one of %s", name,
				strings.Join(names, ", "))
		}
		for _, value := range values {
			if f := filters[i]; f.values != nil && !slices.Contains(f.values, value) {
				return problem.New(problem.BadRequest, "%s: unknown value %.80q; use one of %s", name, value,
					strings.Join(f.values, ", "))
			}
		}
	}
	return nil
}

// matches reports whether an entry of the list has one of the values of each filter in a query.
func (v replicaView) matches(query url.Values) bool {
	for _, f := range replicaFilters() {
		is := func(value string) bool { return f.is(v, value) }
		if values, given := query[f.name]; given && !slices.ContainsFunc(values, is) {
			return false
		}
	}
	return true
}

// filterParameters describes the filters of the list.
func filterParameters() []any {
	var all []any
	for _, f := range replicaFilters() {
		items := jsonObject{"type": "string"}
		if f.values != nil {
			items["enum"] = f.values
		}
		all = append(all, jsonObject{
			"name": f.name, "in": "query", "description": "Only entries with this value. Repeatable, for one of several values.",
			"schema": jsonObject{"type": "array", "items": items}, "explode": true,
		})
	}
	return all
}
