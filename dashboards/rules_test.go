//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"hyperv_replica_exporter/internal/promtest"
)

var ruleFiles = filepath.Join("rules", "*.yml")

func TestPromtoolAcceptsRulesAndConfiguration(t *testing.T) {
	promtest.ForEachRelease(t, func(t *testing.T, r promtest.Release) {
		r.RunPromtool(t, append([]string{"check", "rules"}, promtest.Glob(t, ruleFiles)...)...)
		r.RunPromtool(t, "check", "config", "prometheus.yml")
	})
}

func alertsByName(rules []promtest.Rule) map[string]promtest.Rule {
	alerts := map[string]promtest.Rule{}
	for _, r := range rules {
		if r.Alert != "" {
			alerts[r.Alert] = r
		}
	}
	return alerts
}

func TestRecordingRulesAreNamedByConvention(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		if r.Record != "" && strings.Count(r.Record, ":") != 2 {
			t.Errorf("%s: the name must have the form level:metric:operation", r.Record)
		}
	}
}

// comparedNumber matches a number that the expression of an alert compares with.
var comparedNumber = regexp.MustCompile(`[<>=]=?\s*([0-9][0-9.]*)`)

// subjectLabels are the labels of the object of an alert: its VM, else its host, else the servers of a line.
var subjectLabels = regexp.MustCompile(`\$labels\.(vm|instance|primary_server) `)

// Each alert has a name and a severity of its own, a duration, annotations that name the object, and links to its runbook
// and to a dashboard. Its thresholds are recording rules.
func TestAlertsFollowConventions(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	var names []string
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		names = append(names, r.Alert+" "+r.Labels["severity"])
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
		if r.For == "" {
			t.Errorf("%s: no for", r.Alert)
		}
		for _, a := range []string{"summary", "description"} {
			if text := r.Annotations[a]; !subjectLabels.MatchString(text) && r.Alert != "HyperVReplicaNoExporters" {
				t.Errorf("%s: the %s does not name a VM, host or line: %q", r.Alert, a, text)
			}
		}
		want := "{{ $externalLabels.docs_url }}docs/runbooks.md#" + strings.ToLower(r.Alert)
		if r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		for _, m := range comparedNumber.FindAllStringSubmatch(r.Expr, -1) {
			if m[1] != "0" && m[1] != "1" {
				t.Errorf("%s: the threshold %s must be a recording rule in the group of thresholds", r.Alert, m[1])
			}
		}
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(names))); len(unique) != len(names) {
		t.Errorf("%d alerts have %d different names", len(names), len(unique))
	}
}

// Alerts of one name differ in their severity. Only the kinds of alerts that someone must act on at once are critical: a
// new one is a decision of everybody who is on call.
func TestCriticalAlerts(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	var got []string
	for _, r := range rules {
		if r.Labels["severity"] == "critical" && r.Alert != "" {
			got = append(got, strings.TrimPrefix(r.Alert, "HyperVReplica"))
		}
	}
	wantRows(t, got, []string{
		"ObjectiveMissed",
		"SplitBrain",
		"HealthCritical",
		"ResynchronizationRequired", "ResynchronizationStuck", // one kind
		"SiteLost",
		"LineDown",
		"PausedOnReplica",
		"CertificateExpires",
		"HostUnreadable",
		"NoExporters",
	})
}

// dashboardLink matches the link of an alert to a dashboard: its UID and, if it has one, a variable and its label.
var dashboardLink = regexp.MustCompile(
	`^\{\{ \$externalLabels\.grafana_url \}\}/d/([a-z-]+)(?:\?var-(\w+)=\{\{ \$labels\.(\w+) \}\})?$`)

// The links of alerts lead to dashboards and variables that exist. The variable has the name of a label.
func TestAlertsLinkToDashboards(t *testing.T) {
	variables := map[string][]string{} // by UID
	for _, file := range promtest.Glob(t, dashboardFiles) {
		var d struct {
			UID        string
			Templating struct{ List []struct{ Name string } }
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		variables[d.UID] = []string{""}
		for _, v := range d.Templating.List {
			variables[d.UID] = append(variables[d.UID], v.Name)
		}
	}
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		m := dashboardLink.FindStringSubmatch(r.Annotations["dashboard_url"])
		if m == nil || !slices.Contains(variables[m[1]], m[2]) || m[2] != m[3] {
			t.Errorf("%s: dashboard_url %q", r.Alert, r.Annotations["dashboard_url"])
		}
	}
}

// jobMatcher matches a matcher for the name of a job.
var jobMatcher = regexp.MustCompile(`\bjob\s*(?:=|!=|=~|!~)\s*"`)

// Users name their jobs as they like. Templates of annotations are queries, too.
func TestRulesNameNoJob(t *testing.T) {
	for _, file := range promtest.Glob(t, ruleFiles) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if m := jobMatcher.FindString(string(text)); m != "" {
			t.Errorf("%s: %s", file, m)
		}
	}
}

// A threshold is an aggregation, so that a second series of it, with another label, is no error: scalar() would make
// each comparison false.
func TestThresholdsMayHaveSeveralSeries(t *testing.T) {
	use := regexp.MustCompile(`(\w+ ?(?:by \(vm\) )?\()?(fleet|vm):hyperv_replica_\w+:threshold`)
	rules, _ := promtest.ReadRules(t, ruleFiles)
	uses := 0
	for _, r := range rules {
		for _, m := range use.FindAllStringSubmatch(r.Expr, -1) {
			uses++
			// "unless on (vm) (vm:…" only asks whether the VM has a threshold of its own.
			isAggregated := m[1] == "min(" || m[1] == "max(" || m[1] == "min by (vm) ("
			if !isAggregated && !strings.Contains(r.Expr, "unless on (vm) "+m[0]) {
				t.Errorf("%s%s: %s is not aggregated", r.Record, r.Alert, m[0])
			}
		}
	}
	if uses < 20 {
		t.Errorf("%d uses of thresholds were found, want at least 20", uses)
	}
}

// The result of a rule must not be older than five minutes, after which Prometheus drops it: each group is evaluated
// more often.
func TestGroupsAreEvaluatedWithinLookback(t *testing.T) {
	intervals := 0
	for _, file := range promtest.Glob(t, ruleFiles) {
		var content struct {
			Groups []struct {
				Name     string
				Interval time.Duration
			}
		}
		promtest.ReadYAML(t, file, &content)
		for _, g := range content.Groups {
			if g.Interval >= 5*time.Minute {
				t.Errorf("%s: the interval is %v, want less than five minutes", g.Name, g.Interval)
			}
			if g.Interval > 0 {
				intervals++
			}
		}
	}
	if intervals != 1 {
		t.Errorf("%d groups have an interval of their own, want that of the budget only", intervals)
	}
}

// rawSelector matches a selector of a metric of the exporter, with the bracket of its range, if it has one.
var rawSelector = regexp.MustCompile(`\bhyperv_replica_[a-z_]+(\{[^}]*\})?\[?`)

// instantRules are the rules that may use the value of the last scrape only.
var instantRules = []string{
	// A VM that moves must not be on both hosts.
	"scrape:hyperv_replica_mode:last",
	// Other rules hold their values.
	"announcement:hyperv_replica_maintenance_active:held",
	"machine:hyperv_replica_maintenance_active:max",
	// Their values end with the operation.
	"vm_operation:hyperv_replica_operation_eta_seconds:max",
	"vm_operation:hyperv_replica_copy_progress_ratio:delta2h",
	// After a failover or a move, the previous host must not count.
	"HyperVReplicaSplitBrain",
}

// Rules select a range of each metric and so use its last value, even if scrapes have failed since.
func TestRulesTolerateFailedScrapes(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		if slices.Contains(instantRules, r.Record+r.Alert) {
			continue
		}
		for _, at := range rawSelector.FindAllStringIndex(r.Expr, -1) {
			text := r.Expr[at[0]:at[1]]
			isRule := at[0] > 0 && r.Expr[at[0]-1] == ':' || at[1] < len(r.Expr) && r.Expr[at[1]] == ':'
			if !isRule && !strings.HasSuffix(text, "[") {
				t.Errorf("%s%s: %s selects the last scrape only, want a range", r.Record, r.Alert, text)
			}
		}
	}
}

// checkRuleHealth checks that Prometheus has evaluated all rules, and the templates of annotations, without errors.
func checkRuleHealth(t *testing.T, api *promtest.Prometheus) {
	t.Helper()
	result, err := api.API.Rules(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	check := func(group, name string, health v1.RuleHealth, lastError string) {
		count++
		// The health may be unknown: a group with a long interval may not have been evaluated yet.
		if health == v1.RuleHealthBad || lastError != "" {
			t.Errorf("%s: %s: %s", group, name, lastError)
		}
	}
	for _, g := range result.Groups {
		for _, r := range g.Rules {
			switch r := r.(type) {
			case v1.RecordingRule:
				check(g.Name, r.Name, r.Health, r.LastError)
			case v1.AlertingRule:
				check(g.Name, r.Name, r.Health, r.LastError)
				for _, a := range r.Alerts {
					for key, value := range a.Annotations {
						text := string(value)
						if strings.Contains(text, "error expanding") || strings.Contains(text, "no value") {
							t.Errorf("%s: annotation %s is %q", r.Name, key, text)
						}
					}
				}
			}
		}
	}
	if rules, _ := promtest.ReadRules(t, ruleFiles); count != len(rules) {
		t.Errorf("Prometheus has %d rules, the files have %d", count, len(rules))
	}
}
