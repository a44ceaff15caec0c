//go:build prometheus

package dashboards_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// otherMappedWords are the words in value mappings that are neither states nor health values: data sources of
// exporters, verdicts, and severities of health issues and alerts.
var otherMappedWords = []string{"wmi", "ready", "fatal", "information", "info"}

// Rules and dashboards name only states and health values that exist. A matcher with a misspelt name selects nothing,
// without an error.
func TestRulesAndDashboardsNameExistingStates(t *testing.T) {
	var known []string
	for n := range uint16(256) {
		known = append(known, msvm.ReplicationState(n).String(), msvm.ReplicationHealth(n).String())
	}
	for files, pattern := range map[string]*regexp.Regexp{
		ruleFiles: regexp.MustCompile(`\b(?:state|health)(?:=|!=|=~|!~)"([^"]+)"`),
		// A matcher in a query, a pattern of a value mapping, or a pattern that renames a series.
		dashboardFiles: regexp.MustCompile(`\b(?:state|health)(?:=|!=|=~|!~)\\"([^"\\]+)\\"` +
			`|"pattern": "\^\(?([a-z_]+(?:\|[a-z_]+)*)\)?\$"|"/: \(([a-z_|]+)\)\$/"`),
	} {
		for _, file := range promtest.Glob(t, files) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
				for name := range strings.SplitSeq(strings.Join(m[1:], ""), "|") {
					if strings.HasPrefix(name, "$") { // a variable of a dashboard
						continue
					}
					namePattern := regexp.MustCompile("^(?:" + name + ")$")
					if !slices.Contains(otherMappedWords, name) && !slices.ContainsFunc(known, namePattern.MatchString) {
						t.Errorf("%s: no state or health has the name %s", file, name)
					}
				}
			}
		}
	}
}
