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

var update = flag.Bool("update", false, "overwrite the expected expositions and the generated documentation")

// scenario is a simulated host on which all collectors are tested.
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

func (s scenario) rig(tb testing.TB, c *fakeClock) *testRig {
	tb.Helper()
	return newTestRig(tb, s.simulatorConfig(tb, c))
}

// simulatorConfig returns the configuration of the simulated host with clock c.
func (s scenario) simulatorConfig(tb testing.TB, c *fakeClock) simulator.Config {
	tb.Helper()
	config := s.config
	config.Now, config.Seed = c.Now, 1
	config.Faults = parseFaults(tb, s.faults...)
	return config
}

// goldenHost is a host that the golden tests scrape.
type goldenHost struct {
	name string
	rig  func(tb testing.TB, c *fakeClock) *testRig
}

// goldenHosts returns the scenarios of the simulated host, and a fake host with edge cases.
func goldenHosts() []goldenHost {
	var all []goldenHost
	for _, s := range scenarios() {
		all = append(all, goldenHost{s.name, s.rig})
	}
	return append(all, goldenHost{"edge-cases", func(tb testing.TB, c *fakeClock) *testRig {
		tb.Helper()
		return newFakeHostRig(edgeCaseHost(tb, c))
	}})
}

// On every host every collector returns the expected exposition, without problems for the
// linter. The test compares the second of two scrapes, twenty minutes apart, so that
// counters have increased.
func TestGolden(t *testing.T) {
	for _, h := range goldenHosts() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			clock := newFakeClock()
			for _, name := range h.rig(t, clock).scraper.Collectors() {
				t.Run(name, func(t *testing.T) {
					clock := newFakeClock()
					r := h.rig(t, clock)
					r.gather(t, time.Minute, name)
					clock.Advance(20 * time.Minute)
					got := withoutDurations(r.gather(t, time.Minute, name))
					lint(t, got)
					compareGolden(t, filepath.Join("testdata", h.name, name+".prom"), got)
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

func compareGolden(t *testing.T, file, got string) {
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
		t.Errorf("%s differs (run with -update to overwrite it):\n%s", file, firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "want " + w[i] + "\ngot  " + g[i]
		}
	}
	return "one is a prefix of the other"
}

// Every declared metric is exposed by at least one host.
func TestEveryMetricIsExposed(t *testing.T) {
	exposed := map[string]bool{}
	for _, h := range goldenHosts() {
		for line := range strings.Lines(h.rig(t, newFakeClock()).gather(t, time.Minute)) {
			if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
				exposed[strings.Fields(name)[0]] = true
			}
		}
	}
	for _, c := range collector.All(collector.Options{}) {
		for _, m := range c.Metrics {
			if !exposed[m.Name] {
				t.Errorf("%s of collector %s: not exposed by any host", m.Name, c.Name)
			}
		}
	}
}
