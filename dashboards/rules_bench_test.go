//go:build prometheus

package dashboards_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"hyperv_replica_exporter/internal/exportertest"
	"hyperv_replica_exporter/internal/promtest"
)

var benchVMs = flag.Int("vms", 1000, "number of VMs for BenchmarkRules")

// BenchmarkRules measures the evaluation of the rules on a Prometheus server that scrapes three hosts whose VMs have all
// stopped replicating. For each group of rules it reports the shortest duration of three evaluations, and the number of
// alerts that are pending or firing, whose annotations need queries of their own. For all groups it also reports the
// processor time of the server per evaluation, including the scrape of the hosts, which depends less on other load. The
// server has data of a few minutes, so rules about hours or days take longer in reality.
func BenchmarkRules(b *testing.B) {
	var targets []string
	for _, host := range threeHosts {
		targets = append(targets, serveExposition(b, host))
	}
	api := promtest.Current.Start(b, fmt.Sprintf(`
global: {scrape_interval: 15s, scrape_timeout: 15s, evaluation_interval: 15s}
rule_files: [%q]
scrape_configs:
- job_name: hyperv_replica
  static_configs: [{targets: [%s]}]
`, rulesWithoutIntervals(b), strings.Join(targets, ", ")))
	durations, cpu := measureEvaluations(b, api)
	alerts := activeAlerts(b, api)
	totalDuration, totalAlerts := 0.0, 0
	for _, group := range slices.Sorted(maps.Keys(durations)) {
		b.Run(group, func(b *testing.B) {
			b.ReportMetric(0, "ns/op") // means nothing here
			b.ReportMetric(durations[group], "s/evaluation")
			b.ReportMetric(float64(alerts[group]), "alerts")
		})
		totalDuration += durations[group]
		totalAlerts += alerts[group]
	}
	b.Run("all", func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(totalDuration, "s/evaluation")
		b.ReportMetric(cpu, "cpu-s/evaluation")
		b.ReportMetric(float64(totalAlerts), "alerts")
	})
}

// serveExposition serves the metrics of a simulated host as they are now, until the benchmark ends, and returns the
// address. Hosts that are read in each scrape would compete with Prometheus for the processor.
func serveExposition(b *testing.B, host string) string {
	b.Helper()
	p := exportertest.Start(b, "--simulator.scenario=wan-outage", "--simulator.seed=5", "--simulator.host="+host,
		fmt.Sprintf("--simulator.vms=%d", *benchVMs))
	_, body := exportertest.Get(b, p.URL, "X-Prometheus-Scrape-Timeout-Seconds", "120")
	p.Stop()
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write([]byte(body)); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4")
		rw.Header().Set("Content-Encoding", "gzip")
		_, _ = rw.Write(compressed.Bytes())
	}))
	b.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

var groupInterval = regexp.MustCompile(`(?m)^ +interval: .*\n`)

// rulesWithoutIntervals writes the rule files without the intervals of groups to a temporary directory and returns their
// pattern, so that all groups are evaluated equally often.
func rulesWithoutIntervals(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	for _, file := range promtest.Glob(b, ruleFiles) {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		text = groupInterval.ReplaceAll(text, nil)
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return filepath.Join(dir, "*.yml")
}

// measureEvaluations returns the duration of the shortest of three evaluations of each group, and the processor time of
// the server per evaluation of the group that is evaluated least often, both in seconds. It ignores the evaluations that
// may not have seen all hosts or the results of all other groups.
func measureEvaluations(b *testing.B, api *promtest.Prometheus) (durations map[string]float64, cpu float64) {
	b.Helper()
	promtest.Await(b, "the scrape of all hosts", func() bool {
		up, err := api.QueryInstant(`sum(up) == 3`)
		return err == nil && len(up) > 0
	})
	const ignored, measured = 2, 3
	iterations, all := map[string]float64{}, map[string][]float64{}
	cpuBefore := 0.0
	for range time.Tick(time.Second) {
		metrics := serverMetrics(b, api)
		last := groupValues(metrics["prometheus_rule_group_last_duration_seconds"])
		fewest := ignored + measured
		for group, count := range groupValues(metrics["prometheus_rule_group_iterations_total"]) {
			if count > iterations[group] {
				iterations[group] = count
				all[group] = append(all[group], last[group])
			}
			fewest = min(fewest, len(all[group]))
		}
		cpu := metrics["process_cpu_seconds_total"].GetMetric()[0].GetCounter().GetValue()
		if fewest == ignored && cpuBefore == 0 {
			cpuBefore = cpu
		}
		if fewest == ignored+measured {
			durations := map[string]float64{}
			for group, d := range all {
				durations[group] = slices.Min(d[ignored : ignored+measured])
			}
			return durations, (cpu - cpuBefore) / measured
		}
	}
	panic("the ticker ended")
}

// serverMetrics returns the metrics of a Prometheus server about itself.
func serverMetrics(b *testing.B, api *promtest.Prometheus) map[string]*dto.MetricFamily {
	b.Helper()
	_, body := exportertest.Get(b, api.URL+"/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	return families
}

// groupValues returns the values of a metric that Prometheus has for each group of rules.
func groupValues(family *dto.MetricFamily) map[string]float64 {
	values := map[string]float64{}
	for _, m := range family.GetMetric() {
		for _, l := range m.Label {
			if l.GetName() == "rule_group" {
				_, group, _ := strings.Cut(l.GetValue(), ";")
				values[group] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return values
}

// activeAlerts returns the number of alerts, pending or firing, of each group.
func activeAlerts(b *testing.B, api *promtest.Prometheus) map[string]int {
	b.Helper()
	result, err := api.API.Rules(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	alerts := map[string]int{}
	for _, g := range result.Groups {
		for _, r := range g.Rules {
			if a, ok := r.(v1.AlertingRule); ok {
				alerts[g.Name] += len(a.Alerts)
			}
		}
	}
	return alerts
}
