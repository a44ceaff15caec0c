package admin

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
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
	filter, p := filterFromQuery(r.URL.Query())
	if p != nil {
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
		if v := s.newReplicaView(snapshot, x); filter.matches(v) {
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

// replicaFilter has the accepted values by the name of the filter.
type replicaFilter map[string][]string

// unknownValue is the value of a filter for what the host does not show.
const unknownValue = "unknown"

// replicaFilters returns the filters of the list with their values, nil for any value.
func replicaFilters() map[string][]string {
	return map[string][]string{
		"health":       append(slices.Clone(msvm.ReplicationHealths()), unknownValue),
		"state":        append(slices.Clone(msvm.ReplicationStates()), unknownValue),
		"mode":         append(slices.Clone(msvm.ReplicationModes()), unknownValue),
		"relationship": {string(msvm.Primary), string(msvm.Extended)},
		"protected":    {"true", "false"},
		"vm":           nil,
	}
}

// filterFromQuery reads the filters in the query of a request.
func filterFromQuery(query url.Values) (replicaFilter, *problem.Problem) {
	known := replicaFilters()
	for name, values := range query {
		accepted, ok := known[name]
		if !ok {
			return nil, problem.New(problem.BadRequest, "query: unknown filter %.80q; use health, state, mode, relationship, "+
				"protected or vm", name)
		}
		for _, value := range values {
			if accepted != nil && !slices.Contains(accepted, value) {
				return nil, problem.New(problem.BadRequest, "%s: unknown value %.80q; use one of %s", name, value,
					strings.Join(accepted, ", "))
			}
		}
	}
	return replicaFilter(query), nil
}

// matches reports whether a relationship has one of the values of each filter. A VM matches by its name and by its
// GUID.
func (f replicaFilter) matches(v replicaView) bool {
	protected := "false"
	if v.Protected {
		protected = "true"
	}
	for name, is := range map[string]func(string) bool{
		"health":       func(value string) bool { return cmp.Or(v.Health, unknownValue) == value },
		"state":        func(value string) bool { return v.State == value },
		"mode":         func(value string) bool { return v.Mode == value },
		"relationship": func(value string) bool { return v.Relationship == value },
		"protected":    func(value string) bool { return protected == value },
		"vm":           func(value string) bool { return v.VM == value || strings.EqualFold(v.VMID, value) },
	} {
		if values, given := f[name]; given && !slices.ContainsFunc(values, is) {
			return false
		}
	}
	return true
}

// filterParameters describes the filters of the list.
func filterParameters() []any {
	var all []any
	for _, name := range []string{"health", "state", "mode", "relationship", "protected", "vm"} {
		items := jsonObject{"type": "string"}
		if values := replicaFilters()[name]; values != nil {
			items["enum"] = values
		}
		all = append(all, jsonObject{
			"name": name, "in": "query", "description": "Only entries with this value. Repeatable, for one of several values.",
			"schema": jsonObject{"type": "array", "items": items}, "explode": true,
		})
	}
	return all
}
