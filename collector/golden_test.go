package collector_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery/simulator"
)

var update = flag.Bool("update", false, "write the expected expositions anew")

// scenario is a host to be scraped. To add one is to test all collectors on it.
type scenario struct {
	name   string
	config simulator.Config
	faults []string
}

func scenarios() []scenario {
	all := []scenario{
		{name: "primary-host"},
		{name: "replica-host", config: simulator.Config{Host: "HV02"}},
		{name: "third-site", config: simulator.Config{Host: "HV03"}},
		{name: "healthy", config: simulator.Config{Scenario: "healthy", VMs: 3}},
		{name: "denied", faults: []string{"denied"}},
		{name: "class-missing", config: simulator.Config{VMs: 4}, faults: []string{"class-missing=Msvm_ReplicationSettingData"}},
		{name: "no-relationship-class", config: simulator.Config{VMs: 4}, faults: []string{"class-missing=Msvm_ReplicationRelationship"}},
		{name: "relationship-failing", config: simulator.Config{VMs: 4}, faults: []string{"relationship-failing"}},
		{name: "nulls", config: simulator.Config{VMs: 4}, faults: []string{"nulls"}},
		{name: "unknown-enum", config: simulator.Config{VMs: 4}, faults: []string{"unknown-enum"}},
		{name: "duplicate-names", config: simulator.Config{VMs: 4}, faults: []string{"duplicate-names"}},
		{name: "hostile-names", config: simulator.Config{VMs: 8}, faults: []string{"hostile-names"}},
		{name: "service-error", config: simulator.Config{VMs: 2}, faults: []string{"service-error"}},
		{name: "statistics-job", config: simulator.Config{VMs: 2}, faults: []string{"statistics-job"}},
		{name: "statistics-empty", config: simulator.Config{VMs: 4}, faults: []string{"statistics-empty"}},
	}
	for _, name := range []string{"lagging", "wan-outage", "resync-storm", "failover-drill"} {
		all = append(all, scenario{name: name, config: simulator.Config{Scenario: name, VMs: 8}})
	}
	return all
}

func (s scenario) rig(tb testing.TB, c *clock) *rig {
	tb.Helper()
	return newRig(tb, s.at(tb, c))
}

// at is the host at the clock's time.
func (s scenario) at(tb testing.TB, c *clock) simulator.Config {
	tb.Helper()
	config := s.config
	config.Now, config.Seed = c.Now, 1
	faults, err := simulator.ParseFaults(s.faults)
	if err != nil {
		tb.Fatal(err)
	}
	config.Faults = faults
	return config
}

// host is one that the golden tests scrape.
type host struct {
	name string
	rig  func(tb testing.TB, c *clock) *rig
}

// hosts are the scenarios of the simulated host, and a fabricated one.
func hosts() []host {
	var all []host
	for _, s := range scenarios() {
		all = append(all, host{s.name, s.rig})
	}
	return append(all, host{"edge-cases", func(tb testing.TB, c *clock) *rig {
		tb.Helper()
		return newFabricatedRig(awkwardHost(tb, c))
	}})
}

// Every collector on every host gives the exposition that is expected, and the
// linter has nothing to say. The second of two scrapes, twenty minutes apart, is
// compared, so that the counters have something to show.
func TestGolden(t *testing.T) {
	for _, h := range hosts() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			for _, name := range h.rig(t, clock).scraper.Collectors() {
				t.Run(name, func(t *testing.T) {
					clock := newClock()
					r := h.rig(t, clock)
					r.gather(t, time.Minute, name)
					clock.Advance(20 * time.Minute)
					got := stable(r.gather(t, time.Minute, name))
					lint(t, got)
					compare(t, filepath.Join("testdata", h.name, name+".prom"), got)
				})
			}
		})
	}
}

func lint(t *testing.T, exposition string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(exposition)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("lint: %s: %s", p.Metric, p.Text)
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at the difference after writing it anew with -update:\n%s", file, firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "want " + w[i] + "\ngot  " + g[i]
		}
	}
	return "one is longer"
}

// All hosts together give every metric that is declared: none is dead.
func TestEveryMetricIsGiven(t *testing.T) {
	given := map[string]bool{}
	for _, h := range hosts() {
		for line := range strings.Lines(h.rig(t, newClock()).gather(t, time.Minute)) {
			if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
				given[strings.Fields(name)[0]] = true
			}
		}
	}
	for _, c := range collector.All(collector.Options{}) {
		for _, m := range c.Metrics {
			if !given[m.Name] {
				t.Errorf("no host gives %s of collector %s", m.Name, c.Name)
			}
		}
	}
}
