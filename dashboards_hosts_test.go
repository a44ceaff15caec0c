//go:build prometheus

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
func startPlayed(t *testing.T) *promAPI {
	t.Helper()
	var scrape []any
	for _, job := range playedJobs {
		var targets []string
		for _, host := range []string{"HV01", "HV02", "HV03"} {
			args := append([]string{"--simulator.host=" + host}, job.args...)
			admin := job.name == "mixed" && host == "HV01"
			if admin {
				more, _ := adminFiles(t)
				args = append(args, more...)
			}
			p := start(t, args...)
			if admin {
				announceMaintenance(t, "http://"+p.logs.await(t, `admin_address=(\S+)`))
			}
			u, err := url.Parse(p.url)
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
	api := startPrometheusWith(t, string(config))
	for _, query := range []string{
		`count_over_time(relationship:hyperv_replica_lag_intervals:ratio[1m]) > 8`,
		`relationship:hyperv_replica_objective_met:avg30d`,
		`hyperv_replica_window_successful_cycles{job="healthy"} > 0`, // none in a window that has just begun
		`relationship:hyperv_replica_missed_cycles:ratio and on (vm_id) hyperv_replica_mode{job="healthy"}`,
		`relationship:hyperv_replica_catch_up_seconds:max and on (vm_id) hyperv_replica_mode{job="healthy"}`,
	} {
		api.await(t, query)
	}
	return api
}

// hastyRules are the rule files with short times.
func hastyRules(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, file := range glob(t, ruleFiles) {
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

func announceMaintenance(t *testing.T, control string) {
	t.Helper()
	body := fmt.Sprintf(`{"owner": "Ada", "reason": "firmware", "until": %q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, control+"/api/v1/maintenance", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(omar[0], omar[1])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusCreated {
		t.Fatalf("maintenance: %d %s", resp.StatusCode, text)
	}
}
