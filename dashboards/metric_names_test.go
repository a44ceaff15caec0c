//go:build prometheus

package dashboards_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/internal/exportertest"
	"hyperv_replica_exporter/internal/promtest"
)

// Rules, their unit tests and the runbooks name only metrics, recording rules and groups that exist.
func TestRulesAndRunbooksNameExistingMetrics(t *testing.T) {
	known := metricTypes(t)
	_, groups := promtest.ReadRules(t, ruleFiles)
	known["hyperv_replica_exporter"] = "program"
	for _, g := range groups {
		known[g] = "group"
	}
	files := slices.Concat(promtest.Glob(t, ruleFiles), promtest.Glob(t, ruleTestFiles), []string{runbooksFile})
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metricNamesIn(string(text)) {
			if known[name] == "" {
				t.Errorf("%s: %s does not exist", file, name)
			}
		}
	}
}

var runbooksFile = filepath.Join("..", "docs", "runbooks.md")

// metricNamePattern matches the name of a metric of this exporter, or of a recording rule, in any text.
var metricNamePattern = regexp.MustCompile(`\b([a-z_]+:)?hyperv_replica_[a-z0-9_]+(:[a-z0-9_]+)?\b`)

// metricNamesIn returns the names of metrics and recording rules in a text.
func metricNamesIn(text string) []string { return metricNamePattern.FindAllString(text, -1) }

// metricTypes returns the type of each metric, keyed by its name. Recording rules have the type "rule". The metrics
// come from the collectors, and from a scrape of an exporter whose admin endpoint is in use.
func metricTypes(t *testing.T) map[string]string {
	t.Helper()
	types := map[string]string{}
	add := func(metrics []*collector.Metric) {
		for _, m := range metrics {
			types[m.Name] = strings.ToLower(m.Type.String())
		}
	}
	add(collector.ScrapeMetrics())
	for _, c := range collector.All(collector.Options{}) {
		add(c.Metrics)
	}
	args, _ := exportertest.AdminArgs(t)
	// The counter of invalid values exists only if there are any.
	p := exportertest.Start(t, append(args, "--simulator.fault=invalid-value=Msvm_ConcreteJob.ElapsedTime")...)
	exportertest.Get(t, p.URL) // the counters of scrapes exist from the second scrape on
	exportertest.Get(t, p.AdminURL(t)+"/api/v1/jobs", exportertest.Owner...)
	_, body := exportertest.Get(t, p.URL)
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)`).FindAllStringSubmatch(body, -1) {
		types[m[1]] = m[2]
		if m[2] == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				types[m[1]+suffix] = "counter"
			}
		}
	}
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		if r.Record != "" {
			types[r.Record] = "rule"
		}
		// The file of thresholds may define one for a VM.
		if name, ok := strings.CutPrefix(r.Record, "fleet:"); ok {
			types["vm:"+name] = "rule"
		}
	}
	// Prometheus itself adds these.
	for _, name := range []string{"up", "scrape_duration_seconds", "scrape_samples_scraped", "ALERTS"} {
		types[name] = "gauge"
	}
	return types
}

// selector is a selector of series in a PromQL expression.
type selector struct {
	Name     string
	Matchers string // with braces, or ""
	Range    string // with brackets, or ""
	Function string // the function whose first argument starts with the selector, or ""
}

var selectorPattern = regexp.MustCompile(
	`([a-zA-Z_][a-zA-Z0-9_]*\()?\b([a-zA-Z_][a-zA-Z0-9_:]*)\b(\{[^}]*\})?(\[[^\]]*\])?`)

// selectorsIn returns the selectors in an expression that have matchers, or the name of a metric or a recording rule of
// this project.
func selectorsIn(expr string) []selector {
	var out []selector
	for _, m := range selectorPattern.FindAllStringSubmatch(expr, -1) {
		if m[3] != "" || metricNamePattern.FindString(m[2]) == m[2] {
			out = append(out, selector{m[2], m[3], m[4], strings.TrimSuffix(m[1], "(")})
		}
	}
	return out
}
