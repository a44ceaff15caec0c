//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// alertThresholds maps each metric whose panels change color to the recording rule with the threshold of its alert.
var alertThresholds = []struct {
	metric, rule string
	// integer metrics are counts, which exceed a threshold from the next integer on.
	integer bool
}{
	{"relationship:hyperv_replica_lag_intervals:ratio", "fleet:hyperv_replica_lag_intervals:threshold", false},
	{"relationship:hyperv_replica_missed_cycles:ratio", "fleet:hyperv_replica_missed_cycles:threshold", false},
	{"relationship:hyperv_replica_objective_met:avg30d", "fleet:hyperv_replica_objective_met:threshold", false},
	{
		"hyperv_replica_last_application_consistent_timestamp_seconds",
		"fleet:hyperv_replica_application_consistent_intervals:threshold", false,
	},
	{"hyperv_replica_recovery_points_configured", "fleet:hyperv_replica_recovery_points_surplus:threshold", true},
	{
		"hyperv_replica_last_test_failover_timestamp_seconds",
		"fleet:hyperv_replica_test_failover_age_seconds:threshold", false,
	},
	{
		"hyperv_replica_certificate_not_after_timestamp_seconds",
		"fleet:hyperv_replica_certificate_left_seconds:threshold", false,
	},
	{"hyperv_replica_snapshot_timestamp_seconds", "fleet:hyperv_replica_snapshot_age_seconds:threshold", false},
}

// thresholdsWithoutPanel are thresholds of values that no panel colors.
var thresholdsWithoutPanel = []string{
	"fleet:hyperv_replica_audit_log_free_bytes:threshold",
	"fleet:hyperv_replica_first_cycle_seconds:threshold", "fleet:hyperv_replica_lag_seconds:threshold",
	"fleet:hyperv_replica_line_stopped:threshold", "fleet:hyperv_replica_line_stopped_ratio:threshold",
	"fleet:hyperv_replica_objective_burn_rate:threshold", "fleet:hyperv_replica_paused_on_replica_seconds:threshold",
	"fleet:hyperv_replica_paused_seconds:threshold", "fleet:hyperv_replica_recovery_points_missing:threshold",
	"fleet:hyperv_replica_scrape_changes:threshold", "fleet:hyperv_replica_statistics_age_seconds:threshold",
}

// A panel changes its color at the threshold of an alert, or where a value becomes more than zero.
func TestPanelColorsChangeAtAlertThresholds(t *testing.T) {
	limits := thresholdRules(t)
	used := map[string]bool{}
	for file, d := range readDashboards(t) {
		for _, p := range d.dataPanels() {
			var metrics []string
			for _, q := range p.Targets {
				metrics = append(metrics, metricNamesIn(q.Expr)...)
			}
			allowed := []float64{0, 1}
			rules := map[float64][]string{} // the rules that have a threshold
			for _, a := range alertThresholds {
				if !slices.Contains(metrics, a.metric) {
					continue
				}
				for _, limit := range limits[a.rule] {
					if a.integer {
						rules[limit] = append(rules[limit], a.rule)
						limit++
					}
					allowed = append(allowed, limit)
					rules[limit] = append(rules[limit], a.rule)
				}
			}
			for _, step := range colorSteps(t, p) {
				if !slices.Contains(allowed, step) {
					t.Errorf("%s: %s changes its color at %v, want one of %v", file, p.Title, step, allowed)
				}
				for _, rule := range rules[step] {
					used[rule] = true
				}
			}
		}
	}
	for rule := range limits {
		if !used[rule] && !slices.Contains(thresholdsWithoutPanel, rule) {
			t.Errorf("no panel changes its color at %s", rule)
		}
	}
}

// thresholdRules returns the values of the recording rules with the level fleet, keyed by the name of the rule.
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

// colorSteps returns the values at which a panel, or a column of it, changes its color.
func colorSteps(t *testing.T, p panel) []float64 {
	t.Helper()
	all := []thresholds{p.FieldConfig.Defaults.Thresholds}
	for _, value := range p.overrides("thresholds") {
		var more thresholds
		if err := json.Unmarshal(value, &more); err != nil {
			t.Fatalf("%s: %v", p.Title, err)
		}
		all = append(all, more)
	}
	steps := map[float64]bool{}
	for _, s := range all {
		for i, step := range s.Steps {
			if (i == 0) != (step.Value == nil) {
				t.Errorf("%s: the first step, and no other, must have no value: %+v", p.Title, s)
			} else if i > 0 {
				steps[*step.Value] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(steps))
}
