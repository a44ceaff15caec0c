package collector_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// scrapeTimeout is the timeout of the scrapes in tests.
const scrapeTimeout = 9500 * time.Millisecond

// Q64: overlapping scrapes together read each class once, call the statistics method once for each relationship that
// replicates, and read the failover settings once for each network adapter.
func TestScrapesShareReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := parseFaults(t, "slow=10ms")
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 40, Now: newFakeClock().Now, Faults: faults})
		var wg sync.WaitGroup
		results := make([]string, 5)
		for i := range results {
			wg.Go(func() { results[i] = withoutDurations(r.gather(t, scrapeTimeout)) })
		}
		wg.Wait()
		calls := r.takeCalls()
		replicating := strings.Count(results[0], "hyperv_replica_statistics_age_seconds{")
		if replicating < 20 || calls["GetReplicationStatisticsEx"] != replicating {
			t.Errorf("%d calls for %d replicating relationships", calls["GetReplicationStatisticsEx"], replicating)
		}
		if adapters := countAdapters(t, parseSeries(results[0])); adapters < 5 || calls["AssociatorsOf"] != adapters {
			t.Errorf("%d queries for %d network adapters", calls["AssociatorsOf"], adapters)
		}
		delete(calls, "GetReplicationStatisticsEx")
		calls["AssociatorsOf"] = 1
		if want := declaredSources(r.scraper.Collectors()); !slices.Equal(slices.Sorted(maps.Keys(calls)), want) {
			t.Errorf("operations %v, want %v", calls, want)
		}
		for class, n := range calls {
			if n != 1 {
				t.Errorf("%s was read %d times", class, n)
			}
		}
		for i := range results {
			if results[i] != results[0] {
				t.Errorf("scrape %d differs from scrape 0: %s", i, firstDifference(results[0], results[i]))
			}
		}
		r.gather(t, scrapeTimeout)
		if again := r.takeCalls(); again["Msvm_ReplicationRelationship"] != 1 {
			t.Errorf("next scrape read the relationships %d times, want 1", again["Msvm_ReplicationRelationship"])
		}
	})
}

// A scrape shares the responses of the scrape in progress that began first, also after another one
// that shared them has ended. When the first one has ended, the next scrape reads the host again.
func TestSharedReadsEndWithFirstScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := sessionHooks{read: func(s wmiquery.Session, dst any) error {
			if className(dst) == "Msvm_ReplicationAuthorizationSettingData" {
				time.Sleep(3 * time.Second)
			}
			return s.Read(dst)
		}}
		r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 1, Now: newFakeClock().Now}, hooks.wrap)
		var wg sync.WaitGroup
		wg.Go(func() { r.gather(t, scrapeTimeout, "authorization") })
		for i, want := range []int{1, 1, 1, 2} {
			time.Sleep(900 * time.Millisecond)
			r.gather(t, scrapeTimeout, "service")
			if n := r.countCalls("Msvm_ReplicationService"); n != want {
				t.Errorf("service was read %d times after scrape %d, want %d", n, i, want)
			}
		}
		wg.Wait()
	})
}

// declaredSources returns the classes and methods that the collectors declare, except the
// statistics method, which is called once for each relationship.
func declaredSources(collectors []string) []string {
	var all []string
	for _, c := range collector.All(collector.Options{}) {
		for _, s := range c.Reads {
			if slices.Contains(collectors, c.Name) && s.Method != "GetReplicationStatisticsEx" {
				all = append(all, cmp.Or(s.Method, s.Name))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Each collector reads the sources that it declares. It may also read the replication
// service, to distinguish a host without instances from one without permission.
func TestCollectorsReadTheirDeclaredSources(t *testing.T) {
	r := newTestRig(t, simulator.Config{Seed: 1, Now: newFakeClock().Now, Scenario: "mixed"})
	for _, c := range r.scraper.Collectors() {
		r.gather(t, scrapeTimeout, c)
		calls := r.takeCalls()
		delete(calls, "GetReplicationStatisticsEx")
		want := declaredSources([]string{c})
		if !slices.Contains(want, "Msvm_ReplicationService") {
			delete(calls, "Msvm_ReplicationService")
		}
		if got := slices.Sorted(maps.Keys(calls)); !slices.Equal(got, want) {
			t.Errorf("collector %s reads %v, declares %v", c, got, want)
		}
	}
}

// A response that arrives after its scrape has ended is exposed by the next scrape.
func TestLateResponseIsExposedByNextScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := parseFaults(t, "slow=4s")
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 2, Now: newFakeClock().Now, Faults: faults})
		if got := parseSeries(r.gather(t, 3*time.Second, "relationship")); hasMetric(got, "lag_seconds") {
			t.Error("lag is exposed before the host has responded")
		}
		time.Sleep(10 * time.Second)
		got := parseSeries(r.gather(t, 3*time.Second, "relationship"))
		if !hasMetric(got, "lag_seconds") {
			t.Error("late response is not exposed")
		}
		if got[`hyperv_replica_collector_success{collector="relationship"}`] != "0" {
			t.Error("success with a response to an earlier scrape")
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
	})
}

// While the host does not respond, the last good response is exposed with its age, but not
// longer than MaxAge.
func TestLastGoodResponseIsExposedUntilMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 2, Now: time.Now})
		before := parseSeries(r.gather(t, scrapeTimeout))
		for _, metric := range []string{
			"lag_seconds", "window_successful_cycles", "snapshot_timestamp_seconds", "statistics_age_seconds",
		} {
			if !hasMetric(before, metric) {
				t.Errorf("%s is not exposed", metric)
			}
		}
		r.world.SetFaults(parseFaults(t, "hung"))
		time.Sleep(2 * time.Minute)
		got := parseSeries(r.gather(t, scrapeTimeout))
		for s, v := range before {
			if strings.HasPrefix(s, "hyperv_replica_lag_seconds{") ||
				strings.HasPrefix(s, "hyperv_replica_window_successful_cycles{") {
				if got[s] != v {
					t.Errorf("%s = %q, want the last good value %s", s, got[s], v)
				}
			}
			if strings.HasPrefix(s, "hyperv_replica_snapshot_timestamp_seconds{") && got[s] != v {
				t.Errorf("%s changed from %s to %s without a response", s, v, got[s])
			}
			if strings.HasPrefix(s, "hyperv_replica_statistics_age_seconds{") && got[s] != "129.5" {
				t.Errorf("%s = %q at the end of a scrape two minutes after the last response, want 129.5", s, got[s])
			}
		}
		if got["hyperv_replica_up"] != "1" || got[successSeries("relationship")] != "0" {
			t.Errorf("up %q, success %q while the response may be late, want 1 and 0",
				got["hyperv_replica_up"], got[successSeries("relationship")])
		}
		time.Sleep(4 * time.Minute)
		got = parseSeries(r.gather(t, scrapeTimeout))
		if got["hyperv_replica_up"] != "0" {
			t.Errorf("up = %q after the host has not responded for longer than MaxAge", got["hyperv_replica_up"])
		}
		if hasMetric(got, "lag_seconds") || hasMetric(got, "window_successful_cycles") {
			t.Error("responses older than MaxAge are exposed")
		}
		if !hasMetric(got, "snapshot_timestamp_seconds") {
			t.Error("time of the last response is not exposed")
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
		got = parseSeries(r.gather(t, scrapeTimeout))
		if got["hyperv_replica_up"] != "1" || got[`hyperv_replica_collector_success{collector="statistics"}`] != "1" {
			t.Error("no success after the host has recovered")
		}
	})
}

// The call timeout of a query starts when the host receives it. So all classes of a slow
// host can be read, although this takes longer than the timeout in total.
func TestCallTimeoutStartsWhenHostReceivesQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := parseFaults(t, "slow=3s")
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 2, Now: newFakeClock().Now, Faults: faults})
		names := slices.DeleteFunc(r.scraper.Collectors(), func(name string) bool { return name == "statistics" })
		start := time.Now()
		for s, v := range parseSeries(r.gather(t, time.Minute, names...)) {
			if strings.HasPrefix(s, "hyperv_replica_collector_success{") && v != "1" {
				t.Errorf("%s = %s", s, v)
			}
		}
		if d := time.Since(start); d <= 5*time.Second {
			t.Errorf("scrape took %v, want more than the call timeout", d)
		}
	})
}

// Classes are read in the order of the collectors, so that a slow host returns state and
// health before certificates.
func TestClassesAreReadInCollectorOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := parseFaults(t, "slow=1s")
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 1, Now: newFakeClock().Now, Faults: faults})
		r.gather(t, scrapeTimeout)
		var want []string
		for _, c := range collector.All(collector.Options{}) {
			for _, s := range c.Reads {
				if s.Method == "" && !slices.Contains(want, s.Name) {
					want = append(want, s.Name)
				}
			}
		}
		got := slices.DeleteFunc(slices.Clone(r.order), func(operation string) bool {
			return strings.HasPrefix(operation, "Get")
		})
		for i := 0; i < len(want); i += 4 { // the workers run this many queries concurrently
			some := slices.Sorted(slices.Values(got[i:min(i+4, len(got))]))
			if !slices.Equal(some, slices.Sorted(slices.Values(want[i:min(i+4, len(want))]))) {
				t.Fatalf("order %v, want %v", got, want)
			}
		}
	})
}

// A call that hangs blocks one worker, not another one in each scrape, and delays one
// scrape only.
func TestHungRelationshipBlocksOneWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := parseFaults(t, "relationship-hung")
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 6, Now: newFakeClock().Now, Faults: faults})
		for i := range 6 {
			start := time.Now()
			r.gather(t, scrapeTimeout)
			want := time.Duration(0)
			if i == 0 {
				want = 5 * time.Second
			}
			if d := time.Since(start); d != want {
				t.Errorf("scrape %d took %v, want %v", i, d, want)
			}
		}
		if s := r.pool.Stats(); s.Stuck != 1 || s.Restarts != 1 {
			t.Errorf("%+v, want one stuck worker that was replaced", s)
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
	})
}

// On a host that is too slow to read all statistics in one scrape, the relationships are
// read in turn.
func TestSlowHostReadsRelationshipsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := parseFaults(t, "slow=1s")
		// All statistics need about two scrapes: four calls run concurrently, each takes 1 s, and
		// the classes need 2 s.
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 60, Now: time.Now, Faults: faults, Scenario: "healthy"})
		exposed := 0
		for range 4 {
			got := parseSeries(r.gather(t, scrapeTimeout, "statistics"))
			n := 0
			for s := range got {
				if strings.HasPrefix(s, "hyperv_replica_window_successful_cycles{") {
					n++
				}
			}
			if n < exposed {
				t.Errorf("%d relationships exposed, %d in the scrape before", n, exposed)
			}
			exposed = n
			time.Sleep(5 * time.Second)
		}
		all := strings.Count(r.gather(t, scrapeTimeout, "relationship"), "hyperv_replica_lag_seconds{")
		if exposed < all || all < 40 {
			t.Errorf("%d of %d relationships exposed after four scrapes", exposed, all)
		}
	})
}

func TestSelectUnknownCollector(t *testing.T) {
	r := newTestRig(t, simulator.Config{Seed: 1, VMs: 1, Now: newFakeClock().Now})
	_, err := r.scraper.Select(t.Context(), "service", "nonsense")
	if err == nil || !strings.Contains(err.Error(), "nonsense") ||
		!strings.Contains(err.Error(), "relationship, settings") {
		t.Errorf("error %v, want one that names the unknown collector and the enabled ones", err)
	}
	got := r.gather(t, scrapeTimeout, "service", "service")
	if strings.Contains(got, "vm_id") || !strings.Contains(got, "hyperv_replica_up 1") {
		t.Errorf("collector service selected twice: %s", got)
	}
}

// Only enabled collectors are scraped, and only they can be selected.
func TestDisabledCollectorIsNotScraped(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	options := collector.Options{Reader: h, Logger: newLogger(r.logs), CallTimeout: time.Second}
	r.scraper = collector.NewScraper(options, func(name string) bool { return name == "service" || name == "settings" })
	if names := r.scraper.Collectors(); !slices.Equal(names, []string{"settings", "service"}) {
		t.Errorf("enabled collectors %v, want settings and service", names)
	}
	got := valuesOf(parseSeries(r.gather(t, scrapeTimeout)), "collector_success", "collector")
	if want := map[string]string{"settings": "1", "service": "1"}; !maps.Equal(got, want) {
		t.Errorf("collectors %v, want %v", got, want)
	}
	if _, err := r.scraper.Select(t.Context(), "perf"); err == nil {
		t.Error("a disabled collector is selected")
	}
}

// The duration of a collector is in seconds. Collectors run at the same time, so one that is slow does
// not delay others.
func TestCollectorDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{
			Seed: 1, VMs: 1, Now: newFakeClock().Now,
			Faults: parseFaults(t, "hung=Msvm_ReplicationAuthorizationSettingData"),
		})
		got := valuesOf(parseSeries(r.gather(t, scrapeTimeout)), "collector_duration_seconds", "collector")
		for name, duration := range got {
			want := "0"
			if name == "authorization" {
				want = "5"
			}
			if duration != want {
				t.Errorf("collector %s took %s seconds, want %s", name, duration, want)
			}
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
	})
}
