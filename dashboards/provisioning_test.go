//go:build prometheus

package dashboards_test

import (
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/promtest"
)

// The examples have the structure that Grafana expects of provisioning files.
func TestProvisioningExamplesAreValid(t *testing.T) {
	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type string
			Options    struct{ Path string }
		}
	}
	promtest.ReadYAML(t, filepath.Join("provisioning", "dashboards.yml"), &dashboards)
	if dashboards.APIVersion != 1 || len(dashboards.Providers) != 1 || dashboards.Providers[0].Type != "file" ||
		!filepath.IsAbs(dashboards.Providers[0].Options.Path) {
		t.Errorf("dashboards.yml: %+v", dashboards)
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, Type, Access, URL string
			JSONData                yaml.MapSlice `yaml:"jsonData"`
		}
	}
	promtest.ReadYAML(t, filepath.Join("provisioning", "datasources.yml"), &sources)
	if len(sources.Datasources) != 1 || sources.APIVersion != 1 {
		t.Fatalf("datasources.yml: %+v", sources)
	}
	source := sources.Datasources[0]
	var prometheus struct {
		Global struct {
			Interval string `yaml:"scrape_interval"`
		}
	}
	promtest.ReadYAML(t, "prometheus.yml", &prometheus)
	// timeInterval must be the scrape interval: $__rate_interval is at least four times timeInterval.
	interval := yaml.MapItem{Key: "timeInterval", Value: prometheus.Global.Interval}
	if source.Type != "prometheus" || source.URL == "" || !slices.Contains(source.JSONData, interval) {
		t.Errorf("datasources.yml: %+v, want the scrape interval %s", source, prometheus.Global.Interval)
	}
}
