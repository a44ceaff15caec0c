//go:build prometheus

package dashboards_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/internal/exportertest"
)

// metricOrRule is a metric of this exporter or a recording rule, as it stands in any text.
var metricOrRule = regexp.MustCompile(`\b([a-z_]+:)?hyperv_replica_[a-z0-9_]+(:[a-z0-9_]+)?\b`)

// namesIn finds the metrics and the recording rules that a text names.
func namesIn(text string) []string { return metricOrRule.FindAllString(text, -1) }

// knownNames are the types of all metrics that there are, and of recording rules.
// What the program itself gives is taken from a scrape, with the admin endpoint in use.
func knownNames(t *testing.T) map[string]string {
	t.Helper()
	known := map[string]string{}
	add := func(metrics []*collector.Metric) {
		for _, m := range metrics {
			known[m.Name] = strings.ToLower(m.Type.String())
		}
	}
	add(collector.ScrapeMetrics())
	for _, c := range collector.All(collector.Options{}) {
		add(c.Metrics)
	}
	args, _ := exportertest.AdminArgs(t)
	p := exportertest.Start(t, args...)
	exportertest.Get(t, http.DefaultClient, p.URL) // what counts scrapes is there from the second on
	exportertest.Get(t, http.DefaultClient, p.AdminURL(t)+"/api/v1/jobs", exportertest.Owner...)
	_, body := exportertest.Get(t, http.DefaultClient, p.URL)
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)`).FindAllStringSubmatch(body, -1) {
		known[m[1]] = m[2]
		if m[2] == "histogram" {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				known[m[1]+part] = "counter"
			}
		}
	}
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		if r.Record != "" {
			known[r.Record] = "rule"
		}
	}
	// What Prometheus adds.
	for _, name := range []string{"up", "scrape_duration_seconds", "scrape_samples_scraped", "ALERTS"} {
		known[name] = "gauge"
	}
	return known
}

// selector is a choice of series in PromQL.
type selector struct {
	Name     string
	Matchers string // with the braces
	Window   string // with the brackets
	Function string // that the selector is the argument of, if it is the first thing in it
}

var selectorPattern = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*\()?\b([a-zA-Z_][a-zA-Z0-9_:]*)\b(\{[^}]*\})?(\[[^\]]*\])?`)

// selectors finds those of an expression: what has matchers, or is a metric or a
// rule of this project.
func selectors(expr string) []selector {
	var out []selector
	for _, m := range selectorPattern.FindAllStringSubmatch(expr, -1) {
		if m[3] != "" || metricOrRule.FindString(m[2]) == m[2] {
			out = append(out, selector{m[2], m[3], m[4], strings.TrimSuffix(m[1], "(")})
		}
	}
	return out
}
