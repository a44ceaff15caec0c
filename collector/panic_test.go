package collector

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/go-kit/log"
)

// A collector that panics exposes none of its samples, fails, and does not affect others. The panic is
// logged, and the stack at debug level.
func TestPanickingCollectorExposesNothing(t *testing.T) {
	var logs bytes.Buffer
	s := NewScraper(Options{Reader: clockReader{}, Logger: log.NewLogfmtLogger(&logs)}, func(string) bool { return true })
	partial, whole := gauge("partial", "Of the collector that panics."), gauge("whole", "Of the other collector.")
	s.collectors = []Collector{
		{Name: "panicking", Metrics: []*Metric{partial}, collect: func(_ context.Context, _ *view, out *output) error {
			out.add(partial, 1, nil)
			out.warn("key", "warning before the panic")
			panic("boom")
		}},
		{Name: "other", Metrics: []*Metric{whole}, collect: func(_ context.Context, _ *view, out *output) error {
			out.add(whole, 1, nil)
			return nil
		}},
	}
	selected, err := s.Select(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	families, done, err := selected.Gather()
	defer done()
	if err != nil {
		t.Fatal(err)
	}
	exposed := map[string]bool{}
	success := map[string]float64{}
	for _, f := range families {
		exposed[f.GetName()] = true
		if f.GetName() == "hyperv_replica_collector_success" {
			for _, m := range f.GetMetric() {
				success[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	if exposed["hyperv_replica_partial"] || !exposed["hyperv_replica_whole"] {
		t.Errorf("exposed metrics %v, want those of the collector that did not panic", exposed)
	}
	if success["panicking"] != 0 || success["other"] != 1 {
		t.Errorf("success %v, want that of the other collector", success)
	}
	for _, want := range []string{
		`level=error msg="collector failed" collector=panicking err="panic: boom"`,
		`level=debug msg="recovered from panic" collector=panicking stack="goroutine `,
	} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("log does not contain %s: %s", want, &logs)
		}
	}
	if strings.Contains(logs.String(), "warning before the panic") {
		t.Errorf("log contains the warnings of a collector that panicked: %s", &logs)
	}
}
