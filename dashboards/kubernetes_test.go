//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/promtest"
)

// prometheusRule is an object of the Prometheus Operator, with the fields of the custom resource that rules may use.
type prometheusRule struct {
	APIVersion string `yaml:"apiVersion" json:"apiVersion"`
	Kind       string `yaml:"kind" json:"kind"`
	Metadata   struct {
		Name string `yaml:"name" json:"name"`
	} `yaml:"metadata" json:"metadata"`
	Spec ruleGroups `yaml:"spec" json:"spec"`
}

type ruleGroups struct {
	Groups []struct {
		Name     string `yaml:"name" json:"name"`
		Interval string `yaml:"interval" json:"interval,omitempty"`
		Limit    int    `yaml:"limit" json:"limit,omitempty"`
		Rules    []struct {
			Record        string            `yaml:"record" json:"record,omitempty"`
			Alert         string            `yaml:"alert" json:"alert,omitempty"`
			Expr          string            `yaml:"expr" json:"expr"`
			For           string            `yaml:"for" json:"for,omitempty"`
			KeepFiringFor string            `yaml:"keep_firing_for" json:"keep_firing_for,omitempty"`
			Labels        map[string]string `yaml:"labels" json:"labels,omitempty"`
			Annotations   map[string]string `yaml:"annotations" json:"annotations,omitempty"`
		} `yaml:"rules" json:"rules"`
	} `yaml:"groups" json:"groups"`
}

// prometheusRuleFile returns the file of the object for a rule file.
func prometheusRuleFile(ruleFile string) string {
	name := strings.TrimSuffix(filepath.Base(ruleFile), ".yml")
	return filepath.Join("kubernetes", "prometheusrule-"+name+".yaml")
}

// formatPrometheusRule returns the text of the object for a rule file: the text of the rule file is its spec.
func formatPrometheusRule(ruleFile, text string) string {
	base := filepath.Base(ruleFile)
	comment, groups, _ := strings.Cut("\n"+text, "\ngroups:\n")
	spec := "  groups:\n"
	for line := range strings.Lines(groups) {
		if line != "\n" {
			line = "  " + line
		}
		spec += line
	}
	return fmt.Sprintf("# Made from rules/%s with `make kubernetes`.\n#%s\napiVersion: monitoring.coreos.com/v1\n"+
		"kind: PrometheusRule\nmetadata:\n  name: hyperv-replica-%s\nspec:\n%s",
		base, comment, strings.TrimSuffix(base, ".yml"), spec)
}

// kubernetes/ has a PrometheusRule for each rule file, and no other ones. With the flag -update, the test writes them.
func TestPrometheusRulesEqualRuleFiles(t *testing.T) {
	var want []string
	for _, ruleFile := range promtest.Glob(t, ruleFiles) {
		text, err := os.ReadFile(ruleFile)
		if err != nil {
			t.Fatal(err)
		}
		file, object := prometheusRuleFile(ruleFile), formatPrometheusRule(ruleFile, string(text))
		want = append(want, file)
		if *update {
			if err := os.WriteFile(file, []byte(object), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); string(got) != object {
			t.Errorf("%s is not made from %s; run `make kubernetes` (error: %v)", file, ruleFile, err)
		}
	}
	for _, file := range promtest.Glob(t, prometheusRuleFile("*.yml")) {
		if slices.Contains(want, file) {
			continue
		}
		if *update {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s: no such rule file; run `make kubernetes`", file)
	}
}

// Each PrometheusRule has the groups of its rule file, only fields of the custom resource, and a size that
// `kubectl apply` can keep in an annotation, which Kubernetes limits to 256 KiB.
func TestPrometheusRulesAreValid(t *testing.T) {
	names := map[string]bool{}
	for _, ruleFile := range promtest.Glob(t, ruleFiles) {
		file := prometheusRuleFile(ruleFile)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var object prometheusRule
		if err := yaml.UnmarshalStrict(text, &object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var rules ruleGroups
		promtest.ReadYAML(t, ruleFile, &rules)
		if len(rules.Groups) == 0 || !reflect.DeepEqual(object.Spec, rules) {
			t.Errorf("%s has other groups than %s", file, ruleFile)
		}
		if object.APIVersion != "monitoring.coreos.com/v1" || object.Kind != "PrometheusRule" {
			t.Errorf("%s is a %s of %s", file, object.Kind, object.APIVersion)
		}
		if names[object.Metadata.Name] {
			t.Errorf("%s: another object has the name %s", file, object.Metadata.Name)
		}
		names[object.Metadata.Name] = true
		applied, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if len(applied) >= 262_144 {
			t.Errorf("%s has %d bytes, want less than 262144", file, len(applied))
		}
	}
}

// README.md applies the objects of the rule files that the example configuration of Prometheus loads.
func TestDocumentationAppliesPrometheusRules(t *testing.T) {
	var example struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	promtest.ReadYAML(t, "prometheus.yml", &example)
	var want []string
	for _, pattern := range example.RuleFiles {
		for _, file := range promtest.Glob(t, pattern) {
			want = append(want, filepath.ToSlash(prometheusRuleFile(file)))
		}
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`-f (\S+/prometheusrule-\S+)`).FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The example ScrapeConfig scrapes the same targets in the same way as the example configuration of Prometheus.
func TestScrapeConfigEqualsPrometheusExample(t *testing.T) {
	type staticConfigs []struct{ Targets []string }
	var example struct {
		Global struct {
			ScrapeInterval string `yaml:"scrape_interval"`
		}
		ScrapeConfigs []struct {
			JobName       string        `yaml:"job_name"`
			ScrapeTimeout string        `yaml:"scrape_timeout"`
			StaticConfigs staticConfigs `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	promtest.ReadYAML(t, "prometheus.yml", &example)
	job := example.ScrapeConfigs[0]
	text, err := os.ReadFile(filepath.Join("kubernetes", "scrapeconfig.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type scrapeConfig struct {
		JobName        string        `yaml:"jobName"`
		ScrapeInterval string        `yaml:"scrapeInterval"`
		ScrapeTimeout  string        `yaml:"scrapeTimeout"`
		StaticConfigs  staticConfigs `yaml:"staticConfigs"`
	}
	var object struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name string }
		Spec       scrapeConfig
	}
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		t.Fatal(err)
	}
	want := scrapeConfig{job.JobName, example.Global.ScrapeInterval, job.ScrapeTimeout, job.StaticConfigs}
	if !reflect.DeepEqual(object.Spec, want) || len(want.StaticConfigs) == 0 {
		t.Errorf("got %+v\nwant %+v", object.Spec, want)
	}
}
