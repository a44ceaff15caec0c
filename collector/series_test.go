package collector_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/collector"
)

// parseSeries returns the values of an exposition by series.
func parseSeries(exposition string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(exposition) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && !strings.HasPrefix(line, "#") {
			out[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return out
}

// withoutDurations removes the durations, which differ in every scrape, from an
// exposition.
func withoutDurations(exposition string) string {
	var b strings.Builder
	for line := range strings.Lines(exposition) {
		if !strings.Contains(line, "hyperv_replica_collector_duration_seconds") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// hasMetric reports whether the metric has series with labels.
func hasMetric(got map[string]string, name string) bool {
	for s := range got {
		if strings.HasPrefix(s, collector.Namespace+"_"+name+"{") {
			return true
		}
	}
	return false
}

// seriesOf returns the series of a VM, without the prefix of the metrics.
func seriesOf(got map[string]string, id string) map[string]string {
	out := map[string]string{}
	for s, v := range got {
		if strings.Contains(s, id) {
			out[strings.TrimPrefix(s, "hyperv_replica_")] = v
		}
	}
	return out
}

// successSeries returns the series with the success of a collector.
func successSeries(c string) string {
	return fmt.Sprintf("hyperv_replica_collector_success{collector=%q}", c)
}

// valuesOf returns the values of a metric's series, by the value of a label.
func valuesOf(got map[string]string, metric, label string) map[string]string {
	out := map[string]string{}
	for s, v := range got {
		if strings.HasPrefix(s, "hyperv_replica_"+metric+"{") {
			out[labelValue(s, label)] = v
		}
	}
	return out
}

// labelValue returns the value of a label of a series.
func labelValue(series, label string) string {
	m := regexp.MustCompile(`[{,]` + label + `="((?:[^"\\]|\\.)*)"`).FindStringSubmatch(series)
	if m == nil {
		return ""
	}
	return m[1]
}

// currentState returns the value of the label of the series that is 1, of a metric that has one series
// per state. It is empty if the metric has no series. Exactly one series must be 1.
func currentState(t *testing.T, got map[string]string, metric, label string) string {
	t.Helper()
	values := valuesOf(got, metric, label)
	var current []string
	for _, state := range slices.Sorted(maps.Keys(values)) {
		if values[state] == "1" {
			current = append(current, state)
		}
	}
	if len(values) > 0 && len(current) != 1 {
		t.Errorf("%s is 1 for %q, want one state", metric, current)
	}
	return strings.Join(current, " ")
}

// checkSeries checks the values of series, which are given without the prefix of the metrics. The
// value of a series that must be absent is empty.
func checkSeries(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, s := range slices.Sorted(maps.Keys(want)) {
		if v := got["hyperv_replica_"+s]; v != want[s] {
			t.Errorf("%s = %q, want %q", s, v, want[s])
		}
	}
}
