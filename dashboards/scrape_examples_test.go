//go:build prometheus

package dashboards_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/promtest"
)

// scrapeExample is what the examples of scrapes have in common with prometheus.yml.
type scrapeExample struct {
	Global struct {
		ScrapeInterval string `yaml:"scrape_interval"`
	} `yaml:"global"`
	RuleFiles     []string `yaml:"rule_files"`
	ScrapeConfigs []struct {
		JobName       string        `yaml:"job_name"`
		ScrapeTimeout string        `yaml:"scrape_timeout"`
		Scheme        string        `yaml:"scheme"`
		TLS           tlsExample    `yaml:"tls_config"`
		BasicAuth     yaml.MapSlice `yaml:"basic_auth"`
		StaticConfigs []targets     `yaml:"static_configs"`
		FileConfigs   []struct {
			Files []string `yaml:"files"`
		} `yaml:"file_sd_configs"`
	} `yaml:"scrape_configs"`
}

type tlsExample struct {
	CA   string `yaml:"ca_file"`
	Cert string `yaml:"cert_file"`
	Key  string `yaml:"key_file"`
}

type targets struct {
	Targets []string          `yaml:"targets"`
	Labels  map[string]string `yaml:"labels"`
}

// scrapeExamples are the examples in scrape/ with the flags that promtool needs for them. The files that they name, such
// as certificates, do not exist.
var scrapeExamples = map[string][]string{
	"file.yml": nil, "http.yml": nil, "tls.yml": nil, "mtls.yml": nil, "agent.yml": {"--agent"},
}

// The oldest and the newest release of Prometheus accept all examples.
func TestPromtoolAcceptsScrapeExamples(t *testing.T) {
	var names []string
	for _, file := range promtest.Glob(t, filepath.Join("scrape", "*.yml")) {
		name := filepath.Base(file)
		if _, ok := scrapeExamples[name]; !ok && name != "web-tls.yml" && name != "web-mtls.yml" {
			t.Errorf("%s is not checked", file)
		}
		names = append(names, name)
	}
	promtest.ForEachRelease(t, func(t *testing.T, r promtest.Release) {
		for name, flags := range scrapeExamples {
			if !slices.Contains(names, name) {
				t.Errorf("%s does not exist", name)
			}
			args := append([]string{"check", "config", "--syntax-only"}, flags...)
			r.RunPromtool(t, append(args, filepath.Join("scrape", name))...)
		}
		r.RunPromtool(t, "check", "config", filepath.Join("scrape", "file.yml"))
	})
}

// All examples scrape as prometheus.yml does: same interval and timeout, same hosts, same rules.
func TestScrapeExamplesEqualPrometheusExample(t *testing.T) {
	var want scrapeExample
	promtest.ReadYAML(t, "prometheus.yml", &want)
	wantJob := want.ScrapeConfigs[0]
	wantTargets := wantJob.StaticConfigs[0].Targets
	var wantRules []string
	for _, file := range want.RuleFiles {
		wantRules = append(wantRules, "../"+file)
	}
	if len(wantTargets) != 2 || len(wantRules) < 3 {
		t.Fatalf("prometheus.yml has the targets %q and the rules %q", wantTargets, wantRules)
	}
	for name := range scrapeExamples {
		var got scrapeExample
		promtest.ReadYAML(t, filepath.Join("scrape", name), &got)
		if len(got.ScrapeConfigs) != 1 {
			t.Fatalf("%s has %d jobs", name, len(got.ScrapeConfigs))
		}
		job := got.ScrapeConfigs[0]
		if got.Global.ScrapeInterval != want.Global.ScrapeInterval || job.ScrapeTimeout != wantJob.ScrapeTimeout ||
			job.JobName != wantJob.JobName {
			t.Errorf("%s: interval %s, timeout %s, job %s", name, got.Global.ScrapeInterval, job.ScrapeTimeout, job.JobName)
		}
		if rules := wantRules; name != "agent.yml" && !reflect.DeepEqual(got.RuleFiles, rules) {
			t.Errorf("%s: rules %q, want %q", name, got.RuleFiles, rules)
		}
		hosts := job.StaticConfigs
		for _, c := range job.FileConfigs {
			for _, pattern := range c.Files {
				for _, file := range promtest.Glob(t, filepath.Join("scrape", pattern)) {
					promtest.ReadYAML(t, file, &hosts)
				}
			}
		}
		if name == "http.yml" { // its comment has the response of the web service
			if response := fmt.Sprintf(`[{"targets": ["%s"]`, strings.Join(wantTargets, `", "`)); !strings.Contains(readExample(t, name), response) {
				t.Errorf("%s: no %s", name, response)
			}
			continue
		}
		if len(hosts) != 1 || !slices.Equal(hosts[0].Targets, wantTargets) {
			t.Errorf("%s: hosts %+v, want %q", name, hosts, wantTargets)
		}
	}
}

// readExample returns the text of an example.
func readExample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("scrape", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
