package exporter

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"hyperv_replica_exporter/wmiquery/simulator"
)

// The kept lines are those that expfmt writes, in every scenario and while series come, go and change.
func TestTextIsThatOfExpfmt(t *testing.T) {
	formats := []expfmt.Format{
		expfmt.NewFormat(expfmt.TypeTextPlain), expfmt.NewFormat(expfmt.TypeOpenMetrics), "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
	}
	for _, scenario := range simulator.Scenarios() {
		t.Run(scenario, func(t *testing.T) {
			start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
			now := start
			w, err := simulator.New(simulator.Config{Seed: 1, Scenario: scenario, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			e, err := NewEmbedded([]string{"--collector.perf"}, w.Open, w.Now)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			e.metrics.always = stableRegistry()
			for ; now.Sub(start) < 2*time.Hour; now = now.Add(7 * time.Minute) {
				for _, format := range formats {
					want, got := encodeFamilies(t, e.metrics, format), metricsText(t, e.metrics, format)
					if want != got || strings.Count(want, "# TYPE") < 50 {
						t.Fatalf("%v, %s: %d bytes, want %d", now, format, len(got), len(want))
					}
				}
			}
		})
	}
}

// stableRegistry returns metrics of the process that do not change.
func stableRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	for _, name := range []string{"a", "hyperv_replica_lag_and_more", "z"} {
		r.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: "Help."}))
	}
	return r
}

// durations are the values that differ between scrapes although the host has not changed.
var durations = regexp.MustCompile(`(?m)^(hyperv_replica_collector_duration_seconds\{.*\}) .*$`)

// encodeFamilies scrapes and returns what expfmt writes, without durations.
func encodeFamilies(t *testing.T, h *metricsHandler, format expfmt.Format) string {
	t.Helper()
	g, err := h.gatherer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	families, done, err := g.Gather()
	defer done()
	var buf bytes.Buffer
	encoder := expfmt.NewEncoder(&buf, format)
	for _, f := range families {
		err = errors.Join(err, encoder.Encode(f))
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		err = errors.Join(err, closer.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return durations.ReplaceAllString(buf.String(), "$1")
}

// metricsText scrapes and returns what is written, without durations.
func metricsText(t *testing.T, h *metricsHandler, format expfmt.Format) string {
	t.Helper()
	g, err := h.gatherer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := g.write(&buf, format); err != nil {
		t.Fatal(err)
	}
	return durations.ReplaceAllString(buf.String(), "$1")
}
