package collector_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// A client whose scrape has less time than one call may take does not make a collector fail: its scrape exposes what is
// there, and the log does not change.
func TestScrapesWithShortTimeoutsAreNotLogged(t *testing.T) {
	for _, short := range []time.Duration{time.Millisecond, 4900 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			r := newTestRig(t, simulator.Config{
				Seed: 1, VMs: 60, Scenario: "healthy", Now: time.Now, Faults: parseFaults(t, "slow=400ms"),
			})
			r.gather(t, shortScrape)
			r.logs.TakeLines()
			for range 20 {
				got := parseSeries(r.gather(t, short))
				if got[successSeries("statistics")] != "0" || got["hyperv_replica_up"] != "1" || !hasMetric(got, "lag_seconds") {
					t.Errorf("success %s, up %s in a short scrape, want 0 and 1, with the last lags",
						got[successSeries("statistics")], got["hyperv_replica_up"])
				}
				time.Sleep(15 * time.Second)
				if got := parseSeries(r.gather(t, shortScrape)); got[successSeries("statistics")] != "1" {
					t.Error("a scrape with enough time fails")
				}
				time.Sleep(15 * time.Second)
			}
			lines := slices.DeleteFunc(r.logs.TakeLines(), func(l string) bool {
				return strings.Contains(l, "level=debug")
			})
			if len(lines) > 0 {
				t.Errorf("%d log lines in 20 pairs of scrapes, one of them of %v, the first is %s",
					len(lines), short, lines[0])
			}
		})
	}
}

// A host that fails and recovers again and again does not fill the log.
func TestFlappingHostDoesNotFillLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHostWithVM(newFakeClock())
		r := newFakeHostRig(h)
		for range 200 {
			h.setError("Msvm_ReplicationRelationship", wmiquery.ErrInvalidState)
			r.gather(t, scrapeTimeout, "relationship")
			h.setError("Msvm_ReplicationRelationship", nil)
			r.gather(t, scrapeTimeout, "relationship")
		}
		if lines := takeMessages(r); len(lines) != 100 {
			t.Errorf("%d log lines, want 100", len(lines))
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		checkMessages(t, "ten minutes later", r, "warn similar messages suppressed")
	})
}

// A host that hangs is logged, although each scrape has less time than one call may take.
func TestHungHostIsLoggedInShortScrapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 1, Now: time.Now, Faults: parseFaults(t, "hung")})
		for range 3 {
			r.gather(t, 3*time.Second, "relationship")
			time.Sleep(12 * time.Second)
		}
		checkMessages(t, "three scrapes", r, "error collector failed")
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
	})
}
