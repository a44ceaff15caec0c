//go:build prometheus

package dashboards_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fixedRanges are the panels whose queries use a fixed range instead of $__rate_interval. Cycles, calls that hang and
// failed operations are rarer than scrapes, so these panels show their number during a time that the title or the
// description names. The verdicts use samples of the last five minutes, as the recording rules do.
var fixedRanges = map[string]string{
	"vm.json: Missed cycles and failures in the last hour": "[1h]",
	"exporter.json: Stuck WMI calls":                       "[1h]",
	"exporter.json: Failed operations in the last hour":    "[1h]",
	"fleet.json: Highest throughput by host":               "[1h]",
	"dr-readiness.json: VMs ready for failover":            "[5m]",
	"dr-readiness.json: Failover readiness":                "[5m]",
	"dr-readiness.json: Verdicts":                          "[5m]",
}

// anyHostMetrics are the metrics that panels query from all hosts, not only from the chosen ones: a test failover may
// be recorded at either end of a relationship.
var anyHostMetrics = []string{"hyperv_replica_last_test_failover_timestamp_seconds"}

// verdictPanels are the panels with verdicts on VMs. A verdict uses the data of all hosts, so that it does not change
// with the chosen hosts; these only choose the VMs.
var verdictPanels = []string{
	"dr-readiness.json: VMs ready for failover", "dr-readiness.json: Failover readiness", "dr-readiness.json: Verdicts",
}

// Queries select the chosen job, hosts and VM, use only metrics that exist, and apply rate and increase to counters
// and to nothing else.
func TestPanelQueriesUseVariablesAndExistingMetrics(t *testing.T) {
	types := metricTypes(t)
	for file, d := range readDashboards(t) {
		oneVM := slices.ContainsFunc(d.Templating.List, func(v variable) bool { return v.Name == "vm_id" })
		for _, p := range d.dataPanels() {
			for _, q := range p.Targets {
				name := fmt.Sprintf("%s: %s %s", file, p.Title, q.RefID)
				found := selectorsIn(q.Expr)
				if len(found) == 0 {
					t.Errorf("%s: no selector in %s", name, q.Expr)
				}
				for _, s := range found {
					anyHost := slices.Contains(verdictPanels, file+": "+p.Title)
					checkSelector(t, name, types, s, oneVM, anyHost)
					ranges := []string{"", "[$__rate_interval]", "[$__range]", fixedRanges[file+": "+p.Title]}
					if !slices.Contains(ranges, s.Range) {
						t.Errorf("%s: %s%s has the range %s", name, s.Name, s.Matchers, s.Range)
					}
				}
			}
		}
		for _, a := range d.Annotations.List {
			for _, s := range selectorsIn(a.Expr) {
				checkSelector(t, file+": "+a.Name, types, s, oneVM, false)
			}
		}
	}
}

func checkSelector(t *testing.T, query string, types map[string]string, s selector, oneVM, anyHost bool) {
	t.Helper()
	metricType := types[s.Name]
	if metricType == "" {
		t.Errorf("%s: the metric %s does not exist", query, s.Name)
	}
	isRate := slices.Contains([]string{"rate", "increase"}, s.Function) && s.Range != ""
	if isRate != (metricType == "counter") {
		t.Errorf("%s: %s of the type %s is used in %s(%s)", query, s.Name, metricType, s.Function, s.Range)
	}
	matches := func(label string) bool {
		return regexp.MustCompile(`[{ ]` + label + `=~?"\$` + label + `\b`).MatchString(s.Matchers)
	}
	// Most recording rules have no labels for the job and the host. Rules of the level fleet, the thresholds, have none
	// for the VM.
	level, _, isRule := strings.Cut(s.Name, ":")
	anyHost = anyHost || slices.Contains(anyHostMetrics, s.Name)
	if !isRule && (!matches("job") || !matches("instance") && !anyHost) {
		t.Errorf("%s: %s%s does not select the chosen job and hosts", query, s.Name, s.Matchers)
	}
	if oneVM && level != "fleet" && !matches("vm_id") {
		t.Errorf("%s: %s%s does not select the chosen VM", query, s.Name, s.Matchers)
	}
}
