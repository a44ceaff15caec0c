package collector_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
)

// The exposition of a host that is read through COM is the same as that of the simulated
// host itself, for all scenarios.
func TestExpositionOverCOM(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			clock := newFakeClock()
			direct := s.rig(t, clock)
			com := newTestRigWith(t, s.simulatorConfig(t, clock), func(host opener) opener {
				fakewmi.Serve(t, &fakewmi.Host{Open: host})
				return wmiquery.OpenCOM
			})
			for range 2 { // counters have increased in the second scrape
				want, got := withoutDurations(direct.gather(t, time.Minute)), withoutDurations(com.gather(t, time.Minute))
				if got != want {
					t.Errorf("exposition differs:\n%s", firstDifference(want, got))
				}
				clock.Advance(20 * time.Minute)
			}
		})
	}
}
