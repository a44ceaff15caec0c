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

// queriesWithoutData are the queries that return no data for any simulated job, and the reasons. Another test shows that
// the annotations mark changes.
var queriesWithoutData = map[string]string{
	"exporter.json: Failed operations in the last hour A":    "no operation fails during the test",
	"exporter.json: Admin endpoint jobs A":                   "no action runs during the test",
	"vm.json: Missed cycles and failures in the last hour B": "no replication fails during the test",
	"fleet.json: annotation Role changes":                    "no VM changes its role during the test",
	"fleet.json: annotation Failovers":                       "no VM fails over during the test",
	"vm.json: annotation Role changes":                       "no VM changes its role during the test",
	"vm.json: annotation Failovers":                          "no VM fails over during the test",
	"dr-readiness.json: annotation Role changes":             "no VM changes its role during the test",
	"dr-readiness.json: annotation Failovers":                "no VM fails over during the test",
}

// panelsWithoutData are the panels that have no data for healthy hosts. The text that they show instead must say that
// this is expected.
var panelsWithoutData = []string{
	"exporter.json: Admin endpoint jobs",
	"exporter.json: Announced maintenance",
	"exporter.json: Failed operations in the last hour",
	"exporter.json: Failed WMI requests",
	"exporter.json: Invalid values",
	"exporter.json: Admin endpoint requests",
	"dr-readiness.json: Surplus recovery points",
	"fleet.json: Operations",
	"fleet.json: Unprotected VMs",
	"fleet.json: Health issues",
	"vm.json: Network traffic",
	"vm.json: Operations",
	"vm.json: Operation progress",
	"vm.json: Health issues",
	"vm.json: Missed cycles and failures in the last hour",
}

// limitedClaim matches texts that make a statement only about the hosts that are scraped.
var limitedClaim = regexp.MustCompile(`\bscraped\b|--`)

// A Prometheus server scrapes simulated hosts. Every query of every dashboard returns data, without errors and
// annotations. For healthy hosts, exactly the expected panels have no data. Without hosts, no single value is shown
// as 0.
func TestPanelQueriesReturnData(t *testing.T) {
	api := startPrometheusWithSimulatedJobs(t)
	without := map[string]bool{} // panels without data for healthy hosts
	for file, d := range readDashboards(t) {
		vms := map[string][]string{} // ids by job
		for _, job := range simulatedJobs {
			vms[job.name] = checkVariableQueries(t, api, file, d, job.name)
		}
		for _, a := range d.Annotations.List {
			if a.BuiltIn != 0 {
				continue
			}
			name, anyData := file+": annotation "+a.Name, false
			for _, job := range simulatedJobs {
				anyData = hasData(t, api, a.Expr, true, job.name, vms[job.name]) || anyData
			}
			if reason := queriesWithoutData[name]; anyData == (reason != "") {
				t.Errorf("%s: has data: %v, reason to have none: %q: %s", name, anyData, reason, a.Expr)
			}
		}
		for _, p := range d.dataPanels() {
			healthyData := false
			for _, q := range p.Targets {
				name := fmt.Sprintf("%s: %s %s", file, p.Title, q.RefID)
				anyData := false
				for _, job := range simulatedJobs { // all of them, since a query may fail for some jobs only
					found := hasData(t, api, q.Expr, q.Range, job.name, vms[job.name])
					anyData = anyData || found
					healthyData = healthyData || found && job.name == "healthy"
				}
				if reason := queriesWithoutData[name]; anyData == (reason != "") {
					t.Errorf("%s: has data: %v, reason to have none: %q: %s", name, anyData, reason, q.Expr)
				}
				isSingleValue := slices.Contains([]string{"stat", "bargauge"}, p.Type)
				if isSingleValue && hasData(t, api, q.Expr, q.Range, "nowhere", []string{"none"}) {
					t.Errorf("%s: has data without any host: %s", name, q.Expr)
				}
			}
			for _, job := range simulatedJobs {
				checkTable(t, api, file, p, job.name, vms[job.name])
			}
			if !healthyData {
				without[file+": "+p.Title] = true
				if n := p.FieldConfig.Defaults.NoValue; !limitedClaim.MatchString(n) {
					t.Errorf("%s: %s: the text without data must be true if no host can be read: %q", file, p.Title, n)
				}
			}
		}
	}
	for _, name := range panelsWithoutData {
		if !without[name] {
			t.Errorf("%s: has data for healthy hosts", name)
		}
		delete(without, name)
	}
	for name := range without {
		t.Errorf("%s: no data for healthy hosts", name)
	}
	checkRuleQueries(t, api)
}

// checkTable checks that each column of a table is renamed or excluded, and that Grafana can join the results of its
// queries: it makes one row of the series that agree in all labels that the queries share, and does not join rows in
// which a column of one query only, above all the name of the metric, differs.
func checkTable(t *testing.T, api *promtest.Prometheus, file string, p panel, job string, vms []string) {
	t.Helper()
	if p.Type != "table" {
		return
	}
	vm := ""
	if len(vms) > 0 {
		vm = vms[0]
	}
	var results [][]promtest.Series
	queriesWith := map[string]int{} // number of results that have a label
	for _, q := range p.Targets {
		result := api.Query(t, expandVariables(t, q.Expr, job, vm))
		if len(result) == 0 {
			continue
		}
		results = append(results, result)
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
		if name == "__name__" || count != 1 && count != len(results) {
			t.Errorf("%s: %s (%s): %d of %d queries have the column %s", file, p.Title, job, count, len(results), name)
		}
	}
	for i, result := range results {
		rows := map[string]bool{}
		for _, s := range result {
			row := ""
			for _, name := range slices.Sorted(maps.Keys(queriesWith)) {
				if queriesWith[name] == len(results) {
					row += s.Labels[name] + "\x00"
				}
			}
			if rows[row] {
				t.Errorf("%s: %s (%s): result %d has two rows for %q", file, p.Title, job, i, row)
			}
			rows[row] = true
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
	t.Errorf("%s: %s: the column %s is neither renamed nor excluded", file, p.Title, name)
}

// recordsWithoutData are the recording rules that have no data for any simulated job, and the reasons. Their unit tests
// show that they have some.
var recordsWithoutData = map[string]string{
	"host:hyperv_replica_unmonitored:info":                  "no exporter goes down",
	"host:hyperv_replica_server_off:info":                   "every host is a replica server",
	"end:hyperv_replica_rpo_objective_seconds:set":          "no exporter has --rpo.objective",
	"relationship:hyperv_replica_rpo_objective_seconds:set": "no exporter has --rpo.objective",
}

// checkRuleQueries checks that all rules can be evaluated, and that each recording rule has data.
func checkRuleQueries(t *testing.T, api *promtest.Prometheus) {
	t.Helper()
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		api.Query(t, r.Expr)
		result := api.Query(t, shortenRanges.Replace(r.Expr))
		if reason := recordsWithoutData[r.Record]; r.Record != "" && (len(result) == 0) != (reason != "") {
			t.Errorf("%s: %d series, reason to have none: %q", r.Record, len(result), reason)
		}
	}
}

// variableReference matches a reference to a Grafana variable in an expression, but not $1 in a label_replace.
var variableReference = regexp.MustCompile(`\$\{?([a-zA-Z_]\w*)`)

// expandVariables replaces references to Grafana variables with values.
func expandVariables(t *testing.T, expr, job, vm string) string {
	t.Helper()
	values := map[string]string{
		"__rate_interval": "10s", "__range": "1h", "job": job, "site": ".*", "instance": ".+", "severity": ".+", "vm_id": vm,
	}
	return variableReference.ReplaceAllStringFunc(expr, func(v string) string {
		value, ok := values[strings.TrimPrefix(v, "$")]
		if !ok {
			t.Errorf("unknown variable %s in %s", v, expr)
		}
		return value
	})
}

// hasData reports whether a query returns data for a job. If the query is about one VM, it tries the VMs until one has
// data, and all VMs of the job that has each situation.
func hasData(t *testing.T, api *promtest.Prometheus, expr string, isRange bool, job string, vms []string) bool {
	t.Helper()
	if !strings.Contains(expr, "$vm_id") {
		vms = []string{""}
	}
	found := false
	for _, vm := range vms {
		query := expandVariables(t, expr, job, vm)
		result, err := api.QueryInstant(query)
		if err == nil && len(result) == 0 && isRange && !found {
			result, err = api.QueryLastMinute(query)
		}
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			return false
		}
		found = found || len(result) > 0
		if found && job != "mixed" {
			break
		}
	}
	return found
}

// optionalLabel is a label of targets that the simulated jobs do not have, as most sites.
const optionalLabel = "site"

var (
	labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	queryResult = regexp.MustCompile(`^query_result\((.+)\)$`)
)

// checkVariableQueries checks that the queries of variables have values, as Grafana finds them. It returns the ids of
// the VMs of the job.
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
			for _, s := range api.Query(t, expandVariables(t, m[1], job, "")) {
				if s.Labels[m[2]] == "" && m[2] != optionalLabel {
					t.Errorf("%s: %s: no label %s in %v", file, v.Name, m[2], s)
				}
			}
			if !hasData(t, api, m[1], false, job, nil) {
				t.Errorf("%s: %s: no values", file, v.Name)
			}
			continue
		}
		m := queryResult.FindStringSubmatch(q.Query)
		if m == nil {
			t.Fatalf("%s: %s: unexpected query %q", file, v.Name, q.Query)
		}
		pattern := regexp.MustCompile(strings.Trim(v.Regex, "/"))
		for _, s := range api.Query(t, expandVariables(t, m[1], job, "")) {
			// Grafana matches the regular expression of the variable with this text.
			text := fmt.Sprintf(`{vm="%s",vm_id="%s"} %s 1795780000000`,
				s.Labels["vm"], s.Labels["vm_id"], s.Value.String())
			found := pattern.FindStringSubmatch(text)
			if found == nil || found[pattern.SubexpIndex("text")] != s.Labels["vm"] ||
				found[pattern.SubexpIndex("value")] != s.Labels["vm_id"] {
				t.Errorf("%s: %s: %v matches as %q", file, v.Name, s, found)
				continue
			}
			vms = append(vms, s.Labels["vm_id"])
		}
		if len(vms) == 0 {
			t.Errorf("%s: %s: no values", file, v.Name)
		}
	}
	return vms
}
