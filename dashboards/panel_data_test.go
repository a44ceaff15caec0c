//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// noData are the queries that have no data with any of these hosts, and why.
var noData = map[string]string{
	"exporter.json: Failed operations in the last hour A": "an operation would have to fail while it is watched",
}

// emptyWhenHealthy are the panels that are empty with hosts on which all is well:
// what they show in place of data says that this is no reason to worry.
var emptyWhenHealthy = []string{
	"exporter.json: Admin endpoint jobs",
	"exporter.json: Announced maintenance",
	"exporter.json: Failed operations in the last hour",
	"exporter.json: Failed WMI requests",
	"exporter.json: Admin endpoint requests",
	"dr-readiness.json: Surplus recovery points",
	"fleet.json: Operations",
	"fleet.json: Unprotected VMs",
	"fleet.json: Health issues",
	"vm.json: Network traffic",
	"vm.json: Operations",
	"vm.json: Operation progress",
	"vm.json: Health issues",
}

// ofWhom is in a text that does not speak of more than what is known.
var ofWhom = regexp.MustCompile(`\bscraped\b|--`)

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
			if a.BuiltIn == 0 && !answers(t, api, a.Expr, true, "healthy", vms["healthy"]) {
				t.Errorf("%s: %s: no data: %s", file, a.Name, a.Expr)
			}
		}
		for _, p := range d.queried() {
			healthy := false
			for _, q := range p.Targets {
				where := fmt.Sprintf("%s: %s %s", file, p.Title, q.RefID)
				some := false
				for _, job := range playedJobs { // all of them: one may show an error that others do not
					found := answers(t, api, q.Expr, q.Range, job.name, vms[job.name])
					some = some || found
					healthy = healthy || found && job.name == "healthy"
				}
				if some == (noData[where] != "") {
					t.Errorf("%s: no data, and is to have none is %q: %s", where, noData[where], q.Expr)
				}
				if slices.Contains([]string{"stat", "bargauge"}, p.Type) && answers(t, api, q.Expr, q.Range, "nowhere", []string{"none"}) {
					t.Errorf("%s: has data where there is no host: %s", where, q.Expr)
				}
			}
			for _, job := range playedJobs {
				checkRows(t, api, file, p, job.name, vms[job.name])
			}
			if !healthy {
				empty[file+": "+p.Title] = true
				if n := p.FieldConfig.Defaults.NoValue; !ofWhom.MatchString(n) {
					t.Errorf("%s: %s says that all is well, also if no host is seen: %q", file, p.Title, n)
				}
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

// checkRows: every column has a name, or is left out. Grafana makes one row of what several queries tell of the same thing.
// It takes for the same what has all labels alike that the queries share, and leaves
// apart what tells one column differently: names of metrics, above all.
func checkRows(t *testing.T, api *promtest.Prometheus, file string, p panel, job string, vms []string) {
	t.Helper()
	if p.Type != "table" {
		return
	}
	vm := ""
	if len(vms) > 0 {
		vm = vms[0]
	}
	var answers [][]promtest.Series
	queriesWith := map[string]int{}
	for _, q := range p.Targets {
		result := api.Query(t, expand(t, q.Expr, job, vm))
		if len(result) == 0 {
			continue
		}
		answers = append(answers, result)
		labels := map[string]bool{}
		for _, s := range result {
			for name := range s.Labels {
				labels[name] = true
			}
		}
		for name := range labels {
			queriesWith[name]++
			checkColumn(t, file, p, name)
		}
		if len(p.Targets) == 1 {
			checkColumn(t, file, p, "Value")
		} else {
			checkColumn(t, file, p, "Value #"+q.RefID)
		}
	}
	for name, count := range queriesWith {
		if name == "__name__" || count != 1 && count != len(answers) {
			t.Errorf("%s: %s (%s): %d of %d queries have the column %s", file, p.Title, job, count, len(answers), name)
		}
	}
	for i, result := range answers {
		seen := map[string]bool{}
		for _, s := range result {
			row := ""
			for _, name := range slices.Sorted(maps.Keys(queriesWith)) {
				if queriesWith[name] == len(answers) {
					row += s.Labels[name] + "\x00"
				}
			}
			if seen[row] {
				t.Errorf("%s: %s (%s): the answer %d has two rows for %q", file, p.Title, job, i, row)
			}
			seen[row] = true
		}
	}
}

func checkColumn(t *testing.T, file string, p panel, name string) {
	t.Helper()
	for _, tr := range p.Transformations {
		if tr.Options.RenameByName[name] != "" || tr.Options.ExcludeByName[name] {
			return
		}
	}
	t.Errorf("%s: %s shows the column %s as it is", file, p.Title, name)
}

// checkRuleQueries: each recording rule has data, and what alerts ask can be asked.
func checkRuleQueries(t *testing.T, api *promtest.Prometheus) {
	t.Helper()
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		api.Query(t, r.Expr)
		if result := api.Query(t, hasty.Replace(r.Expr)); r.Record != "" && len(result) == 0 {
			t.Errorf("%s has no data", r.Record)
		}
	}
}

// grafanaVariable is one in an expression, but not $1 of a label_replace.
var grafanaVariable = regexp.MustCompile(`\$\{?([a-zA-Z_]\w*)`)

// expand puts values in the place of Grafana's variables.
func expand(t *testing.T, expr, job, vm string) string {
	t.Helper()
	values := map[string]string{"__rate_interval": "10s", "job": job, "instance": ".+", "vm_id": vm}
	return grafanaVariable.ReplaceAllStringFunc(expr, func(v string) string {
		value, ok := values[strings.TrimPrefix(v, "$")]
		if !ok {
			t.Errorf("unknown variable %s in %s", v, expr)
		}
		return value
	})
}

// answers tells whether a query has data for a job, and for any VM of it if it is
// about one.
func answers(t *testing.T, api *promtest.Prometheus, expr string, ranged bool, job string, vms []string) bool {
	t.Helper()
	if !strings.Contains(expr, "$vm_id") {
		vms = []string{""}
	}
	ask := api.Ask
	if ranged {
		ask = api.AskRange
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
func checkVariableQueries(t *testing.T, api *promtest.Prometheus, file string, d dashboard, job string) (vms []string) {
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
			for _, s := range api.Query(t, expand(t, m[1], job, "")) {
				if s.Labels[m[2]] == "" {
					t.Errorf("%s: %s: no label %s in %v", file, v.Name, m[2], s)
				}
			}
			if !answers(t, api, m[1], false, job, nil) {
				t.Errorf("%s: %s has no values", file, v.Name)
			}
			continue
		}
		m := queryResult.FindStringSubmatch(q.Query)
		if m == nil {
			t.Fatalf("%s: %s: %q", file, v.Name, q.Query)
		}
		pattern := regexp.MustCompile(strings.Trim(v.Regex, "/"))
		for _, s := range api.Query(t, expand(t, m[1], job, "")) {
			// The form in which Grafana looks at a series.
			found := pattern.FindStringSubmatch(fmt.Sprintf(`{vm="%s",vm_id="%s"} %s 1795780000000`, s.Labels["vm"], s.Labels["vm_id"], s.Value.String()))
			if found == nil || found[pattern.SubexpIndex("text")] != s.Labels["vm"] || found[pattern.SubexpIndex("value")] != s.Labels["vm_id"] {
				t.Errorf("%s: %s: %v gives %q", file, v.Name, s, found)
				continue
			}
			vms = append(vms, s.Labels["vm_id"])
		}
		if len(vms) == 0 {
			t.Errorf("%s: %s has no values", file, v.Name)
		}
	}
	return vms
}
