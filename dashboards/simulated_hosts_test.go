//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/exportertest"
	"hyperv_replica_exporter/internal/promtest"
)

// Hosts of a simulation that an exporter reads or a timeline scrapes.
var (
	oneHost    = []string{"HV01"}
	twoHosts   = []string{"HV01", "HV02"}
	threeHosts = []string{"HV01", "HV02", "HV03"}
)

// simulatedJobs are the scrape jobs of TestPanelQueriesReturnData. Each job has the hosts HV01 to HV03 of a simulation
// of its own, with a seed of its own.
var simulatedJobs = []struct {
	name string
	args []string
}{
	{"healthy", []string{"--simulator.scenario=healthy", "--simulator.seed=1"}},
	{"mixed", []string{
		"--simulator.scenario=mixed", "--simulator.seed=2", "--collector.perf",
		"--simulator.fault=relationship-failing", "--simulator.fault=invalid-value=Msvm_ConcreteJob.ElapsedTime",
	}},
	{"drill", []string{"--simulator.scenario=failover-drill", "--simulator.seed=3", "--simulator.vms=20"}},
	{"storm", []string{"--simulator.scenario=resync-storm", "--simulator.seed=4", "--simulator.vms=20"}},
	{"outage", []string{"--simulator.scenario=wan-outage", "--simulator.seed=5"}},
}

// shortenRanges replaces the long intervals, ranges and offsets of rules with short ones, so that the rules have
// results within seconds.
var shortenRanges = strings.NewReplacer(
	"interval: 3m", "interval: 1s", "[6h:5m]", "[1m:1s]", "[30d:1h]", "[1m:1s]", "offset 2h", "offset 2s")

// startPrometheusWithSimulatedJobs starts exporters of the simulated hosts, and a server that scrapes them and
// evaluates the rules. It returns when the rules that need several scrapes have results.
func startPrometheusWithSimulatedJobs(t *testing.T) *promtest.Prometheus {
	t.Helper()
	var scrapeConfigs []any
	for _, job := range simulatedJobs {
		var targets []string
		for _, host := range threeHosts {
			args := slices.Concat([]string{"--simulator.host=" + host}, job.args)
			hasAdmin := job.name == "mixed" && host == "HV01"
			if hasAdmin {
				adminArgs, _ := exportertest.AdminArgs(t)
				args = append(args, adminArgs...)
			}
			p := exportertest.Start(t, args...)
			if hasAdmin {
				announceMaintenance(t, p.AdminURL(t))
			}
			u, err := url.Parse(p.URL)
			if err != nil {
				t.Fatal(err)
			}
			targets = append(targets, u.Host)
		}
		scrapeConfigs = append(scrapeConfigs, map[string]any{
			"job_name": job.name, "static_configs": []any{map[string]any{"targets": targets}},
		})
	}
	config, err := yaml.Marshal(map[string]any{
		"global":         map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files":     []string{rulesWithShortRanges(t)},
		"scrape_configs": scrapeConfigs,
	})
	if err != nil {
		t.Fatal(err)
	}
	api := promtest.Current.Start(t, string(config))
	for _, query := range []string{
		`count_over_time(relationship:hyperv_replica_lag_intervals:ratio[1m]) > 8`,
		`relationship:hyperv_replica_objective_met:avg30d`,
		`increase(hyperv_replica_network_sent_bytes_total{job="mixed"}[1h]) > 0`,
		`increase(hyperv_replica_network_received_bytes_total{job="mixed"}[1h]) > 0`,
		`hyperv_replica_window_successful_cycles{job="healthy"} > 0`, // 0 in a window that has just begun
		`relationship:hyperv_replica_missed_cycles:ratio and on (vm_id) hyperv_replica_mode{job="healthy"}`,
		`relationship:hyperv_replica_catch_up_seconds:max and on (vm_id) hyperv_replica_mode{job="healthy"}`,
	} {
		api.Await(t, query)
	}
	return api
}

// rulesWithShortRanges writes the rule files with short ranges to a temporary directory and returns their pattern.
func rulesWithShortRanges(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range promtest.Glob(t, ruleFiles) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shortened := shortenRanges.Replace(string(text))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(shortened), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "*.yml")
}

// announceMaintenance announces maintenance of a host for an hour at its admin endpoint, and returns the id of the
// announcement.
func announceMaintenance(t *testing.T, adminURL string) string {
	t.Helper()
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	body := fmt.Sprintf(`{"owner": "Ada", "reason": "firmware", "until": %q}`, until)
	return postMaintenance(t, adminURL+"/api/v1/maintenance", body, http.StatusCreated)
}

func endMaintenance(t *testing.T, adminURL, id string) {
	t.Helper()
	postMaintenance(t, adminURL+"/api/v1/maintenance/"+id+"/end", "{}", http.StatusOK)
}

// postMaintenance returns the id in the response, which must have the given status.
func postMaintenance(t *testing.T, requestURL, body string, status int) string {
	t.Helper()
	resp, text := exportertest.Post(t, requestURL, body)
	var announcement struct{ ID string }
	if err := json.Unmarshal([]byte(text), &announcement); err != nil || resp.StatusCode != status {
		t.Fatalf("POST %s: %s: %s (error: %v)", requestURL, resp.Status, text, err)
	}
	return announcement.ID
}
