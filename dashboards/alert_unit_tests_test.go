//go:build prometheus

package dashboards_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"
)

var ruleTestFiles = filepath.Join("rules", "tests", "*.yml")

func TestAlertUnitTestsPass(t *testing.T) {
	promtest.ForEachRelease(t, func(t *testing.T, r promtest.Release) {
		for _, file := range promtest.Glob(t, ruleTestFiles) {
			t.Run(filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				r.RunPromtool(t, "test", "rules", file)
			})
		}
	})
}

// unitTestFile has the fields of a file of promtool's unit tests that these tests use.
type unitTestFile struct {
	EvaluationInterval time.Duration `yaml:"evaluation_interval"`
	GroupEvalOrder     []string      `yaml:"group_eval_order"`
	Tests              []struct {
		Name   string
		Alerts []struct {
			Name     string        `yaml:"alertname"`
			At       time.Duration `yaml:"eval_time"`
			Expected []any         `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

// Each alert has a unit test with the alert's name, in which the alert does not fire until one evaluation before it
// first fires, and a unit test "NAME: near misses", in which it never fires.
func TestEachAlertHasUnitTests(t *testing.T) {
	rules, groups := promtest.ReadRules(t, ruleFiles)
	alerts := alertsByName(rules)
	testedFiring, testedNearMisses := map[string]bool{}, map[string]bool{}
	for _, file := range promtest.Glob(t, ruleTestFiles) {
		var content unitTestFile
		promtest.ReadYAML(t, file, &content)
		// Without an explicit order, promtool may evaluate alerts before the recording rules that they use.
		if !slices.Equal(content.GroupEvalOrder, groups) {
			t.Errorf("%s: group_eval_order is %q, want %q", file, content.GroupEvalOrder, groups)
		}
		for _, test := range content.Tests {
			alert, isNearMisses := strings.CutSuffix(test.Name, ": near misses")
			silentAt, firstFiring := map[time.Duration]bool{}, time.Duration(0)
			for _, a := range test.Alerts {
				if _, ok := alerts[a.Name]; !ok {
					t.Errorf("%s: %s: the alert %s does not exist", file, test.Name, a.Name)
				}
				switch {
				case a.Name != alert:
				case len(a.Expected) == 0:
					silentAt[a.At] = true
				case firstFiring == 0 || a.At < firstFiring:
					firstFiring = a.At
				}
			}
			if isNearMisses {
				testedNearMisses[alert] = len(silentAt) > 0 && firstFiring == 0
			} else if silentAt[firstFiring-content.EvaluationInterval] {
				testedFiring[alert] = true
			}
		}
	}
	for alert := range alerts {
		if !testedFiring[alert] {
			t.Errorf("%s: no unit test shows it firing, and not firing one evaluation earlier", alert)
		}
		if !testedNearMisses[alert] {
			t.Errorf("%s: no unit test of near misses", alert)
		}
	}
}
