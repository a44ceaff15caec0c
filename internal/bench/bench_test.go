//go:build linux

package main

import (
	"os"
	"strings"
	"testing"
)

// The servers of a test are processes of the test's binary.
func TestMain(m *testing.M) {
	if isServer() {
		serve()
		return
	}
	os.Exit(m.Run())
}

// A round measures each variant, and all serve the same number of series.
func TestRoundMeasuresAllVariants(t *testing.T) {
	r, err := measure(t.Context(), 20, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"const", "families", "bytes", "exporter"} {
		// 20 VMs with eighty series and more each.
		if n := r.series[name]; n < 20*80 || n != r.series["exporter"] {
			t.Errorf("%s serves %d series, the exporter %d", name, n, r.series["exporter"])
		}
	}
	for _, name := range []string{"const", "families", "bytes", "exporter", "host"} {
		if cpu := r.cpu[name]; len(cpu) != 1 || cpu[0] <= 0 {
			t.Errorf("%s: CPU time %v, want that of one round", name, cpu)
		}
	}
	if r.memory <= 0 || len(r.firstAnswer) != 1 {
		t.Errorf("memory %v, times of the first response %v", r.memory, r.firstAnswer)
	}
}

// Before each scrape the clock moves, so that the exporter serves other values of the same series.
func TestValuesChangeBetweenScrapes(t *testing.T) {
	recorded, err := recordSeries(20)
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i, v := range recorded.values[0] {
		if v != recorded.values[1][i] {
			changed++
		}
	}
	// At least the lag and the age of the statistics of each relationship.
	if changed < 2*20 {
		t.Errorf("%d values have changed", changed)
	}
}

// The host alone gets the requests that a scrape sends: 15 class reads, the certificates, the statistics of each of 21
// relationships, and the failover settings of 6 network adapters.
func TestHostGetsRequestsOfScrape(t *testing.T) {
	host, err := newMovingHost(20)
	if err != nil {
		t.Fatal(err)
	}
	requests, err := host.recordRequests()
	if want := 15 + 1 + 21 + 6; err != nil || len(requests) != want {
		t.Errorf("%d requests, want %d; error %v", len(requests), want, err)
	}
}

func TestTable(t *testing.T) {
	r := &result{
		vms:    20,
		series: map[string]int{"exporter": 2000},
		cpu: map[string][]float64{
			"const": {10, 30, 20}, "families": {1, 1, 1}, "bytes": {1, 1, 1}, "exporter": {5, 13, 7}, "host": {1, 1, 1},
		},
		memory: 34.4, firstAnswer: []float64{12, 14, 16},
	}
	got := table([]*result{r})
	for _, row := range []string{
		"| VMs | 20 |\n|---|---|\n| Series | 2000 |\n",
		"| Const metrics, ms | 20.0 (10.0, 15.0–25.0) |\n",
		"| Exporter alone, ms | 6.00 (4.00, 5.00–9.00) |\n",
		"| Exporter alone, µs per series | 3.00 (2.00, 2.50–4.50) |\n",
		"| **Exporter alone / const metrics** | 0.40 (0.30, 0.35–0.40) |\n",
		"| Time from start to first response, ms | 14.0 (12.0, 13.0–15.0) |\n",
		"| Resident memory after 50 scrapes, MB | 34 |\n",
	} {
		if !strings.Contains(got, row) {
			t.Errorf("no row %q in\n%s", row, got)
		}
	}
}
