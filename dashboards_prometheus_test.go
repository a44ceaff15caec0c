//go:build prometheus

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
}

// noData are the queries that have no data with any of these hosts, and why.
var noData = map[string]string{
	"exporter.json: Operations that failed in the last hour A": "an operation would have to fail while it is watched",
}

// emptyWhenHealthy are the panels that are empty with hosts on which all is well:
// what they show in place of data says that this is no reason to worry.
var emptyWhenHealthy = []string{
	"exporter.json: Actions of the admin endpoint",
	"exporter.json: Announced maintenance",
	"exporter.json: Operations that failed in the last hour",
	"exporter.json: Questions that failed",
	"exporter.json: Requests to the admin endpoint",
	"dr-readiness.json: Recovery points beyond those configured",
	"fleet.json: Operations",
	"fleet.json: VMs not protected",
	"fleet.json: Why they are not healthy",
	"vm.json: On the wire",
	"vm.json: Operations",
	"vm.json: Progress of operations",
	"vm.json: Reasons for bad health",
}

// A real Prometheus scrapes simulated hosts with the rules. Every query of every
// dashboard gets data from it, and no error or remark; with healthy hosts the
// panels are empty that are meant to be; and without a host no figure is 0.
func TestDashboardsOnSimulatedHosts(t *testing.T) {
	api := startPlayed(t)
	empty := map[string]bool{}
	for file, d := range readDashboards(t) {
		vms := map[string][]string{}
		for _, job := range playedJobs {
			vms[job.name] = checkVariableQueries(t, api, file, d, job.name)
		}
		for _, a := range d.Annotations.List {
			if a.BuiltIn == 0 && !api.answers(t, a.Expr, true, "healthy", vms["healthy"]) {
				t.Errorf("%s: %s: no data: %s", file, a.Name, a.Expr)
			}
		}
		for _, p := range d.queried() {
			healthy := false
			for _, q := range p.Targets {
				where := fmt.Sprintf("%s: %s %s", file, p.Title, q.RefID)
				well := api.answers(t, q.Expr, q.Range, "healthy", vms["healthy"])
				healthy = healthy || well
				if ill := api.answers(t, q.Expr, q.Range, "mixed", vms["mixed"]); !ill && !well != (noData[where] != "") {
					t.Errorf("%s: no data, and is to have none is %q: %s", where, noData[where], q.Expr)
				}
				if slices.Contains([]string{"stat", "bargauge"}, p.Type) && api.answers(t, q.Expr, q.Range, "nowhere", []string{"none"}) {
					t.Errorf("%s: has data where there is no host: %s", where, q.Expr)
				}
			}
			if !healthy {
				empty[file+": "+p.Title] = true
			}
		}
	}
	for _, name := range emptyWhenHealthy {
		if !empty[name] {
			t.Errorf("%s is not empty with healthy hosts", name)
		}
		delete(empty, name)
	}
	for name := range empty {
		t.Errorf("%s is empty with healthy hosts", name)
	}
	checkRuleQueries(t, api)
}

// hasty makes of the rules' long times short ones, so that there is something to see
// within seconds, at any time of day.
var hasty = strings.NewReplacer("interval: 3m", "interval: 1s", "[30d:5m]", "[1m:1s]", "offset 2h", "offset 2s",
	"time() - hyperv_replica_window_start_timestamp_seconds > 3600", "time() - hyperv_replica_window_start_timestamp_seconds > 1")

// checkRuleQueries: each recording rule has data, and what alerts ask can be asked.
func checkRuleQueries(t *testing.T, api *promAPI) {
	t.Helper()
	rules, _ := readRules(t)
	for _, r := range rules {
		api.query(t, r.Expr)
		if result := api.query(t, hasty.Replace(r.Expr)); r.Record != "" && len(result) == 0 {
			t.Errorf("%s has no data", r.Record)
		}
	}
}

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

// expand puts values in the place of Grafana's variables.
func expand(t *testing.T, expr, job, vm string) string {
	t.Helper()
	out := strings.NewReplacer("$__rate_interval", "10s", "$job", job, "$instance", ".+", "$vm_id", vm).Replace(expr)
	if rest := regexp.MustCompile(`\$[a-zA-Z_{]\w*`).FindString(out); rest != "" {
		t.Errorf("unknown variable %s in %s", rest, expr)
	}
	return out
}

// answers tells whether a query has data for a job, and for any VM of it if it is
// about one.
func (p *promAPI) answers(t *testing.T, expr string, ranged bool, job string, vms []string) bool {
	t.Helper()
	if !strings.Contains(expr, "$vm_id") {
		vms = []string{""}
	}
	ask := p.ask
	if ranged {
		ask = p.askRange
	}
	found := false
	for _, vm := range vms {
		result, err := ask(expand(t, expr, job, vm))
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			return false
		}
		found = found || len(result) > 0
	}
	return found
}

var (
	labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	queryResult = regexp.MustCompile(`^query_result\((.+)\)$`)
)

// checkVariableQueries has the values of variables looked up as Grafana does, and
// gives the ids of the VMs.
func checkVariableQueries(t *testing.T, api *promAPI, file string, d dashboard, job string) (vms []string) {
	t.Helper()
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		var q struct{ Query string }
		if err := json.Unmarshal(v.Query, &q); err != nil {
			t.Fatalf("%s: %s: %v", file, v.Name, err)
		}
		if m := labelValues.FindStringSubmatch(q.Query); m != nil {
			for _, s := range api.query(t, expand(t, m[1], job, "")) {
				if s.labels[m[2]] == "" {
					t.Errorf("%s: %s: no label %s in %v", file, v.Name, m[2], s)
				}
			}
			if !api.answers(t, m[1], false, job, nil) {
				t.Errorf("%s: %s has no values", file, v.Name)
			}
			continue
		}
		m := queryResult.FindStringSubmatch(q.Query)
		if m == nil {
			t.Fatalf("%s: %s: %q", file, v.Name, q.Query)
		}
		pattern := regexp.MustCompile(strings.Trim(v.Regex, "/"))
		for _, s := range api.query(t, expand(t, m[1], job, "")) {
			// The form in which Grafana looks at a series.
			found := pattern.FindStringSubmatch(fmt.Sprintf(`{vm="%s",vm_id="%s"} %s 1795780000000`, s.labels["vm"], s.labels["vm_id"], s.value))
			if found == nil || found[pattern.SubexpIndex("text")] != s.labels["vm"] || found[pattern.SubexpIndex("value")] != s.labels["vm_id"] {
				t.Errorf("%s: %s: %v gives %q", file, v.Name, s, found)
				continue
			}
			vms = append(vms, s.labels["vm_id"])
		}
		if len(vms) == 0 {
			t.Errorf("%s: %s has no values", file, v.Name)
		}
	}
	return vms
}
