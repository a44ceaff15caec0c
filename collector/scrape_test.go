package collector_test

import (
	"fmt"
	"maps"
	"regexp"
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

// outcome is what a scrape must look like under a fault.
type outcome struct {
	fault  string
	fails  string // collectors with success 0
	log    string // in the one log line of each of them
	within time.Duration
	// changes are metrics whose values may differ from those without the fault;
	// all others must be the same or absent.
	changes []string
	more    bool // there may be series that there are not without the fault
}

// Every fault: answered before the deadline, no other collector harmed, no
// value that is not true, and one log line however often it is scraped.
func TestFaults(t *testing.T) {
	all := "relationship settings statistics service"
	names := []string{"state", "health", "mode", "last_replication_type", "failover_type", "relationship_info", "server_info", "service_status", "vm_protected"}
	for _, tt := range []outcome{
		{fault: "denied", fails: all, log: "Hyper-V Administrators", changes: []string{"up"}},
		{fault: "class-missing=Msvm_ReplicationSettingData", fails: "settings", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ReplicationRelationship", fails: "relationship settings statistics", log: "not supported by this host", changes: []string{"vm_protected"}},
		{fault: "class-missing=Msvm_ComputerSystem", fails: "relationship settings statistics", log: "not supported by this host", changes: []string{"relationship_info"}},
		{fault: "slow=1s", within: 9 * time.Second},
		{fault: "slow=20s", fails: all, log: "timed out", within: deadline, changes: []string{"up"}},
		{fault: "hung", fails: all, log: "timed out", within: deadline, changes: []string{"up"}},
		{fault: "hung=Msvm_ReplicationSettingData", fails: "settings", log: "timed out", within: 5 * time.Second},
		{fault: "hung=GetReplicationStatisticsEx", fails: "statistics", log: "timed out", within: deadline},
		{fault: "relationship-failing", fails: "statistics", log: "failed (32768)"},
		{fault: "relationship-hung", fails: "statistics", log: "timed out", within: 5 * time.Second},
		{fault: "disconnected", fails: all, log: "connection lost", changes: []string{"up"}},
		// A VM whose state is null or unknown may replicate, so it is asked for
		// statistics; two of these do not, and the host says so.
		{fault: "nulls", fails: "statistics", log: "invalid state", changes: names, more: true},
		{fault: "unknown-enum", fails: "statistics", log: "invalid state", changes: names, more: true},
		{fault: "duplicate-names"},
		{fault: "hostile-names"},
		{fault: "statistics-job", fails: "statistics", log: "job"},
		{fault: "statistics-empty", fails: "statistics", log: "gave no statistics"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testFault(t, tt) })
		})
	}
}

func testFault(t *testing.T, want outcome) {
	config := simulator.Config{Seed: 1, VMs: 6, Now: newClock().Now}
	healthy := series(newRig(t, config).gather(t, deadline))

	faults, err := simulator.ParseFaults([]string{want.fault})
	if err != nil {
		t.Fatal(err)
	}
	config.Faults = faults
	r := newRig(t, config)
	start := time.Now()
	got := series(r.gather(t, deadline))
	if d := time.Since(start); d > want.within {
		t.Errorf("answered after %v, want within %v", d, want.within)
	}
	for _, c := range r.scraper.Collectors() {
		value := "1"
		if strings.Contains(" "+want.fails+" ", " "+c+" ") {
			value = "0"
		}
		if s := got[fmt.Sprintf("hyperv_replica_collector_success{collector=%q}", c)]; s != value {
			t.Errorf("collector %s: success %s, want %s", c, s, value)
		}
	}
	checkTruth(t, healthy, got, want)

	r.gather(t, deadline)
	r.gather(t, deadline)
	lines := map[string]int{}
	for _, line := range r.logs.Take() {
		if _, c, ok := strings.Cut(line, "collector="); ok && strings.Contains(line, "err=") && !strings.Contains(line, "level=debug") {
			lines[strings.Fields(c)[0]]++
			if !strings.Contains(line, want.log) {
				t.Errorf("the log does not say %q: %s", want.log, line)
			}
		}
	}
	expected := map[string]int{}
	for c := range strings.FieldsSeq(want.fails) {
		expected[c] = 1
	}
	if !maps.Equal(lines, expected) {
		t.Errorf("log lines by collector %v, want %v", lines, expected)
	}
	r.world.SetFaults(simulator.Faults{}) // lets hung calls end
	time.Sleep(time.Minute)               // and slow ones, by the bubble's clock
}

// checkTruth checks that each value is that of the host without the fault. VMs
// are told apart by GUID, which no fault changes.
func checkTruth(t *testing.T, healthy, got map[string]string, want outcome) {
	t.Helper()
	may := map[string]bool{"collector_success": true, "collector_duration_seconds": true, "statistics_age_seconds": true, "snapshot_timestamp_seconds": true}
	for _, c := range want.changes {
		may[c] = true
	}
	truth := map[string]string{}
	for s, v := range healthy {
		truth[vmName.ReplaceAllString(s, "")] = v
	}
	for s, v := range got {
		name, _, _ := strings.Cut(strings.TrimPrefix(s, collector.Namespace+"_"), "{")
		real, known := truth[vmName.ReplaceAllString(s, "")]
		if v != real && !may[name] && (known || !want.more) {
			t.Errorf("%s is %s, without the fault %q", s, v, real)
		}
	}
}

// vmName is the label that has a VM's name.
var vmName = regexp.MustCompile(`vm="(?:[^"\\]|\\.)*",`)

// Scrapes that overlap cost the host one read of each class and one call for
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
		if len(calls) != 5 {
			t.Errorf("%d classes were read, want 5: %v", len(calls), calls)
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
