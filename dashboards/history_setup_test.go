//go:build prometheus && pictures

package dashboards_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/wmiquery/simulator"
)

// The pictures are of a day of the simulated hosts, played up to a time that never
// changes: who takes them again gets the same.
const (
	pastLength = 24 * time.Hour
	pastStep   = 2 * time.Minute
)

func pastEnd() time.Time { return time.Date(2026, 11, 22, 14, 20, 0, 0, time.UTC) }

// startPast is a Prometheus that has watched three simulated hosts for a day, with
// the rules.
func startPast(t *testing.T) *promtest.Prometheus {
	t.Helper()
	// What the rules make of the past comes after it, and all of it stays in memory.
	api := promtest.StartPrometheusWith(t, "storage: {tsdb: {out_of_order_time_window: 30d}}\n",
		"--web.enable-remote-write-receiver", "--storage.tsdb.min-block-duration=30d", "--storage.tsdb.max-block-duration=30d")
	api.Await(t, "vector(1)")
	// The last scrape is half a minute old, as it is when somebody looks.
	last := pastEnd().Add(-30 * time.Second)
	start := last.Add(-pastLength)
	h := promtest.NewHistory(start, last, pastStep)
	var begun time.Time // of a scrape, by the clock that is moved
	promtest.Play(t, promtest.Timeline{
		World: simulator.Config{Seed: 1}, Hosts: []string{"HV01", "HV02", "HV03"}, Flags: []string{"--collector.perf"},
		Start: start, Step: pastStep, Length: pastLength,
		Before: func(w *simulator.World, since time.Duration) {
			w.SetFaults(troubles(since))
			begun = time.Now()
		},
	}, func(host string, at time.Time, families []*dto.MetricFamily) {
		h.Scrape("hyperv_replica", strings.ToLower(host)+".example.com:10483", at, time.Since(begun), ofHost(families))
		begun = time.Now()
	})
	h.Write(t, api)
	rules, _ := promtest.ReadRules(t, ruleFiles)
	h.Evaluate(t, api, rules)
	return api
}

// troubles are what the hosts suffer from at a time: they are slower at some hours
// than at others, for an hour they are very slow, and for some minutes a class of
// theirs does not answer.
func troubles(since time.Duration) simulator.Faults {
	const slowHour, hung, answers = 17 * time.Hour, 21 * time.Hour, 21*time.Hour + 20*time.Minute
	slow := 1 + math.Sin(2*math.Pi*since.Hours()/12)
	if since.Truncate(time.Hour) == slowHour {
		slow *= 20
	}
	f := simulator.Faults{Slow: 2*time.Millisecond + time.Duration(slow*float64(5*time.Millisecond))}
	if hung <= since && since < answers {
		f.HungAt = []string{"Msvm_FailoverNetworkAdapterSettingData"}
	}
	return f
}

// ofHost leaves out what is about the process: that is not an exporter's, but the
// test's.
func ofHost(families []*dto.MetricFamily) []*dto.MetricFamily {
	var out []*dto.MetricFamily
	for _, f := range families {
		if name := f.GetName(); !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			out = append(out, f)
		}
	}
	return out
}
