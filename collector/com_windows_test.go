package collector_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
)

// Through COM and WMI's scripting objects the exposition is that of the host read
// directly, whatever is wrong with the host.
func TestExpositionOverCOM(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			clock := newClock()
			direct := s.rig(t, clock)
			com := newRigThrough(t, s.at(t, clock), func(host open) open {
				fakewmi.Serve(t, &fakewmi.Host{Open: host})
				return wmiquery.OpenCOM
			})
			for range 2 { // the second has counters to show
				want, got := stable(direct.gather(t, time.Minute)), stable(com.gather(t, time.Minute))
				if got != want {
					t.Errorf("the exposition differs:\n%s", firstDifference(want, got))
				}
				clock.Advance(20 * time.Minute)
			}
		})
	}
}
