//go:build prometheus

package dashboards_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v2"
)

// record is what Prometheus would have scraped while a world was played, as input
// of promtool's unit tests: their time begins at 0, and so does what is played.
type record struct {
	promtest.Timeline
	rows   int // scrapes so far
	series map[string]*recorded
}

// recorded is a series, from the first scrape on: runs of values in promtool's
// notation.
type recorded struct {
	text  strings.Builder
	rows  int // that are in text or in the run
	value string
	run   int
}

// playAndRecord plays p and records the metrics that are wanted.
func playAndRecord(t *testing.T, p promtest.Timeline, wanted map[string]bool) *record {
	t.Helper()
	r := &record{Timeline: p, series: map[string]*recorded{}}
	promtest.Play(t, p, func(host string, at time.Time, families []*dto.MetricFamily) {
		r.rows = int(at.Sub(p.Start)/p.Step) + 1
		r.add(fmt.Sprintf("up{instance=%q,job=\"hyperv_replica\"}", host), float64(min(len(families), 1)))
		for _, f := range families {
			if !wanted[f.GetName()] {
				continue
			}
			for _, m := range f.Metric {
				value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
				if strings.HasSuffix(f.GetName(), "_timestamp_seconds") {
					value -= float64(p.Start.Unix())
				}
				r.add(seriesName(f.GetName(), host, m.Label), value)
			}
		}
	})
	return r
}

func seriesName(name, host string, labels []*dto.LabelPair) string {
	text := fmt.Sprintf("%s{instance=%q,job=\"hyperv_replica\"", name, host)
	for _, l := range labels {
		text += fmt.Sprintf(",%s=%q", l.GetName(), l.GetValue())
	}
	return text + "}"
}

func (r *record) add(series string, value float64) {
	s := r.series[series]
	if s == nil {
		s = &recorded{}
		r.series[series] = s
	}
	s.fill(r.rows - 1)
	s.put(strconv.FormatFloat(value, 'g', -1, 64))
}

// fill is for scrapes in which the series was not: Prometheus marks it as stale.
func (s *recorded) fill(rows int) {
	if s.rows > 0 && s.rows < rows {
		s.put("stale")
	}
	for s.rows < rows {
		s.put("_")
	}
}

func (s *recorded) put(value string) {
	if value != s.value {
		s.flush()
	}
	s.value, s.run, s.rows = value, s.run+1, s.rows+1
}

func (s *recorded) flush() {
	switch {
	case s.run == 0:
	case s.value == "stale":
		s.text.WriteString("stale ")
	case s.value == "_":
		fmt.Fprintf(&s.text, "_x%d ", s.run)
	default:
		fmt.Fprintf(&s.text, "%s+0x%d ", s.value, s.run-1)
	}
	s.run = 0
}

// input is what was scraped of some of the hosts.
func (r *record) input(hosts []string) []map[string]string {
	var input []map[string]string
	for _, name := range slices.Sorted(maps.Keys(r.series)) {
		if !slices.ContainsFunc(hosts, func(h string) bool { return strings.Contains(name, fmt.Sprintf("{instance=%q", h)) }) {
			continue
		}
		s := r.series[name]
		s.fill(r.rows)
		s.flush()
		input = append(input, map[string]string{"series": name, "values": s.text.String()})
	}
	return input
}

// firing asks for what the table of the alerts shows of each that fires.
const firing = `count by (alertname, vm, instance, relationship, mode, collector, usage) (ALERTS{alertstate="firing"})`

// evaluate has promtool evaluate the rules on a record, and expect the alerts at
// each time. It gives those that fire where that is something else, nil if nowhere.
func (r *record) evaluate(t *testing.T, hosts []string, groups []string, want map[time.Duration][]string) map[time.Duration][]string {
	t.Helper()
	var files []string
	for _, file := range promtest.Glob(t, ruleFiles) {
		absolute, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, absolute)
	}
	var asked []any
	for _, at := range slices.Sorted(maps.Keys(want)) {
		var samples []any
		for _, alert := range want[at] {
			samples = append(samples, map[string]any{"labels": labelsOfRow(alert), "value": 1})
		}
		asked = append(asked, map[string]any{"expr": firing, "eval_time": at.String(), "exp_samples": samples})
	}
	text, err := yaml.Marshal(map[string]any{
		"rule_files": files, "evaluation_interval": r.Step.String(), "group_eval_order": groups,
		"tests": []any{map[string]any{"interval": r.Step.String(), "input_series": r.input(hosts), "promql_expr_test": asked}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "played.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), promtest.Tool(t, "promtool"), "test", "rules", file).CombinedOutput()
	if err == nil {
		return nil
	}
	got := maps.Clone(want)
	found := evaluated.FindAllStringSubmatch(string(out), -1)
	if len(found) == 0 {
		t.Fatalf("promtool test rules: %v\n%.2000s", err, out)
	}
	for _, m := range found {
		at, err := time.ParseDuration(dayless(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		got[at] = nil
		for _, sample := range regexp.MustCompile(`\{([^{}]*)\} (\S+?),?(?: |$)`).FindAllStringSubmatch(m[2], -1) {
			got[at] = append(got[at], rowOfLabels(sample[1], sample[2]))
		}
		slices.Sort(got[at])
	}
	return got
}

// evaluated is how promtool tells of a query that it expected something else of.
var evaluated = regexp.MustCompile(`time: (\S+),\s+exp: .*\s+got: (.*)`)

// dayless is a duration of Prometheus in Go's notation: 1d2h is 26h.
func dayless(text string) string {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return text
	}
	n, _ := strconv.Atoi(days)
	return fmt.Sprintf("%dh%s", 24*n, rest)
}

var label = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)

// rowOfLabels is how an alert stands in the table: its name, the VM or the host,
// the relationship by its name alone, and what else there is with the label's.
func rowOfLabels(text, count string) string {
	labels := map[string]string{}
	for _, m := range label.FindAllStringSubmatch(text, -1) {
		labels[m[1]] = m[2]
	}
	row := labels["alertname"]
	for _, name := range []string{"vm", "instance", "relationship"} {
		if labels[name] != "" {
			row += " " + labels[name]
		}
	}
	for _, name := range []string{"mode", "collector", "usage"} {
		if labels[name] != "" {
			row += " " + name + "=" + labels[name]
		}
	}
	if count != "1E+00" { // several that look the same
		row += " count=" + count
	}
	return row
}

// labelsOfRow is the reverse, as a selector.
func labelsOfRow(row string) string {
	words := strings.Fields(row)
	subject := "vm"
	if strings.HasPrefix(words[1], "HV0") {
		subject = "instance"
	}
	text := fmt.Sprintf("{alertname=%q,%s=%q", words[0], subject, words[1])
	for _, word := range words[2:] {
		if name, value, found := strings.Cut(word, "="); found {
			text += fmt.Sprintf(",%s=%q", name, value)
		} else {
			text += fmt.Sprintf(",relationship=%q", word)
		}
	}
	return text + "}"
}
