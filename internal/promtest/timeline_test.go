package promtest_test

import (
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/internal/promtest"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// A timeline of twelve hours, in which a class hangs for six, runs on the fake clock. Each scrape returns the values of
// its own time.
func TestTimelineScrapesHostsOnFakeClock(t *testing.T) {
	const (
		hangs = 6 * time.Hour // how long the class hangs
		step  = 30 * time.Minute
		down  = time.Hour // when the exporter of HV02 is down
	)
	start := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	scrapes, downScrapes := map[string]int{}, 0
	promtest.RunTimeline(t, promtest.Timeline{
		Config: simulator.Config{Seed: 1, VMs: 3},
		Faults: []string{"hung=Msvm_ReplicationSettingData"},
		Hosts:  []string{"HV01", "HV02"}, Start: start, Step: step, Length: 12 * time.Hour,
		BeforeScrape: func(w *simulator.World, elapsed time.Duration) {
			if elapsed == hangs {
				w.SetFaults(simulator.Faults{})
			}
		},
		IsDown: func(host string, elapsed time.Duration) bool { return host == "HV02" && elapsed == down },
	}, func(host string, at time.Time, families []*dto.MetricFamily) {
		if families == nil {
			downScrapes++
			return
		}
		scrapes[host]++
		hasLag := false
		for _, f := range families {
			if f.GetName() == "hyperv_replica_lag_seconds" {
				hasLag = true
			}
			if f.GetName() == "hyperv_replica_interval_seconds" && at.Sub(start) < hangs {
				t.Errorf("%s at %v has settings, although the class hangs", host, at)
			}
			if f.GetName() != "hyperv_replica_snapshot_timestamp_seconds" {
				continue
			}
			for _, m := range f.Metric {
				age := float64(at.UnixNano())/1e9 - m.GetGauge().GetValue()
				if age > 1 && at.Sub(start) >= hangs {
					t.Errorf("%s at %v has a snapshot that is %v s old, want at most 1 s", host, at, age)
				}
			}
		}
		if !hasLag {
			t.Errorf("%s at %v has no lag", host, at)
		}
	})
	if scrapes["HV01"] != 25 || scrapes["HV02"] != 24 || downScrapes != 1 {
		t.Errorf("scrapes %v and %d of an exporter that is down, want 25, 24 and 1", scrapes, downScrapes)
	}
}
