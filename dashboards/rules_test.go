//go:build prometheus

package dashboards_test

import (
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

var (
	ruleFiles     = filepath.Join("rules", "*.yml")
	ruleTestFiles = filepath.Join("rules", "tests", "*.yml")
)

// ruleTests is a file of unit tests, as far as these tests look at it.
type ruleTests struct {
	EvaluationInterval time.Duration `yaml:"evaluation_interval"`
	GroupEvalOrder     []string      `yaml:"group_eval_order"`
	Tests              []struct {
		Name  string
		Rules []struct {
			Alert string        `yaml:"alertname"`
			At    time.Duration `yaml:"eval_time"`
			Want  []any         `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func alertsOf(rules []promtest.Rule) map[string]promtest.Rule {
	alerts := map[string]promtest.Rule{}
	for _, r := range rules {
		if r.Alert != "" {
			alerts[r.Alert] = r
		}
	}
	return alerts
}

// promtool takes the rules and the example configuration, and runs the unit tests.
func TestRules(t *testing.T) {
	promtest.Promtool(t, append([]string{"check", "rules"}, promtest.Glob(t, ruleFiles)...)...)
	promtest.Promtool(t, "check", "config", "prometheus.yml")
	for _, file := range promtest.Glob(t, ruleTestFiles) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			promtest.Promtool(t, "test", "rules", file)
		})
	}
}

// Each alert has a test of its name that is silent one evaluation before it fires,
// and one of near misses, in which it never fires.
func TestAlertsAreTested(t *testing.T) {
	rules, groups := promtest.ReadRules(t, ruleFiles)
	alerts := alertsOf(rules)
	onTime, silent := map[string]bool{}, map[string]bool{}
	for _, file := range promtest.Glob(t, ruleTestFiles) {
		var tests ruleTests
		promtest.ReadYAML(t, file, &tests)
		// Without an order promtool takes any, and an alert may come before what it stands on.
		if !slices.Equal(tests.GroupEvalOrder, groups) {
			t.Errorf("%s has the groups in the order %q, want %q", file, tests.GroupEvalOrder, groups)
		}
		for _, test := range tests.Tests {
			alert, misses := strings.CutSuffix(test.Name, ": near misses")
			silentAt, firstFiring := map[time.Duration]bool{}, time.Duration(0)
			for _, r := range test.Rules {
				if _, ok := alerts[r.Alert]; !ok {
					t.Errorf("%s: %s: there is no alert %s", file, test.Name, r.Alert)
				}
				switch {
				case r.Alert != alert:
				case len(r.Want) == 0:
					silentAt[r.At] = true
				case firstFiring == 0 || r.At < firstFiring:
					firstFiring = r.At
				}
			}
			if misses {
				silent[alert] = len(silentAt) > 0 && firstFiring == 0
			} else if silentAt[firstFiring-tests.EvaluationInterval] {
				onTime[alert] = true
			}
		}
	}
	for alert := range alerts {
		if !onTime[alert] {
			t.Errorf("%s has no test that shows it firing, and silent one evaluation before", alert)
		}
		if !silent[alert] {
			t.Errorf("%s has no test of near misses", alert)
		}
	}
}

// comparedNumber is a number that an alert's expression compares with.
var comparedNumber = regexp.MustCompile(`[<>=]=?\s*([0-9][0-9.]*)`)

func TestAlertsAreComplete(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	var names []string
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		names = append(names, r.Alert)
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		if r.For == "" {
			t.Errorf("%s has no for", r.Alert)
		}
		for _, a := range []string{"summary", "description"} {
			// The VM, or the host where it is about one, or the job where that has none.
			if text := r.Annotations[a]; !strings.Contains(text, "$labels.vm ") && !strings.Contains(text, "$labels.instance ") && !strings.Contains(text, "$labels.job ") {
				t.Errorf("%s: the %s does not say what it is about: %q", r.Alert, a, text)
			}
		}
		if want := "docs/runbooks.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s has the runbook %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		for _, m := range comparedNumber.FindAllStringSubmatch(r.Expr, -1) {
			if m[1] != "0" && m[1] != "1" {
				t.Errorf("%s has the threshold %s of its own; it belongs in the group of thresholds", r.Alert, m[1])
			}
		}
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(names))); len(unique) != len(names) {
		t.Errorf("alerts share a name: %d names of %d", len(unique), len(names))
	}
}

// rawMetric is a metric in an expression, with its matchers and what comes after.
var rawMetric = regexp.MustCompile(`\bhyperv_replica_[a-z_]+(\{[^}]*\})?\[?`)

// Rules judge what was said last, also if a scrape has failed since: they ask for a
// range of time of each metric. Where one tells a scrape that failed from one that did
// not, or only adds to what is shown, it is here.
func TestRulesOutlastAScrape(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		switch r.Record {
		case "end:hyperv_replica_mode:current", // a VM that moves is not on both hosts
			"announcement:hyperv_replica_maintenance_active:held", "machine:hyperv_replica_maintenance_active:max", // held by rules of their own
			"vm_operation:hyperv_replica_operation_eta_seconds:max", "vm_operation:hyperv_replica_copy_progress_ratio:delta2h": // over with the operation
			continue
		}
		for _, at := range rawMetric.FindAllStringIndex(r.Expr, -1) {
			name := r.Expr[at[0]:at[1]]
			if at[0] > 0 && r.Expr[at[0]-1] == ':' || at[1] < len(r.Expr) && r.Expr[at[1]] == ':' || strings.HasSuffix(name, "[") {
				continue
			}
			t.Errorf("%s%s asks for %s of the last scrape alone", r.Record, r.Alert, name)
		}
	}
}

// Each alert has a section in the runbooks, with all that one needs, and no
// section is of an alert that is not there.
func TestRunbooks(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	alerts := alertsOf(rules)
	text, err := os.ReadFile(filepath.Join("..", "docs", "runbooks.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		if !strings.HasPrefix(name, "HyperVReplica") {
			continue
		}
		seen[name] = true
		if _, ok := alerts[name]; !ok {
			t.Errorf("there is no alert %s", name)
		}
		for _, part := range []string{"**Meaning.**", "**Impact.**", "**Diagnosis.**", "**Mitigation.**", "**False positives.**", "```powershell\n"} {
			if !strings.Contains(body, part) {
				t.Errorf("%s has no %q", name, part)
			}
		}
	}
	for name := range alerts {
		if !seen[name] {
			t.Errorf("%s has no section", name)
		}
	}
}

// controlCall is a call of the admin endpoint in a runbook, and controlAction a row
// of the table of actions in its documentation, which is held against the code.
var (
	controlCall   = regexp.MustCompile(`(?m)^(act|confirm) "\$HV0\d" ([a-z-]+)`)
	controlAction = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]+ \\| ([^|]*?) *\\| (?:operator|failover|owner) ")
)

// The runbooks call only actions that there are, and confirm those that destroy.
func TestRunbookCalls(t *testing.T) {
	var text [2]string
	for i, page := range []string{"control.md", "runbooks.md"} {
		content, err := os.ReadFile(filepath.Join("..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(content)
	}
	how := map[string]string{}
	for _, m := range controlAction.FindAllStringSubmatch(text[0], -1) {
		how[m[1]] = "act"
		if m[2] != "" {
			how[m[1]] = "confirm"
		}
	}
	calls := map[string]bool{}
	for _, m := range controlCall.FindAllStringSubmatch(text[1], -1) {
		calls[m[2]] = true
		if how[m[2]] != m[1] {
			t.Errorf("the runbooks say %s %s, the documentation of the actions %q", m[1], m[2], how[m[2]])
		}
	}
	for _, action := range []string{"resume", "resynchronize", "cancel-failover", "cleanup-test-failover"} {
		if !calls[action] {
			t.Errorf("no runbook says how to %s", action)
		}
	}
}

// Rules, tests and runbooks name only what there is. What the program itself
// gives is taken from a scrape.
func TestRulesNameWhatThereIs(t *testing.T) {
	known := knownNames(t)
	rules, groups := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		if r.Record != "" {
			if strings.Count(r.Record, ":") != 2 {
				t.Errorf("%s is not level:metric:operation", r.Record)
			}
		}
	}
	known["hyperv_replica_exporter"] = "program"
	for _, g := range groups {
		known[g] = "group"
	}
	files := slices.Concat(promtest.Glob(t, ruleFiles), promtest.Glob(t, ruleTestFiles), []string{filepath.Join("..", "docs", "runbooks.md")})
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range namesIn(string(text)) {
			if known[name] == "" {
				t.Errorf("%s names %s, which there is not", file, name)
			}
		}
	}
}

// checkEvaluation checks that no rule failed, and no template of an annotation.
func checkEvaluation(t *testing.T, api *promtest.Prometheus) {
	t.Helper()
	result, err := api.API.Rules(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	check := func(group, name string, health v1.RuleHealth, lastError string) {
		count++
		// A group with an interval of its own may not have been evaluated yet.
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
						if text := string(value); strings.Contains(text, "error expanding") || strings.Contains(text, "no value") {
							t.Errorf("%s: the %s is %q", r.Name, key, text)
						}
					}
				}
			}
		}
	}
	if rules, _ := promtest.ReadRules(t, ruleFiles); count != len(rules) {
		t.Errorf("Prometheus has %d rules, the files %d", count, len(rules))
	}
}
