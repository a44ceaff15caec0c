//go:build prometheus && pictures

package dashboards_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/version"

	"hyperv_replica_exporter/internal/promtest"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// The pictures show a day of simulated hosts that ends at a fixed time, so that each run takes the same pictures.
const (
	historyLength = 24 * time.Hour
	historyStep   = 2 * time.Minute
)

func historyEnd() time.Time { return time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC) }

// startPrometheusWithHistory starts a server that has the samples of three simulated hosts for a day, and the results
// of the rules.
func startPrometheusWithHistory(t *testing.T) *promtest.Prometheus {
	t.Helper()
	// The results of the rules are written after the samples of the same time, so they are out of order. Blocks longer
	// than the history keep all samples in memory.
	api := promtest.Current.Start(t, "storage: {tsdb: {out_of_order_time_window: 30d}}\n",
		"--web.enable-remote-write-receiver",
		"--storage.tsdb.min-block-duration=30d", "--storage.tsdb.max-block-duration=30d")
	api.Await(t, "vector(1)")
	last := historyEnd().Add(-30 * time.Second) // a usual age of the last scrape when somebody opens a dashboard
	start := last.Add(-historyLength)
	h := promtest.NewHistory(start, last, historyStep)
	version.Version = "1.0.0" // a build sets it
	var scrapeStart time.Time // on the fake clock
	promtest.RunTimeline(t, promtest.Timeline{
		Config: simulator.Config{Seed: 1}, Hosts: threeHosts, Flags: []string{"--collector.perf"},
		Start: start, Step: historyStep, Length: historyLength,
		BeforeScrape: func(w *simulator.World, elapsed time.Duration) {
			w.SetFaults(faultsAt(elapsed))
			scrapeStart = time.Now()
		},
	}, func(host string, at time.Time, families []*dto.MetricFamily) {
		instance := strings.ToLower(host) + ".example.com:10483"
		families = append(withoutProcessMetrics(families), processMetrics(t, host, at.Sub(start))...)
		h.AddScrape("hyperv_replica", instance, at, time.Since(scrapeStart), families)
		scrapeStart = time.Now()
	})
	h.Write(t, api)
	rules, _ := promtest.ReadRules(t, ruleFiles)
	h.EvaluateRules(t, api, rules)
	return api
}

// faultsAt returns the faults of the hosts at a time since the first scrape. The hosts are slower at some hours than at
// others, and very slow for an hour. For 20 minutes, a class does not answer.
func faultsAt(elapsed time.Duration) simulator.Faults {
	const slowHour, hangStart, hangEnd = 17 * time.Hour, 21 * time.Hour, 21*time.Hour + 20*time.Minute
	slow := 1 + math.Sin(2*math.Pi*elapsed.Hours()/12)
	if elapsed.Truncate(time.Hour) == slowHour {
		slow *= 20
	}
	f := simulator.Faults{Slow: 2*time.Millisecond + time.Duration(slow*float64(5*time.Millisecond))}
	if hangStart <= elapsed && elapsed < hangEnd {
		f.HungAt = []string{"Msvm_FailoverNetworkAdapterSettingData"}
	}
	return f
}

// withoutProcessMetrics returns the families without the metrics of the process, which is the test and not an exporter.
func withoutProcessMetrics(families []*dto.MetricFamily) []*dto.MetricFamily {
	var out []*dto.MetricFamily
	for _, f := range families {
		if name := f.GetName(); !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			out = append(out, f)
		}
	}
	return out
}

// processMetrics returns the metrics that the process of an exporter on Windows and its admin endpoint have at a time
// since the first scrape. Before noon an operator prepares a failover during announced maintenance of the host.
func processMetrics(t *testing.T, host string, elapsed time.Duration) []*dto.MetricFamily {
	t.Helper()
	const drillStart, drillEnd = 18 * time.Hour, 20 * time.Hour
	seconds := elapsed.Seconds()
	maintenance, calls := 0, 0.0
	if drillStart <= elapsed && host == threeHosts[1] {
		calls = min(elapsed-drillStart, drillEnd-drillStart).Hours() * 12
	}
	if elapsed >= drillStart && elapsed < drillEnd || host == threeHosts[1] && elapsed >= 23*time.Hour {
		maintenance = 1
	}
	text := fmt.Sprintf(`# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes %f
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total %f
# TYPE hyperv_replica_admin_requests_total counter
hyperv_replica_admin_requests_total{method="none",code="200"} %f
hyperv_replica_admin_requests_total{method="none",code="401"} %f
hyperv_replica_admin_requests_total{method="RequestReplicationStateChange",code="202"} %f
# TYPE hyperv_replica_admin_jobs gauge
hyperv_replica_admin_jobs{state="succeeded"} %f
hyperv_replica_admin_jobs{state="failed"} %f
# TYPE hyperv_replica_maintenance_active gauge
hyperv_replica_maintenance_active{scope="host",vm="",vm_id=""} %d
`, 30e6+2e6*math.Sin(seconds/7000), seconds*0.004, seconds/60, seconds/3600, calls,
		math.Floor(calls*0.8), math.Floor(calls*0.2), maintenance)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(maps.Values(families))
}
