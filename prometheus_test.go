//go:build prometheus

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// These tests need the real prometheus and promtool, in the folder that TOOLS
// names: `make prometheus` sees to that.

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(os.Getenv("TOOLS"), name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("run these tests with `make prometheus`: %v", err)
	}
	return path
}

// promtool has nothing to say about what the exporter gives.
func TestPromtoolCheckMetrics(t *testing.T) {
	runs := [][]string{{"--simulator.host=HV02"}, {"--simulator.fault=denied"}, {"--simulator.fault=hostile-names"}, {"--source=replay:wmiquery/replay/testdata/sample"}}
	for _, name := range simulator.Scenarios() {
		runs = append(runs, []string{"--simulator.scenario=" + name})
	}
	for _, args := range runs {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			p := start(t, append(args, "--collector.perf")...)
			_, body := get(t, http.DefaultClient, p.url)
			cmd := exec.CommandContext(t.Context(), tool(t, "promtool"), "check", "metrics")
			cmd.Stdin = strings.NewReader(body)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("promtool check metrics: %v\n%s", err, out)
			}
		})
	}
}

// testWorld is a simulated host whose clock stands still between scrapes, and
// moves by step with each: what a scrape shows is known exactly.
type testWorld struct {
	*simulator.World
	mu  sync.Mutex
	now time.Time
}

func (w *testWorld) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *testWorld) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// A real Prometheus scrapes the exporter while the simulated host goes through
// the end of a monitoring window.
func TestPrometheus(t *testing.T) {
	// The window ends at 21:00; two minutes pass with each scrape.
	const step = 2 * time.Minute
	w := &testWorld{now: time.Date(2026, 11, 22, 20, 40, 0, 0, time.UTC)}
	var err error
	if w.World, err = simulator.New(simulator.Config{Seed: 1, VMs: 10, Scenario: "healthy", Now: w.Now}); err != nil {
		t.Fatal(err)
	}
	pool := wmiquery.NewPool(wmiquery.PoolOptions{Open: w.Open, Now: w.Now, Workers: 4, StuckAfter: 5 * time.Second, MaxStuck: 4})
	t.Cleanup(pool.Close)
	scraper := collector.NewScraper(collector.Options{
		Reader: pool, Logger: log.NewNopLogger(), Concurrency: 4, CallTimeout: 5 * time.Second, MaxAge: time.Hour,
	}, func(string) bool { return true })
	metrics := newMetricsHandler(&config{scrapeTimeout: time.Second, maxRequests: 4}, &source{name: "simulator", pool: pool}, scraper, log.NewNopLogger())
	const scrapes = 20
	var count atomic.Int32
	enough := make(chan struct{})
	exporter := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		metrics.ServeHTTP(rw, r)
		w.Advance(step)
		if count.Add(1) == scrapes {
			close(enough)
		}
	}))
	t.Cleanup(exporter.Close)

	api := startPrometheus(t, exporter.Listener.Addr().String())
	select {
	case <-enough:
	case <-time.After(time.Minute):
		t.Fatalf("%d scrapes in a minute, want %d", count.Load(), scrapes)
	}
	api.await(t, fmt.Sprintf(`count_over_time(hyperv_replica_up[1m]) >= %d`, scrapes))
	checkPrometheus(t, api, w)
}

func checkPrometheus(t *testing.T, api *promAPI, w *testWorld) {
	t.Helper()
	for _, tt := range []struct {
		query string
		want  string // "none", "some" or the value of every series
	}{
		{`min_over_time(up[1m])`, "1"},
		{`min_over_time(hyperv_replica_up[1m])`, "1"},
		{`min_over_time(hyperv_replica_collector_success[1m])`, "1"},
		{`scrape_samples_scraped - scrape_samples_post_metric_relabeling != 0`, "none"},
		// The lag is what the host's clock says, and stays within two cycles and a half.
		{`hyperv_replica_lag_seconds - (hyperv_replica_snapshot_timestamp_seconds{collector="relationship"} * on () group_right () (hyperv_replica_last_replication_timestamp_seconds * 0 + 1) - hyperv_replica_last_replication_timestamp_seconds) > 0.001`, "none"},
		{`hyperv_replica_lag_seconds / hyperv_replica_interval_seconds`, "some"},
		{`max_over_time((hyperv_replica_lag_seconds / hyperv_replica_interval_seconds)[1m:1s]) > 2.5`, "none"},
		{`hyperv_replica_lag_seconds > hyperv_replica_rpo_objective_seconds * 1.25`, "none"},
		// The window ended once, and every relationship noticed.
		{`hyperv_replica_window_resets_total`, "1"},
		{`resets(hyperv_replica_window_resets_total[1m])`, "0"},
		{`count by (vm_id) (resets(hyperv_replica_window_successful_cycles[1m]) > 0)`, "some"},
		// The counters went on over it: no reset, no negative rate, no jump.
		{`resets(hyperv_replica_replicated_bytes_total[1m]) > 0`, "none"},
		{`resets(hyperv_replica_cycles_total[1m]) > 0`, "none"},
		{`min_over_time(rate(hyperv_replica_replicated_bytes_total[5s])[40s:1s]) < 0`, "none"},
		{`hyperv_replica_replicated_bytes_total > 0`, "some"},
	} {
		result := api.query(t, tt.query)
		switch {
		case tt.want == "none" && len(result) != 0, tt.want == "some" && len(result) == 0:
			t.Errorf("%s\nwant %s, got %v", tt.query, tt.want, result)
		case tt.want != "none" && tt.want != "some":
			if len(result) == 0 {
				t.Errorf("%s\nno result", tt.query)
			}
			for _, s := range result {
				if s.value != tt.want {
					t.Errorf("%s\nwant %s, got %v", tt.query, tt.want, s)
				}
			}
		}
	}
	checkTotals(t, api, w)
}

// checkTotals compares the counters with what the simulated host really did: all
// of it, less what happened between the last scrape of the old window and its end.
func checkTotals(t *testing.T, api *promAPI, w *testWorld) {
	t.Helper()
	largest := map[string]float64{}
	for _, s := range api.query(t, `max_over_time(hyperv_replica_window_max_cycle_bytes[1m])`) {
		largest[s.labels["vm_id"]] = s.parse(t)
	}
	first := map[string]float64{}
	for _, s := range api.query(t, `hyperv_replica_replicated_bytes_total`) {
		key := msvm.Key{VM: s.labels["vm_id"], Link: msvm.Link(s.labels["relationship"])}
		truth, ok := w.Totals(key)
		if !ok {
			t.Fatalf("the host knows no %v", key)
		}
		got := s.parse(t)
		first[key.VM] = got
		// Up to eight cycles of 30 s fit between two scrapes; before the first scrape there were some, too.
		if got > float64(truth.Bytes) || got < 0.2*(float64(truth.Bytes)-10*largest[key.VM]) {
			t.Errorf("%v: the counter says %v bytes, the host did %d", key, got, truth.Bytes)
		}
	}
	if len(first) < 8 {
		t.Errorf("%d counters, want one for each VM", len(first))
	}
}
