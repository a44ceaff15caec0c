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

// Rules and dashboards name only states and health that there are: one that is spelt
// wrong matches nothing, and nobody notices.
func TestStatesAreSpeltRight(t *testing.T) {
	var known []string
	for n := range uint16(256) {
		known = append(known, msvm.ReplicationState(n).String(), msvm.ReplicationHealth(n).String())
	}
	// A matcher of PromQL; a pattern of a value mapping, and of a series' name.
	for files, named := range map[string]*regexp.Regexp{
		ruleFiles: regexp.MustCompile(`\b(?:state|health)(?:=|!=|=~|!~)"([^"]+)"`),
		"*.json":  regexp.MustCompile(`\b(?:state|health)(?:=|!=|=~|!~)\\"([^"\\]+)\\"|"pattern": "\^\(?([a-z_]+(?:\|[a-z_]+)*)\)?\$"|"/: \(([a-z_|]+)\)\$/"`),
	} {
		for _, file := range promtest.Glob(t, files) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				for word := range strings.SplitSeq(strings.Join(m[1:], ""), "|") {
					pattern := regexp.MustCompile("^(?:" + word + ")$")
					if word != "wmi" && !slices.ContainsFunc(known, pattern.MatchString) {
						t.Errorf("%s: there is no state or health %s", file, word)
					}
				}
			}
		}
	}
}
