//go:build prometheus

package promtest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v2"
)

// Rule is a rule of a Prometheus rule file.
type Rule struct {
	Record, Alert, Expr, For string
	KeepFiringFor            string `yaml:"keep_firing_for"`
	Labels, Annotations      map[string]string
}

// Glob returns the files that match a pattern. The test fails if no file matches.
func Glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files match, want at least one (error: %v)", pattern, len(files), err)
	}
	return files
}

// ReadYAML decodes a YAML file into v.
func ReadYAML(t testing.TB, file string, v any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// ReadRules returns all rules of the files that match a pattern, and the names of their groups. It reads the files in
// reverse order of their names, so that thresholds.yml comes before recording.yml, and alerts.yml is last.
func ReadRules(t testing.TB, pattern string) (rules []Rule, groups []string) {
	t.Helper()
	files := Glob(t, pattern)
	slices.Reverse(files)
	for _, file := range files {
		var content struct {
			Groups []struct {
				Name  string
				Rules []Rule
			}
		}
		ReadYAML(t, file, &content)
		for _, g := range content.Groups {
			groups = append(groups, g.Name)
			rules = append(rules, g.Rules...)
		}
	}
	return rules, groups
}
