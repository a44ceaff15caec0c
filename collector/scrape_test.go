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
	"hyperv_replica_exporter/wmiquery/simulator"
)

// deadline is the time that the tests' scrapes have.
const deadline = 9500 * time.Millisecond

// Q64: scrapes that overlap cost the host one read of each class and one call for
// each relationship that replicates, together.
func TestScrapesShareReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults, err := simulator.ParseFaults([]string{"slow=10ms"})
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, simulator.Config{Seed: 1, VMs: 40, Now: newClock().Now, Faults: faults})
		var wg sync.WaitGroup
		results := make([]string, 5)
		for i := range results {
			wg.Go(func() { results[i] = stable(r.gather(t, deadline)) })
		}
		wg.Wait()
		calls := r.takeCalls()
		replicating := strings.Count(results[0], "hyperv_replica_statistics_age_seconds{")
		if replicating < 20 || calls["GetReplicationStatisticsEx"] != replicating {
			t.Errorf("%d calls for %d relationships that replicate", calls["GetReplicationStatisticsEx"], replicating)
		}
		delete(calls, "GetReplicationStatisticsEx")
		if want := sources(r.scraper.Collectors()); !slices.Equal(slices.Sorted(maps.Keys(calls)), want) {
			t.Errorf("asked for %v, want %v", calls, want)
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
		r.gather(t, deadline)
		if again := r.takeCalls(); again["Msvm_ReplicationRelationship"] != 1 {
			t.Errorf("the next scrape read the relationships %d times, want once", again["Msvm_ReplicationRelationship"])
		}
	})
}

// sources are the classes and methods that collectors say they read, but for the
// statistics, which are one call for each relationship.
func sources(collectors []string) []string {
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

// Each collector reads what it says it reads, and beside it the replication
// service, which tells a host that has nothing from one that shows nothing.
func TestCollectorsReadWhatTheySay(t *testing.T) {
	r := newRig(t, simulator.Config{Seed: 1, Now: newClock().Now, Scenario: "mixed"})
	for _, c := range r.scraper.Collectors() {
		r.gather(t, deadline, c)
		calls := r.takeCalls()
		delete(calls, "GetReplicationStatisticsEx")
		want := sources([]string{c})
		if !slices.Contains(want, "Msvm_ReplicationService") {
			delete(calls, "Msvm_ReplicationService")
		}
		if got := slices.Sorted(maps.Keys(calls)); !slices.Equal(got, want) {
			t.Errorf("collector %s asked for %v, says %v", c, got, want)
		}
	}
}

// An answer that comes after its scrape has ended is there for the next one.
func TestLateAnswersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults, err := simulator.ParseFaults([]string{"slow=4s"})
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, simulator.Config{Seed: 1, VMs: 2, Now: newClock().Now, Faults: faults})
		if got := series(r.gather(t, 3*time.Second, "relationship")); hasMetric(got, "lag_seconds") {
			t.Error("there is a lag before the host has answered")
		}
		time.Sleep(10 * time.Second) // of the bubble's clock
		got := series(r.gather(t, 3*time.Second, "relationship"))
		if !hasMetric(got, "lag_seconds") {
			t.Error("the late answer is not shown")
		}
		if got[`hyperv_replica_collector_success{collector="relationship"}`] != "0" {
			t.Error("an old answer counts as success")
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
	})
}

// The last good answer is shown while the host does not answer, with its age,
// and no longer than MaxAge.
func TestLastGoodAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, simulator.Config{Seed: 1, VMs: 2, Now: time.Now})
		before := series(r.gather(t, deadline))
		hung, err := simulator.ParseFaults([]string{"hung"})
		if err != nil {
			t.Fatal(err)
		}
		r.world.SetFaults(hung)
		time.Sleep(2 * time.Minute)
		got := series(r.gather(t, deadline))
		for s, v := range before {
			if strings.HasPrefix(s, "hyperv_replica_lag_seconds{") || strings.HasPrefix(s, "hyperv_replica_window_successful_cycles{") {
				if got[s] != v {
					t.Errorf("%s is %q, want the last good %s", s, got[s], v)
				}
			}
			if strings.HasPrefix(s, "hyperv_replica_snapshot_timestamp_seconds{") && got[s] != v {
				t.Errorf("%s moved from %s to %s without an answer", s, v, got[s])
			}
			if strings.HasPrefix(s, "hyperv_replica_statistics_age_seconds{") && !strings.HasPrefix(got[s], "12") {
				t.Errorf("%s is %q two minutes after the last answer", s, got[s])
			}
		}
		if got["hyperv_replica_up"] != "0" {
			t.Errorf("up is %q while the host does not answer", got["hyperv_replica_up"])
		}
		time.Sleep(4 * time.Minute)
		if got := series(r.gather(t, deadline)); hasMetric(got, "lag_seconds") || hasMetric(got, "window_successful_cycles") {
			t.Error("answers older than MaxAge are shown")
		} else if !hasMetric(got, "statistics_age_seconds") && !hasMetric(got, "snapshot_timestamp_seconds") {
			t.Error("nothing says how old the last answer is")
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
		got = series(r.gather(t, deadline))
		if got["hyperv_replica_up"] != "1" || got[`hyperv_replica_collector_success{collector="statistics"}`] != "1" {
			t.Error("the exporter does not recover with the host")
		}
	})
}

// On a host that is so slow that its classes cannot all be read within the time
// for one answer, each has that time from when its turn comes.
func TestReadsHaveTheirTimeFromTheirTurnOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults, err := simulator.ParseFaults([]string{"slow=3s"})
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, simulator.Config{Seed: 1, VMs: 2, Now: newClock().Now, Faults: faults})
		names := slices.DeleteFunc(r.scraper.Collectors(), func(name string) bool { return name == "statistics" })
		start := time.Now()
		for s, v := range series(r.gather(t, time.Minute, names...)) {
			if strings.HasPrefix(s, "hyperv_replica_collector_success{") && v != "1" {
				t.Errorf("%s is %s", s, v)
			}
		}
		if d := time.Since(start); d <= 5*time.Second {
			t.Errorf("all was read in %v: this tests nothing", d)
		}
	})
}

// A busy host gets the questions in the order of the collectors: state and health
// are there before the certificates.
func TestWhatMattersIsReadFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults, err := simulator.ParseFaults([]string{"slow=1s"})
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, simulator.Config{Seed: 1, VMs: 1, Now: newClock().Now, Faults: faults})
		r.gather(t, deadline)
		var want []string
		for _, c := range collector.All(collector.Options{}) {
			for _, s := range c.Reads {
				if s.Method == "" && !slices.Contains(want, s.Name) {
					want = append(want, s.Name)
				}
			}
		}
		got := slices.DeleteFunc(slices.Clone(r.order), func(operation string) bool { return strings.HasPrefix(operation, "Get") })
		for i := 0; i < len(want); i += 4 { // as many as there are workers are asked at once
			some := slices.Sorted(slices.Values(got[i:min(i+4, len(got))]))
			if !slices.Equal(some, slices.Sorted(slices.Values(want[i:min(i+4, len(want))]))) {
				t.Fatalf("asked in the order %v, want %v", got, want)
			}
		}
	})
}

// A relationship that hangs keeps one worker, not one more with each scrape, and
// costs its waiting time once.
func TestHungRelationshipCostsOneWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults, err := simulator.ParseFaults([]string{"relationship-hung"})
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, simulator.Config{Seed: 1, VMs: 6, Now: newClock().Now, Faults: faults})
		for i := range 6 {
			start := time.Now()
			r.gather(t, deadline)
			want := time.Duration(0)
			if i == 0 {
				want = 5 * time.Second
			}
			if d := time.Since(start); d != want {
				t.Errorf("scrape %d took %v, want %v", i, d, want)
			}
		}
		if s := r.pool.Stats(); s.Stuck != 1 || s.Restarts != 1 {
			t.Errorf("%+v, want one stuck worker, replaced", s)
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
	})
}

// On a host that is too slow for one scrape, all relationships have their turn.
func TestSlowHostServesAllInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults, err := simulator.ParseFaults([]string{"slow=1s"})
		if err != nil {
			t.Fatal(err)
		}
		// Two scrapes' worth: 4 at once, 1 s each, 2 s for the classes.
		r := newRig(t, simulator.Config{Seed: 1, VMs: 60, Now: time.Now, Faults: faults, Scenario: "healthy"})
		shown := 0
		for range 4 {
			got := series(r.gather(t, deadline, "statistics"))
			n := 0
			for s := range got {
				if strings.HasPrefix(s, "hyperv_replica_window_successful_cycles{") {
					n++
				}
			}
			if n < shown {
				t.Errorf("%d relationships are shown, %d were before", n, shown)
			}
			shown = n
			time.Sleep(5 * time.Second)
		}
		all := strings.Count(r.gather(t, deadline, "relationship"), "hyperv_replica_lag_seconds{")
		if shown < all || all < 40 {
			t.Errorf("after four scrapes %d of %d relationships are shown", shown, all)
		}
	})
}

func TestSelectUnknownCollector(t *testing.T) {
	r := newRig(t, simulator.Config{Seed: 1, VMs: 1, Now: newClock().Now})
	if _, err := r.scraper.Select(t.Context(), "service", "nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense") || !strings.Contains(err.Error(), "relationship, settings") {
		t.Errorf("error %v, want one that names the unknown and the known", err)
	}
	if got := r.gather(t, deadline, "service", "service"); strings.Contains(got, "vm_id") || !strings.Contains(got, "hyperv_replica_up 1") {
		t.Errorf("service alone, asked for twice: %s", got)
	}
}

func hasMetric(got map[string]string, name string) bool {
	for s := range got {
		if strings.HasPrefix(s, collector.Namespace+"_"+name+"{") {
			return true
		}
	}
	return false
}
