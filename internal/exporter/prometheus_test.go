//go:build prometheus

package exporter_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
	"hyperv_replica_exporter/internal/promtest"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// parseMetrics reads an exposition with the reference parser of a module and prints the number of samples.
const parseMetrics = `
import importlib, sys
parser = importlib.import_module(sys.argv[1])
text = sys.stdin.buffer.read().decode()
print(sum(len(family.samples) for family in parser.text_string_to_metric_families(text)))
`

// promtool check metrics finds no problem in the exposition of any scenario, and the parsers of the Python client, which
// is the reference for OpenMetrics, read every sample.
func TestExposition(t *testing.T) {
	runs := [][]string{
		{"--simulator.host=HV02"},
		{"--simulator.fault=denied"},
		{"--simulator.fault=hostile-names"},
		{"--source=replay:../../wmiquery/replay/testdata/sample"},
	}
	for _, name := range simulator.Scenarios() {
		runs = append(runs, []string{"--simulator.scenario=" + name})
	}
	for _, args := range runs {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			p := exportertest.Start(t, append(args, "--collector.perf")...)
			_, body := exportertest.Get(t, p.URL)
			promtest.ForEachRelease(t, func(t *testing.T, r promtest.Release) {
				cmd := r.Promtool(t, "check", "metrics")
				cmd.Stdin = strings.NewReader(body)
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					t.Errorf("promtool check metrics: %v\n%s", err, out)
				}
			})
			checkParser(t, body, "prometheus_client.parser")
			_, body = exportertest.Get(t, p.URL, "Accept", "application/openmetrics-text;version=1.0.0")
			checkParser(t, body, "prometheus_client.openmetrics.parser")
		})
	}
}

func checkParser(t *testing.T, exposition, parser string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", parseMetrics, parser)
	cmd.Stdin = strings.NewReader(exposition)
	out, err := cmd.CombinedOutput()
	samples := 0
	for line := range strings.Lines(exposition) {
		if !strings.HasPrefix(line, "#") {
			samples++
		}
	}
	if got := strings.TrimSpace(string(out)); err != nil || got != strconv.Itoa(samples) {
		t.Errorf("%s: %v, %s, want %d samples", parser, err, got, samples)
	}
}

// steppedWorld is a simulated host whose clock only moves with Advance, so that the values of a scrape are known.
type steppedWorld struct {
	*simulator.World
	mu  sync.Mutex
	now time.Time
}

func (w *steppedWorld) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *steppedWorld) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// A real Prometheus scrapes the exporter, in the format OpenMetrics, while a monitoring window of the simulated host
// ends.
func TestPrometheus(t *testing.T) {
	// The window ends at 21:00; two minutes pass with each scrape.
	const step = 2 * time.Minute
	w := &steppedWorld{now: time.Date(2026, 11, 22, 20, 40, 0, 0, time.UTC)}
	var err error
	if w.World, err = simulator.New(simulator.Config{Seed: 1, VMs: 10, Scenario: "healthy", Now: w.Now}); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--collector.perf", "--scrape.timeout=1s", "--scrape.max-age=1h"}
	metrics, err := exporter.NewEmbedded(flags, w.Open, w.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(metrics.Close)
	const scrapes = 20
	var count atomic.Int32
	enough := make(chan struct{})
	exporter := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		metrics.ServeHTTP(rw, r)
		const want = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
		if got := rw.Header().Get("Content-Type"); got != want {
			t.Errorf("Content-Type for %q is %q, want %q", r.Header.Get("Accept"), got, want)
		}
		w.Advance(step)
		if count.Add(1) == scrapes {
			close(enough)
		}
	}))
	t.Cleanup(exporter.Close)

	api := promtest.StartPrometheus(t, exporter.Listener.Addr().String())
	select {
	case <-enough:
	case <-time.After(time.Minute):
		t.Fatalf("%d scrapes in a minute, want %d", count.Load(), scrapes)
	}
	api.Await(t, fmt.Sprintf(`count_over_time(hyperv_replica_up[1m]) >= %d`, scrapes))
	checkPrometheus(t, api, w)
}

func checkPrometheus(t *testing.T, api *promtest.Prometheus, w *steppedWorld) {
	t.Helper()
	for _, tt := range []struct {
		query string
		want  string // "none", "some" or the value of every series
	}{
		{`min_over_time(up[1m])`, "1"},
		{`min_over_time(hyperv_replica_up[1m])`, "1"},
		{`min_over_time(hyperv_replica_collector_success[1m])`, "1"},
		{`scrape_samples_scraped - scrape_samples_post_metric_relabeling != 0`, "none"},
		// The lag follows the clock of the host and stays below two and a half intervals.
		{`hyperv_replica_lag_seconds - (hyperv_replica_snapshot_timestamp_seconds{collector="relationship"} * on () group_right () (hyperv_replica_last_replication_timestamp_seconds * 0 + 1) - hyperv_replica_last_replication_timestamp_seconds) > 0.001`, "none"},
		{`hyperv_replica_lag_seconds / hyperv_replica_interval_seconds`, "some"},
		{`max_over_time((hyperv_replica_lag_seconds / hyperv_replica_interval_seconds)[1m:1s]) > 2.5`, "none"},
		{`hyperv_replica_lag_seconds > hyperv_replica_rpo_objective_seconds * 1.25`, "none"},
		// The window ended once, for every relationship.
		{`hyperv_replica_window_resets_total`, "1"},
		{`resets(hyperv_replica_window_resets_total[1m])`, "0"},
		{`count by (vm_id) (resets(hyperv_replica_window_successful_cycles[1m]) > 0)`, "some"},
		// The counters continued: no reset, no negative rate, no jump.
		{`resets(hyperv_replica_replicated_bytes_total[1m]) > 0`, "none"},
		{`resets(hyperv_replica_cycles_total[1m]) > 0`, "none"},
		{`min_over_time(rate(hyperv_replica_replicated_bytes_total[5s])[40s:1s]) < 0`, "none"},
		{`hyperv_replica_replicated_bytes_total > 0`, "some"},
	} {
		result := api.Query(t, tt.query)
		switch {
		case tt.want == "none" && len(result) != 0, tt.want == "some" && len(result) == 0:
			t.Errorf("%s\nwant %s, got %v", tt.query, tt.want, result)
		case tt.want != "none" && tt.want != "some":
			if len(result) == 0 {
				t.Errorf("%s\nno result", tt.query)
			}
			for _, s := range result {
				if s.Value.String() != tt.want {
					t.Errorf("%s\nwant %s, got %v", tt.query, tt.want, s)
				}
			}
		}
	}
	checkTotals(t, api, w)
}

// checkTotals compares the counters with the totals of the simulated host. They may lack what happened between the last
// scrape of the old window and its end.
func checkTotals(t *testing.T, api *promtest.Prometheus, w *steppedWorld) {
	t.Helper()
	largest := map[string]float64{}
	for _, s := range api.Query(t, `max_over_time(hyperv_replica_window_max_cycle_bytes[1m])`) {
		largest[s.Labels["vm_id"]] = float64(s.Value)
	}
	first := map[string]float64{}
	for _, s := range api.Query(t, `hyperv_replica_replicated_bytes_total`) {
		key := msvm.Key{VM: s.Labels["vm_id"], Link: msvm.Link(s.Labels["relationship"])}
		truth, ok := w.Totals(key)
		if !ok {
			t.Fatalf("the host has no relationship %v", key)
		}
		got := float64(s.Value)
		first[key.VM] = got
		// Up to eight cycles of 30 s fit between two scrapes; before the first scrape there were some, too.
		if got > float64(truth.Bytes) || got < 0.2*(float64(truth.Bytes)-10*largest[key.VM]) {
			t.Errorf("%v: counter %v bytes, host %d", key, got, truth.Bytes)
		}
	}
	if len(first) < 8 {
		t.Errorf("%d counters, want one per VM", len(first))
	}
}
