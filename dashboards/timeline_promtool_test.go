//go:build prometheus

package dashboards_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/promtest"
)

// timelineRecording has the series of a timeline as input of promtool's unit tests. Their time starts at 0, which is
// the start of the timeline.
type timelineRecording struct {
	promtest.Timeline
	scrapes int // so far
	series  map[string]*recordedSeries
}

// recordTimeline runs a timeline and records the metrics with the given names.
func recordTimeline(t *testing.T, timeline promtest.Timeline, metrics map[string]bool) *timelineRecording {
	t.Helper()
	r := &timelineRecording{Timeline: timeline, series: map[string]*recordedSeries{}}
	promtest.RunTimeline(t, timeline, func(host string, at time.Time, families []*dto.MetricFamily) {
		r.scrapes = int(at.Sub(timeline.Start)/timeline.Step) + 1
		r.add(fmt.Sprintf("up{instance=%q,job=\"hyperv_replica\"}", host), float64(min(len(families), 1)))
		for _, f := range families {
			if !metrics[f.GetName()] {
				continue
			}
			for _, m := range f.Metric {
				value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
				if strings.HasSuffix(f.GetName(), "_timestamp_seconds") {
					value -= float64(timeline.Start.Unix())
				}
				r.add(seriesName(f.GetName(), host, m.Label), value)
			}
		}
	})
	return r
}

func seriesName(metric, host string, labels []*dto.LabelPair) string {
	text := fmt.Sprintf("%s{instance=%q,job=\"hyperv_replica\"", metric, host)
	for _, l := range labels {
		text += fmt.Sprintf(",%s=%q", l.GetName(), l.GetValue())
	}
	return text + "}"
}

// add adds the value of a series in the current scrape.
func (r *timelineRecording) add(series string, value float64) {
	s := r.series[series]
	if s == nil {
		s = &recordedSeries{}
		r.series[series] = s
	}
	s.addMissing(r.scrapes - 1)
	s.add(strconv.FormatFloat(value, 'g', -1, 64))
}

// inputSeries returns the series of the given hosts for promtool.
func (r *timelineRecording) inputSeries(hosts []string) []map[string]string {
	var input []map[string]string
	for _, name := range slices.Sorted(maps.Keys(r.series)) {
		isOf := func(host string) bool { return strings.Contains(name, fmt.Sprintf("{instance=%q", host)) }
		if !slices.ContainsFunc(hosts, isOf) {
			continue
		}
		s := r.series[name]
		s.addMissing(r.scrapes)
		s.flush()
		input = append(input, map[string]string{"series": name, "values": s.text.String()})
	}
	return input
}

// firingQuery returns the firing alerts with the labels that a row of the table shows or that Alertmanager uses.
const firingQuery = `count by (alertname, severity, vm, vm_id, instance, relationship, mode, collector, usage, ` +
	`thumbprint, primary_server, replica_server) (ALERTS{alertstate="firing"})`

// mismatch matches the output of promtool for a query whose result is not the expected one: the time and the result.
var mismatch = regexp.MustCompile(`time: (\S+),\s+exp: .*\s+got: (.*)`)

// firingAlerts evaluates the rules with promtool, as if Prometheus scraped the given hosts, and returns the labels of the
// alerts that fire at each of the given times. Since promtool reports only results that differ from the expected ones,
// it is told to expect something else.
func (r *timelineRecording) firingAlerts(
	t *testing.T, hosts, groups []string, at []time.Duration,
) map[time.Duration][]map[string]string {
	t.Helper()
	var files []string
	for _, file := range promtest.Glob(t, ruleFiles) {
		absolute, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, absolute)
	}
	var queries []any
	for _, when := range at {
		queries = append(queries, map[string]any{
			"expr": firingQuery, "eval_time": when.String(),
			"exp_samples": []any{map[string]any{"labels": `{alertname="none"}`, "value": 1}},
		})
	}
	text, err := yaml.Marshal(map[string]any{
		"rule_files": files, "evaluation_interval": r.Step.String(), "group_eval_order": groups,
		"tests": []any{map[string]any{
			"interval": r.Step.String(), "input_series": r.inputSeries(hosts), "promql_expr_test": queries,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "timeline.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := promtest.Current.Promtool(t, "test", "rules", file).CombinedOutput()
	if err == nil {
		t.Fatalf("promtool test rules: no error\n%.2000s", out)
	}
	mismatches := mismatch.FindAllStringSubmatch(string(out), -1)
	if len(mismatches) != len(at) {
		t.Fatalf("promtool test rules: %d results, want %d\n%.2000s", len(mismatches), len(at), out)
	}
	got := map[time.Duration][]map[string]string{}
	for _, m := range mismatches {
		when, err := time.ParseDuration(goDuration(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range regexp.MustCompile(`\{([^{}]*)\} (\S+?),?(?: |$)`).FindAllStringSubmatch(m[2], -1) {
			labels := map[string]string{}
			for _, l := range labelPattern.FindAllStringSubmatch(sample[1], -1) {
				labels[l[1]] = l[2]
			}
			got[when] = append(got[when], labels)
		}
	}
	return got
}

// goDuration returns a duration of Prometheus in the notation of Go: 1d2h becomes 24h2h.
func goDuration(text string) string {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return text
	}
	n, _ := strconv.Atoi(days)
	return fmt.Sprintf("%dh%s", 24*n, rest)
}

var labelPattern = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)

// formatRow returns the row of an alert with the given labels: its name, its VM or host and its relationship, or its
// servers, and other labels with their names.
func formatRow(labels map[string]string) string {
	row := labels["alertname"]
	names := []string{"vm", "instance", "relationship"}
	if labels["vm"] == "" {
		names = append(names, "primary_server", "replica_server")
	}
	for _, name := range names {
		if labels[name] != "" {
			row += " " + labels[name]
		}
	}
	for _, name := range []string{"mode", "collector", "usage"} {
		if labels[name] != "" {
			row += " " + name + "=" + labels[name]
		}
	}
	return row
}

// recordedSeries is a series from the first scrape on, as runs of equal values in the notation of promtool.
type recordedSeries struct {
	text    strings.Builder
	scrapes int    // number of scrapes in text and in the current run
	value   string // value of the current run
	length  int    // length of the current run
}

// addMissing adds the scrapes, up to the given number, in which the series did not exist. Prometheus marks the first of
// them as stale.
func (s *recordedSeries) addMissing(scrapes int) {
	if s.scrapes > 0 && s.scrapes < scrapes {
		s.add("stale")
	}
	for s.scrapes < scrapes {
		s.add("_")
	}
}

// add adds the value of a scrape.
func (s *recordedSeries) add(value string) {
	if value != s.value {
		s.flush()
	}
	s.value, s.length, s.scrapes = value, s.length+1, s.scrapes+1
}

// flush writes the current run to the text.
func (s *recordedSeries) flush() {
	switch {
	case s.length == 0:
	case s.value == "stale":
		s.text.WriteString("stale ")
	case s.value == "_":
		fmt.Fprintf(&s.text, "_x%d ", s.length)
	default:
		fmt.Fprintf(&s.text, "%s+0x%d ", s.value, s.length-1)
	}
	s.length = 0
}
