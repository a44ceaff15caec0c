//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// fixedWindows are the panels that do not leave the window to Grafana, each with
// the one it has and why.
var fixedWindows = map[string]string{
	"vm.json: Missed cycles and failures in the last hour": "[1h]", // cycles are rarer than scrapes: counts want a time that one can name
	"exporter.json: Stuck WMI calls":                       "[1h]", // as above
	"exporter.json: Failed operations in the last hour":    "[1h]", // as above
}

// anyHost are the metrics that a panel takes from hosts that were not chosen, too:
// a test failover is on record at either end.
var anyHost = []string{"hyperv_replica_last_test_failover_timestamp_seconds"}

// Queries are for the job, the hosts and the VM that were chosen, name what there
// is, and take the rate of what counts, and of nothing else.
func TestDashboardQueries(t *testing.T) {
	known := knownNames(t)
	for file, d := range readDashboards(t) {
		oneVM := slices.ContainsFunc(d.Templating.List, func(v variable) bool { return v.Name == "vm_id" })
		for _, p := range d.queried() {
			for _, q := range p.Targets {
				where := fmt.Sprintf("%s: %s %s", file, p.Title, q.RefID)
				found := selectors(q.Expr)
				if len(found) == 0 {
					t.Errorf("%s: asks for nothing: %s", where, q.Expr)
				}
				for _, s := range found {
					checkSelector(t, where, known, s, oneVM)
					if s.Window != "" && s.Window != "[$__rate_interval]" && s.Window != fixedWindows[file+": "+p.Title] {
						t.Errorf("%s: the window of %s%s is %s", where, s.Name, s.Matchers, s.Window)
					}
				}
			}
		}
		for _, a := range d.Annotations.List {
			for _, s := range selectors(a.Expr) {
				checkSelector(t, file+": "+a.Name, known, s, oneVM)
			}
		}
	}
}

func checkSelector(t *testing.T, where string, known map[string]string, s selector, oneVM bool) {
	t.Helper()
	kind := known[s.Name]
	if kind == "" {
		t.Errorf("%s: there is no %s", where, s.Name)
	}
	if counted := slices.Contains([]string{"rate", "increase"}, s.Function) && s.Window != ""; counted != (kind == "counter") {
		t.Errorf("%s: %s is a %s, and stands in %s(%s)", where, s.Name, kind, s.Function, s.Window)
	}
	has := func(label string) bool {
		return regexp.MustCompile(`[{ ]` + label + `=~?"\$` + label + `\b`).MatchString(s.Matchers)
	}
	// Of the rules only one end has a host, and thresholds are for everything.
	level, _, isRule := strings.Cut(s.Name, ":")
	if !isRule && (!has("job") || !has("instance") && !slices.Contains(anyHost, s.Name)) {
		t.Errorf("%s: %s%s is of any job or host", where, s.Name, s.Matchers)
	}
	if oneVM && level != "fleet" && !has("vm_id") {
		t.Errorf("%s: %s%s is of any VM", where, s.Name, s.Matchers)
	}
}

// judged are the figures that panels colour, and the rule with the threshold of
// the alert on it.
var judged = []struct {
	asks, rule string
	whole      bool // counts are above a threshold from the next number on
}{
	{"relationship:hyperv_replica_lag_intervals:ratio", "fleet:hyperv_replica_lag_intervals:threshold", false},
	{"relationship:hyperv_replica_missed_cycles:ratio", "fleet:hyperv_replica_missed_cycles:threshold", false},
	{"relationship:hyperv_replica_objective_met:avg30d", "fleet:hyperv_replica_objective_met:threshold", false},
	{"hyperv_replica_last_application_consistent_timestamp_seconds", "fleet:hyperv_replica_application_consistent_intervals:threshold", false},
	{"hyperv_replica_recovery_points_configured", "fleet:hyperv_replica_recovery_points_surplus:threshold", true},
	{"hyperv_replica_last_test_failover_timestamp_seconds", "fleet:hyperv_replica_test_failover_age_seconds:threshold", false},
	{"hyperv_replica_certificate_not_after_timestamp_seconds", "fleet:hyperv_replica_certificate_left_seconds:threshold", false},
	{"hyperv_replica_snapshot_timestamp_seconds", "fleet:hyperv_replica_snapshot_age_seconds:threshold", false},
}

// Where a panel changes its colour, an alert is raised, or something is there at all.
func TestDashboardThresholds(t *testing.T) {
	limits := thresholdRules(t)
	used := map[string]bool{}
	for file, d := range readDashboards(t) {
		for _, p := range d.queried() {
			asks := ""
			for _, q := range p.Targets {
				asks += q.Expr + "\n"
			}
			allowed := []float64{0, 1}
			for _, j := range judged {
				if slices.Contains(namesIn(asks), j.asks) {
					for _, limit := range limits[j.rule] {
						if j.whole {
							limit++
						}
						allowed = append(allowed, limit)
					}
				}
			}
			for _, limit := range colourSteps(t, p) {
				if !slices.Contains(allowed, limit) {
					t.Errorf("%s: %s changes its colour at %v, alerts are raised at %v", file, p.Title, limit, allowed)
				}
				for _, j := range judged {
					if slices.Contains(namesIn(asks), j.asks) && (slices.Contains(limits[j.rule], limit) || j.whole && slices.Contains(limits[j.rule], limit-1)) {
						used[j.rule] = true
					}
				}
			}
		}
	}
	for rule := range limits {
		switch rule {
		case "fleet:hyperv_replica_objective_burn_rate:threshold", "fleet:hyperv_replica_scrape_changes:threshold":
			continue // how fast something happens: no panel shows that
		}
		if !used[rule] {
			t.Errorf("no panel changes its colour at %s", rule)
		}
	}
}

// thresholdRules are the numbers of the rules of level fleet.
func thresholdRules(t *testing.T) map[string][]float64 {
	t.Helper()
	limits := map[string][]float64{}
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		if !strings.HasPrefix(r.Record, "fleet:") {
			continue
		}
		product := 1.0
		for factor := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(r.Expr, "vector("), ")"), "*") {
			n, err := strconv.ParseFloat(strings.TrimSpace(factor), 64)
			if err != nil {
				t.Fatalf("%s: %v", r.Record, err)
			}
			product *= n
		}
		limits[r.Record] = append(limits[r.Record], product)
	}
	return limits
}

// colourSteps are the numbers at which a panel, or a column of it, changes its colour.
func colourSteps(t *testing.T, p panel) []float64 {
	t.Helper()
	all := []thresholds{p.FieldConfig.Defaults.Thresholds}
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID != "thresholds" {
				continue
			}
			var more thresholds
			if err := json.Unmarshal(property.Value, &more); err != nil {
				t.Fatalf("%s: %v", p.Title, err)
			}
			all = append(all, more)
		}
	}
	steps := map[float64]bool{}
	for _, s := range all {
		for i, step := range s.Steps {
			if (i == 0) != (step.Value == nil) {
				t.Errorf("%s: the first step of colours, and no other, has no number: %+v", p.Title, s)
			} else if i > 0 {
				steps[*step.Value] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(steps))
}
