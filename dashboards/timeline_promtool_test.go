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

// firingQuery returns the firing alerts with the labels that a row of the table shows.
const firingQuery = `count by (alertname, vm, instance, relationship, mode, collector, usage) ` +
	`(ALERTS{alertstate="firing"})`

// mismatch matches the output of promtool for a query whose result is not the expected one: the time and the result.
var mismatch = regexp.MustCompile(`time: (\S+),\s+exp: .*\s+got: (.*)`)

// firingAlerts evaluates the rules with promtool, as if Prometheus scraped the given hosts, and returns the rows of the
// alerts that fire at each time of want. Since promtool reports only results that differ from the expected ones, it
// gets want as the expected results.
func (r *timelineRecording) firingAlerts(
	t *testing.T, hosts, groups []string, want map[time.Duration][]string,
) map[time.Duration][]string {
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
	for _, at := range slices.Sorted(maps.Keys(want)) {
		var samples []any
		for _, row := range want[at] {
			samples = append(samples, map[string]any{"labels": rowSelector(row), "value": 1})
		}
		queries = append(queries, map[string]any{
			"expr": firingQuery, "eval_time": at.String(), "exp_samples": samples,
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
	got := maps.Clone(want)
	out, err := promtest.Current.Promtool(t, "test", "rules", file).CombinedOutput()
	if err == nil {
		return got
	}
	mismatches := mismatch.FindAllStringSubmatch(string(out), -1)
	if len(mismatches) == 0 {
		t.Fatalf("promtool test rules: %v\n%.2000s", err, out)
	}
	for _, m := range mismatches {
		at, err := time.ParseDuration(goDuration(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		got[at] = nil
		for _, sample := range regexp.MustCompile(`\{([^{}]*)\} (\S+?),?(?: |$)`).FindAllStringSubmatch(m[2], -1) {
			got[at] = append(got[at], formatRow(sample[1], sample[2]))
		}
		slices.Sort(got[at])
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

// formatRow returns the row of an alert with the given labels: its name, its VM or host, its relationship, and other
// labels with their names. The count of alerts that have the same row is added if it is not 1.
func formatRow(labels, count string) string {
	values := map[string]string{}
	for _, m := range labelPattern.FindAllStringSubmatch(labels, -1) {
		values[m[1]] = m[2]
	}
	row := values["alertname"]
	for _, name := range []string{"vm", "instance", "relationship"} {
		if values[name] != "" {
			row += " " + values[name]
		}
	}
	for _, name := range []string{"mode", "collector", "usage"} {
		if values[name] != "" {
			row += " " + name + "=" + values[name]
		}
	}
	if count != "1E+00" {
		row += " count=" + count
	}
	return row
}

// rowSelector returns the labels of the alert of a row, in braces.
func rowSelector(row string) string {
	words := strings.Fields(row)
	object := "vm"
	if strings.HasPrefix(words[1], "HV0") {
		object = "instance"
	}
	text := fmt.Sprintf("{alertname=%q,%s=%q", words[0], object, words[1])
	for _, word := range words[2:] {
		if name, value, found := strings.Cut(word, "="); found {
			text += fmt.Sprintf(",%s=%q", name, value)
		} else {
			text += fmt.Sprintf(",relationship=%q", word)
		}
	}
	return text + "}"
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
