//go:build prometheus && pictures

package dashboards_test

import (
	"math"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

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
		h.AddScrape("hyperv_replica", instance, at, time.Since(scrapeStart), withoutProcessMetrics(families))
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
