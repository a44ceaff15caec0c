//go:build prometheus

package dashboards_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"

	"hyperv_replica_exporter/internal/exportertest"

	"go.yaml.in/yaml/v2"
)

// playedJobs are the simulated hosts that the dashboards are shown: each job is a
// world of its own, told apart by the seed, of hosts HV01 to HV03.
var playedJobs = []struct {
	name string
	args []string
}{
	{"healthy", []string{"--simulator.scenario=healthy", "--simulator.seed=1"}},
	{"mixed", []string{"--simulator.scenario=mixed", "--simulator.seed=2", "--collector.perf", "--simulator.fault=relationship-failing"}},
	{"drill", []string{"--simulator.scenario=failover-drill", "--simulator.seed=3", "--simulator.vms=20"}},
	{"storm", []string{"--simulator.scenario=resync-storm", "--simulator.seed=4", "--simulator.vms=20"}},
	{"outage", []string{"--simulator.scenario=wan-outage", "--simulator.seed=5"}},
}

// hasty makes of the rules' long times short ones, so that there is something to see
// within seconds.
var hasty = strings.NewReplacer("interval: 3m", "interval: 1s", "[30d:5m]", "[1m:1s]", "offset 2h", "offset 2s")

// startPlayed starts the hosts and the Prometheus, and waits until what needs
// several scrapes is there.
func startPlayed(t *testing.T) *promtest.Prometheus {
	t.Helper()
	var scrape []any
	for _, job := range playedJobs {
		var targets []string
		for _, host := range []string{"HV01", "HV02", "HV03"} {
			args := append([]string{"--simulator.host=" + host}, job.args...)
			admin := job.name == "mixed" && host == "HV01"
			if admin {
				more, _ := exportertest.AdminArgs(t)
				args = append(args, more...)
			}
			p := exportertest.Start(t, args...)
			if admin {
				announceMaintenance(t, p.AdminURL(t))
			}
			u, err := url.Parse(p.URL)
			if err != nil {
				t.Fatal(err)
			}
			targets = append(targets, u.Host)
		}
		scrape = append(scrape, map[string]any{"job_name": job.name, "static_configs": []any{map[string]any{"targets": targets}}})
	}
	config, err := yaml.Marshal(map[string]any{
		"global":         map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files":     []string{hastyRules(t)},
		"scrape_configs": scrape,
	})
	if err != nil {
		t.Fatal(err)
	}
	api := promtest.StartPrometheusWith(t, string(config))
	for _, query := range []string{
		`count_over_time(relationship:hyperv_replica_lag_intervals:ratio[1m]) > 8`,
		`relationship:hyperv_replica_objective_met:avg30d`,
		`hyperv_replica_window_successful_cycles{job="healthy"} > 0`, // none in a window that has just begun
		`relationship:hyperv_replica_missed_cycles:ratio and on (vm_id) hyperv_replica_mode{job="healthy"}`,
		`relationship:hyperv_replica_catch_up_seconds:max and on (vm_id) hyperv_replica_mode{job="healthy"}`,
	} {
		api.Await(t, query)
	}
	return api
}

// hastyRules are the rule files with short times.
func hastyRules(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, file := range promtest.Glob(t, ruleFiles) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), []byte(hasty.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "*.yml")
}

func announceMaintenance(t *testing.T, adminURL string) {
	t.Helper()
	until := time.Now().Add(time.Hour).Format(time.RFC3339)
	body := fmt.Sprintf(`{"owner": "Ada", "reason": "firmware", "until": %q}`, until)
	if resp, text := exportertest.Post(t, adminURL+"/api/v1/maintenance", body); resp.StatusCode != http.StatusCreated {
		t.Fatalf("announce maintenance: %d %s", resp.StatusCode, text)
	}
}
