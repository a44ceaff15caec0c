package cli_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/capture"
	"hyperv_replica_exporter/wmiquery/replay"
	"hyperv_replica_exporter/wmiquery/simulator"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// aboutExporter matches the series whose values depend on the speed of this computer or on the order of collectors.
var aboutExporter = regexp.MustCompile(`^hyperv_replica_(collector_duration_seconds|wmi_|exporter_|invalid_values_total)`)

// exposition returns the series of the host's metrics.
func exposition(t *testing.T, open func() (wmiquery.Session, error), now func() time.Time) string {
	t.Helper()
	e, err := exporter.NewEmbedded([]string{"--collector.perf", "--scrape.timeout=1m", "--wmi.call-timeout=1m"}, open, now)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	var series []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "hyperv_replica_") && !aboutExporter.MatchString(line) {
			series = append(series, line)
		}
	}
	return strings.Join(series, "")
}

// newFolder returns the path of a folder that does not exist.
func newFolder(t *testing.T) string {
	t.Helper()
	return filepath.Join(filetest.Dir(t), "capture")
}

// captureWorld captures a simulated host. It returns the folder and the mapping file.
func captureWorld(t *testing.T, w *simulator.World) (folder, mapping string) {
	t.Helper()
	pool := wmiquery.NewPool(wmiquery.PoolOptions{Open: w.Open, Now: w.Now, Workers: 1, StuckAfter: time.Minute})
	defer pool.Close()
	folder = newFolder(t)
	result, err := capture.Run(t.Context(), capture.Options{Reader: pool, Folder: folder, CallTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return folder, result.MappingFile
}

// The replay of a capture has the same metrics as the host, apart from names: in every scenario, on every host, and with
// every fault that does not depend on time.
func TestReplayShowsSameMetrics(t *testing.T) {
	type host struct{ scenario, host, fault string }
	var hosts []host
	for _, scenario := range simulator.Scenarios() {
		for _, name := range []string{"HV01", "HV02", "HV03"} {
			hosts = append(hosts, host{scenario, name, ""})
		}
	}
	for _, fault := range []string{
		"denied", "class-missing=Msvm_ReplicationRelationship", "relationship-failing", "nulls", "unknown-enum",
		"duplicate-names", "hostile-names", "service-error", "statistics-job", "statistics-empty",
		"invalid-value", "invalid-value=Msvm_ComputerSystem.ElementName", "invalid-value=Msvm_ReplicationRelationship.InstanceID",
		"invalid-value=Msvm_ReplicationService.OperationalStatus",
	} {
		hosts = append(hosts, host{"mixed", "HV01", fault}, host{"mixed", "HV02", fault})
	}
	for _, h := range hosts {
		t.Run(h.scenario+" "+h.host+" "+h.fault, func(t *testing.T) {
			now := func() time.Time { return noon }
			config := simulator.Config{Seed: 3, Scenario: h.scenario, Host: h.host, Now: now}
			if h.fault != "" {
				var err error
				if config.Faults, err = simulator.ParseFaults([]string{h.fault}); err != nil {
					t.Fatal(err)
				}
			}
			world, err := simulator.New(config)
			if err != nil {
				t.Fatal(err)
			}
			folder, mapping := captureWorld(t, world)
			replayed, err := replay.OpenFolder(t.Context(), folder, now)
			if err != nil {
				t.Fatal(err)
			}
			direct := exposition(t, world.Open, world.Now)
			compare(t, exportertest.Renamed(t, exposition(t, replayed.Open, replayed.Now), os.DevNull),
				exportertest.Renamed(t, direct, mapping))
			if minimum := 100; h.fault == "" && strings.Count(direct, "\n") < minimum {
				t.Errorf("%d series, want at least %d", strings.Count(direct, "\n"), minimum)
			}
		})
	}
}

// compare compares two expositions. The order of series does not matter, because it depends on names.
func compare(t *testing.T, got, want string) {
	t.Helper()
	surplus := map[string]int{} // by line
	for line := range strings.Lines(got) {
		surplus[line]++
	}
	for line := range strings.Lines(want) {
		surplus[line]--
	}
	for line, n := range surplus {
		if n != 0 {
			t.Errorf("%d more than on the host: %s", n, line)
		}
	}
}
