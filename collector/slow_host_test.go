package collector_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery/simulator"
)

// Prometheus with a scrape timeout of 10 seconds gives the exporter this much time.
const shortScrape = 9500 * time.Millisecond

// scrapeEvery scrapes n times at an interval, and calls each with the series of every scrape.
func scrapeEvery(t *testing.T, r *testRig, interval time.Duration, n int, each func(map[string]string)) {
	t.Helper()
	for range n {
		at := time.Now()
		each(parseSeries(r.gather(t, shortScrape)))
		time.Sleep(interval - time.Since(at))
	}
}

func ignore(map[string]string) {}

// oldest returns the age of the oldest response of a collector.
func oldest(t *testing.T, got map[string]string, collector string) time.Duration {
	t.Helper()
	seconds, err := strconv.ParseFloat(got["hyperv_replica_"+snapshotSeries(collector)], 64)
	if err != nil {
		t.Fatalf("snapshot time of %s: %v", collector, err)
	}
	return time.Since(time.Unix(int64(seconds), 0)).Truncate(time.Second)
}

// A host that takes 8 seconds for each answer is up. All values are exposed in every scrape, with an age that does not
// exceed what the host needs for one round of queries. That the responses are late is a failure of the collectors.
func TestSlowHostIsUp(t *testing.T) {
	for _, tt := range []struct {
		interval                 time.Duration
		vms                      int
		relationship, statistics time.Duration // maximum ages
	}{
		{15 * time.Second, 6, 30 * time.Second, 30 * time.Second},
		{25 * time.Second, 6, 20 * time.Second, 20 * time.Second},
		{time.Minute, 6, 40 * time.Second, 40 * time.Second},
		{15 * time.Second, 60, 30 * time.Second, 80 * time.Second},
		{25 * time.Second, 60, 20 * time.Second, 80 * time.Second},
	} {
		t.Run(fmt.Sprintf("%d VMs every %v", tt.vms, tt.interval), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newTestRig(t, simulator.Config{Seed: 1, VMs: tt.vms, Now: time.Now, Faults: parseFaults(t, "slow=8s")})
				scrapeEvery(t, r, tt.interval, 12, ignore)
				scrapeEvery(t, r, tt.interval, 12, func(got map[string]string) {
					if got["hyperv_replica_up"] != "1" || got[successSeries("relationship")] != "0" {
						t.Errorf("up %s, success %s, want 1 and 0",
							got["hyperv_replica_up"], got[successSeries("relationship")])
					}
					if age := oldest(t, got, "relationship"); age > tt.relationship {
						t.Errorf("relationships are %v old, want at most %v", age, tt.relationship)
					}
					ages := valuesOf(got, "statistics_age_seconds", "vm_id")
					if n := len(valuesOf(got, "interval_seconds", "vm_id")); len(ages) != n || n < tt.vms/2 {
						t.Errorf("statistics of %d of %d VMs are exposed", len(ages), n)
					}
					if age := oldest(t, got, "statistics"); age > tt.statistics {
						t.Errorf("statistics are %v old, want at most %v", age, tt.statistics)
					}
				})
				time.Sleep(10 * time.Minute)
			})
		})
	}
}

// A host gets each query once per scrape, whether it is fast or slow. The slow one needs less than 30 seconds for all of
// them. It gets the queries for settings, which change rarely, every 2.5 minutes at most.
func TestSlowHostGetsNoMoreQueries(t *testing.T) {
	settings := []string{
		"Msvm_ReplicationSettingData", "Msvm_ReplicationServiceSettingData", "Msvm_ReplicationAuthorizationSettingData",
		"Msvm_ReplicationProvider", "Msvm_SystemReplicationRelationship", "Msvm_FailoverNetworkAdapterSettingData",
		"Msvm_EthernetPortFailoverSettingDataComponent", "AssociatorsOf",
	}
	for _, tt := range []struct{ fault string }{{"slow=100ms"}, {"slow=8s"}} {
		for _, interval := range []time.Duration{30 * time.Second, time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				r := newTestRig(t, simulator.Config{Seed: 1, VMs: 6, Now: time.Now, Faults: parseFaults(t, tt.fault)})
				scrapeEvery(t, r, interval, 6, ignore)
				r.takeCalls()
				scrapeEvery(t, r, interval, 20, ignore)
				for operation, n := range r.takeCalls() {
					least, most := 19, 21
					if tt.fault == "slow=8s" && slices.Contains(settings, operation) {
						least, most = 3, int(20*interval/(150*time.Second))+1
					}
					if operation != "GetReplicationStatisticsEx" && (n < least || n > most) {
						t.Errorf("%s: %s was read %d times in 20 scrapes every %v", tt.fault, operation, n, interval)
					}
				}
				time.Sleep(10 * time.Minute)
			})
		}
	}
}

// When nobody scrapes any more, a slow host gets each query at most once more.
func TestQueriesEndWithScrapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 6, Now: time.Now, Faults: parseFaults(t, "slow=8s")})
		scrapeEvery(t, r, time.Minute, 10, ignore)
		r.takeCalls()
		time.Sleep(5 * time.Minute)
		for operation, n := range r.takeCalls() {
			if operation != "GetReplicationStatisticsEx" && n > 1 || n > 7 {
				t.Errorf("%s was read %d times after the last scrape, want at most once", operation, n)
			}
		}
		time.Sleep(time.Hour)
		if calls := r.takeCalls(); len(calls) > 0 {
			t.Errorf("calls %v without a scrape", calls)
		}
	})
}

// Scrapes that are further apart than the maximum age of a response do not make the exporter query a slow host between
// them.
func TestNoQueriesBetweenRareScrapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 6, Now: time.Now, Faults: parseFaults(t, "slow=8s")})
		for range 5 {
			parseSeries(r.gather(t, shortScrape))
			time.Sleep(2 * time.Minute)
			r.takeCalls()
			time.Sleep(4 * time.Minute)
			if calls := r.takeCalls(); len(calls) > 0 {
				t.Errorf("calls %v between scrapes every six minutes", calls)
			}
		}
	})
}

// A host that becomes fast again is read in time after two scrapes.
func TestSlowHostThatRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 6, Now: time.Now, Faults: parseFaults(t, "slow=8s")})
		scrapeEvery(t, r, 25*time.Second, 10, ignore)
		r.world.SetFaults(parseFaults(t, "slow=10ms"))
		scrapeEvery(t, r, 25*time.Second, 2, ignore)
		scrapeEvery(t, r, 25*time.Second, 4, func(got map[string]string) {
			for _, c := range []string{"relationship", "settings", "statistics", "service", "certificate"} {
				if got[successSeries(c)] != "1" || oldest(t, got, c) != 0 {
					t.Errorf("collector %s: success %s, age %v, want 1 and 0", c, got[successSeries(c)], oldest(t, got, c))
				}
			}
		})
	})
}
