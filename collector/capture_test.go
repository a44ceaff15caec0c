package collector_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hyperv_replica_exporter/internal/logging/loggingtest"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/replay"
)

// newCaptureRig returns a rig that reads a captured host at the time of the capture.
func newCaptureRig(t *testing.T, capture fs.FS) *testRig {
	t.Helper()
	host, err := replay.Open(capture, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	r := &testRig{logs: &loggingtest.Buffer{}}
	r.pool = wmiquery.NewPool(wmiquery.PoolOptions{
		Open: host.Open, Now: host.Now, Workers: 2, StuckAfter: time.Minute, MaxStuck: 2,
	})
	t.Cleanup(r.pool.Close)
	r.scraper = newScraper(r.pool, r.logs)
	return r
}

func capture(name string) fs.FS { return os.DirFS(filepath.Join("testdata", "captures", name)) }

// current returns the value of the label of the series that is 1, by VM.
func current(got map[string]string, metric, label string) map[string]string {
	out := map[string]string{}
	for s, v := range got {
		if strings.HasPrefix(s, "hyperv_replica_"+metric+"{") && v == "1" {
			out[labelValue(s, "vm")] = labelValue(s, label)
		}
	}
	return out
}

func checkCapture(t *testing.T, name string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", name, got, want)
	}
}

// A LastReplicationTime of zeros costs the lag of this VM and the success of the collector.
func TestCaptureWithOneInvalidTime(t *testing.T) {
	r := newCaptureRig(t, capture("one-invalid-time"))
	got := parseSeries(r.gather(t, scrapeTimeout, "relationship"))
	checkCapture(t, "health", current(got, "health", "health"), map[string]string{"vm001": "ok", "vm002": "critical"})
	checkCapture(t, "state", current(got, "state", "state"), map[string]string{"vm001": "replicating", "vm002": "critical"})
	checkCapture(t, "lag", valuesOf(got, "lag_seconds", "vm"), map[string]string{"vm002": "22200"})
	checkCapture(t, "time", valuesOf(got, "last_replication_timestamp_seconds", "vm"),
		map[string]string{"vm002": "1.7953615305e+09"})
	checkCapture(t, "success", valuesOf(got, "collector_success", "collector"), map[string]string{"relationship": "0"})
	checkCapture(t, "counter", invalidCounts(r, t),
		map[string]string{"Msvm_ReplicationRelationship.LastReplicationTime": "1"})
}

// invalidCounts returns the number of invalid values by class and property.
func invalidCounts(r *testRig, t *testing.T) map[string]string {
	out := map[string]string{}
	for s, v := range r.gatherRequests(t) {
		if strings.HasPrefix(s, "hyperv_replica_invalid_values_total{") {
			out[labelValue(s, "class")+"."+labelValue(s, "property")] = v
		}
	}
	return out
}

// A LastReplicationTime that is no datetime, in any form, costs the lag of this VM.
func TestFormsOfInvalidTime(t *testing.T) {
	for _, text := range []string{
		"", " ", "never", "0", "00000000000000.000000:000", "20261122153210.500000", "2026-11-22T15:32:10Z",
		"20261322153210.500000-000", "20261122153210.500000+00x", strings.Repeat("9", 1e6),
	} {
		files := fstest.MapFS{}
		for _, name := range []string{"manifest.xml", "Msvm_ComputerSystem.xml", "Msvm_ReplicationRelationship.xml"} {
			data, err := fs.ReadFile(capture("one-invalid-time"), name)
			if err != nil {
				t.Fatal(err)
			}
			data = []byte(strings.ReplaceAll(string(data), "00000000000000.000000+000", text))
			files[name] = &fstest.MapFile{Data: data}
		}
		r := newCaptureRig(t, files)
		got := parseSeries(r.gather(t, scrapeTimeout, "relationship"))
		checkCapture(t, "health", current(got, "health", "health"), map[string]string{"vm001": "ok", "vm002": "critical"})
		checkCapture(t, "lag", valuesOf(got, "lag_seconds", "vm"), map[string]string{"vm002": "22200"})
		checkCapture(t, "success", valuesOf(got, "collector_success", "collector"), map[string]string{"relationship": "0"})
		for _, line := range r.logs.TakeLines() {
			if len(line) > 1000 {
				t.Errorf("%.40q: log line with %d characters", text, len(line))
			}
		}
	}
}

// Windows has several times that mean never: those of the years 1600 and 1601, with any offset.
func TestCaptureWithFormsOfNever(t *testing.T) {
	got := parseSeries(newCaptureRig(t, capture("never")).gather(t, scrapeTimeout, "relationship"))
	checkCapture(t, "success", valuesOf(got, "collector_success", "collector"), map[string]string{"relationship": "1"})
	if n := len(current(got, "state", "state")); n != 5 {
		t.Errorf("got the state of %d VMs, want 5", n)
	}
	if hasMetric(got, "lag_seconds") || hasMetric(got, "last_replication_timestamp_seconds") {
		t.Error("a VM that never replicated has a lag or a time")
	}
}

// ReplicationHealth 3 is critical.
func TestCaptureWithHealth3(t *testing.T) {
	got := parseSeries(newCaptureRig(t, capture("health-3")).gather(t, scrapeTimeout, "relationship"))
	checkCapture(t, "health", current(got, "health", "health"),
		map[string]string{"VM1": "ok", "VM2": "ok", "VM3": "critical", "VM4": "ok"})
}

// ReplicationState 3 is Replicating; PowerShell numbers the states differently.
func TestCaptureWithState3(t *testing.T) {
	got := parseSeries(newCaptureRig(t, capture("state-3")).gather(t, scrapeTimeout, "relationship"))
	checkCapture(t, "state", current(got, "state", "state"), map[string]string{"vm001": "replicating"})
	checkCapture(t, "health", current(got, "health", "health"), map[string]string{"vm001": "ok"})
}

// VMs whose names are equal, empty or differ only in punctuation have series of their own.
func TestCaptureWithUnusualNames(t *testing.T) {
	got := parseSeries(newCaptureRig(t, capture("names")).gather(t, scrapeTimeout, "relationship"))
	names := map[string]bool{}
	health := 0
	for s, v := range got {
		if strings.HasPrefix(s, "hyperv_replica_health{") && v == "1" && labelValue(s, "health") == "ok" {
			health++
			names[labelValue(s, "vm")] = true
		}
	}
	want := []string{
		"AAAAAAAA-0000-0000-0000-000000000007", "AAAAAAAA-0000-0000-0000-000000000008", `O'Brien \\ \"x\"`,
		"SRV FS (alt)", "SRV FS [alt]", "SRV_FS__alt_", "Сервер-1", "Сервер-2",
	}
	if health != 9 || !slices.Equal(slices.Sorted(maps.Keys(names)), want) {
		t.Errorf("got %d VMs with names %q, want 9 with %q", health, slices.Sorted(maps.Keys(names)), want)
	}
}
