package promtest_test

import (
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/internal/promtest"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Twelve hours, during which a host does not answer in time, pass quickly: all waiting is by the clock that is moved,
// and each scrape has the values of its time.
func TestPlay(t *testing.T) {
	scrapes, down := map[string]int{}, 0
	start := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	promtest.Play(t, promtest.Timeline{
		World:  simulator.Config{Seed: 1, VMs: 3},
		Faults: []string{"hung=Msvm_ReplicationSettingData"},
		Hosts:  []string{"HV01", "HV02"}, Start: start, Step: 30 * time.Minute, Length: 12 * time.Hour,
		Before: func(w *simulator.World, since time.Duration) {
			if since == 6*time.Hour {
				w.SetFaults(simulator.Faults{})
			}
		},
		Down: func(host string, since time.Duration) bool { return host == "HV02" && since == time.Hour },
	}, func(host string, at time.Time, families []*dto.MetricFamily) {
		if families == nil {
			down++
			return
		}
		scrapes[host]++
		hasLag := false
		for _, f := range families {
			if f.GetName() == "hyperv_replica_lag_seconds" {
				hasLag = true
			}
			if f.GetName() == "hyperv_replica_interval_seconds" && at.Sub(start) < 6*time.Hour {
				t.Errorf("%s at %v has settings, but reading them hangs", host, at)
			}
			if f.GetName() != "hyperv_replica_snapshot_timestamp_seconds" {
				continue
			}
			for _, m := range f.Metric {
				age := float64(at.UnixNano())/1e9 - m.GetGauge().GetValue()
				if age > 1 && at.Sub(start) >= 6*time.Hour {
					t.Errorf("%s at %v has values that are %v s old", host, at, age)
				}
			}
		}
		if !hasLag {
			t.Errorf("%s at %v has no lag", host, at)
		}
	})
	if scrapes["HV01"] != 25 || scrapes["HV02"] != 24 || down != 1 {
		t.Errorf("scrapes %v and %d of a host that is down; want 25, 24 and 1", scrapes, down)
	}
}
