//go:build prometheus

package dashboards_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/exportertest"
	"hyperv_replica_exporter/internal/promtest"
)

// fleet has the exporters of the hosts of several simulations, which one Prometheus server scrapes. The VMs of
// different simulations have different GUIDs.
type fleet struct {
	exporters map[string]*exportertest.Program // by simulation and host, such as "mixed HV01"
	hosts     map[string]string                // simulation and host by instance
	vms       map[string]string                // simulation by vm_id
	targets   map[string][]string              // instances by simulation
}

func newFleet() *fleet {
	return &fleet{
		exporters: map[string]*exportertest.Program{}, hosts: map[string]string{}, vms: map[string]string{},
		targets: map[string][]string{},
	}
}

// start starts an exporter for each of the given hosts of a simulation.
func (f *fleet) start(t *testing.T, simulation string, hosts []string, args ...string) {
	t.Helper()
	for _, host := range hosts {
		p := exportertest.Start(t, slices.Concat(args, []string{"--simulator.host=" + host})...)
		u, err := url.Parse(p.URL)
		if err != nil {
			t.Fatal(err)
		}
		name := simulation + " " + host
		f.exporters[name], f.hosts[u.Host] = p, name
		f.targets[simulation] = append(f.targets[simulation], u.Host)
		_, body := exportertest.Get(t, p.URL)
		for _, m := range regexp.MustCompile(`vm_id="([^"]+)"`).FindAllStringSubmatch(body, -1) {
			f.vms[m[1]] = simulation
		}
	}
}

// noSimulation is the simulation of alerts whose object is in no simulation.
const noSimulation = ""

var (
	// lagAlerts matches the alerts that a slow VM may have. Which of them fire depends on the time of day.
	lagAlerts = regexp.MustCompile(
		`^HyperVReplica(ApplicationConsistentStale|ApplyLagHigh|CyclesMissed|HealthWarning|ObjectiveMissed|PendingGrowing)$`)
	// slowVMs are the slow VMs of each simulation.
	slowVMs = map[string]string{
		"mixed": "mail01", "german": "mail01", "chinese": "mail01", "every-state": "mail01",
		"lagging": "backup-proxy-01 crm-app-01 intranet01 monitoring01 print01 rds01 sharepoint01 vpn01",
	}
)

// identify returns the simulation of an alert, and the alert's name and object as in expectedAlerts.
func (f *fleet) identify(labels map[string]string) (simulation, alert string) {
	name := strings.TrimPrefix(labels["alertname"], "HyperVReplica")
	if server := labels["primary_server"]; server != "" && labels["vm_id"] == "" {
		simulation, server, _ := strings.Cut(server, "/")
		_, other, _ := strings.Cut(labels["replica_server"], "/")
		return simulation, fmt.Sprintf("%s %.4s>%.4s", name, server, other)
	}
	if labels["vm_id"] == "" {
		simulation, host, _ := strings.Cut(f.hosts[labels["instance"]], " ")
		return simulation, name + " " + host
	}
	simulation, vm := f.vms[labels["vm_id"]], labels["vm"]
	if labels["relationship"] == "extended" {
		vm += "/extended"
	}
	if lagAlerts.MatchString(labels["alertname"]) && slices.Contains(strings.Fields(slowVMs[simulation]), vm) {
		name = "LagAlert"
	}
	return simulation, name + " " + vm
}

// prometheusConfig returns the example configuration of Prometheus with the targets of the fleet, the given
// Alertmanagers and shorter intervals.
func (f *fleet) prometheusConfig(t *testing.T, alertmanagers ...*alertmanager) string {
	t.Helper()
	var config map[string]any
	promtest.ReadYAML(t, "prometheus.yml", &config)
	global := config["global"].(map[any]any)
	global["scrape_interval"], global["evaluation_interval"] = "3s", "3s"
	config["rule_files"] = []string{rulesWithShortDurations(t)}
	job := config["scrape_configs"].([]any)[0].(map[any]any)
	var targets []any
	for simulation, instances := range f.targets {
		targets = append(targets, map[string]any{
			"targets": instances, "labels": map[string]string{"simulation": simulation},
		})
	}
	job["scrape_timeout"], job["static_configs"] = "3s", targets
	// The hosts of different simulations have the same names.
	var relabel []any
	for _, label := range []string{"primary_connection_point", "replica_connection_point"} {
		relabel = append(relabel, map[string]any{
			"source_labels": []string{"simulation", label}, "regex": "(.+);(.+)", "replacement": "$1/$2", "target_label": label,
		})
	}
	job["metric_relabel_configs"] = relabel
	config["scrape_configs"] = []any{job} // without the job of Prometheus itself
	var addresses []string
	for _, a := range alertmanagers {
		addresses = append(addresses, strings.TrimPrefix(a.url, "http://"))
	}
	config["alerting"] = map[string]any{"alertmanagers": []any{map[string]any{
		"static_configs": []any{map[string]any{"targets": addresses}},
	}}}
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// durationField matches the for and keep_firing_for of an alert, unless they are 0.
var durationField = regexp.MustCompile(`(?m)^( +(?:keep_firing_)?for: )([1-9]\w*)$`)

// pauseThreshold matches the threshold of the duration of a pause.
var pauseThreshold = regexp.MustCompile(`(hyperv_replica_paused\w*:threshold, expr: vector\()\d+\)`)

// missingPointsThreshold matches the threshold of missing recovery points, which count only after a day.
var missingPointsThreshold = regexp.MustCompile(`(hyperv_replica_recovery_points_missing:threshold, expr: vector\()\d+\)`)

// rulesWithShortDurations writes the rule files with short durations to a temporary directory and returns their
// pattern. Durations up to five minutes become 6 seconds and longer ones 18 seconds, so that an alert that inhibits
// another still fires first, and thresholds of pauses 18 seconds. The range in which the last value of a metric counts
// becomes 30 seconds, which is ten scrapes as in the original rules.
func rulesWithShortDurations(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range promtest.Glob(t, ruleFiles) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = durationField.ReplaceAllFunc(text, func(line []byte) []byte {
			m := durationField.FindSubmatch(line)
			d, err := model.ParseDuration(string(m[2]))
			if err != nil {
				t.Fatal(err)
			}
			short := "6s"
			if time.Duration(d) > 5*time.Minute {
				short = "18s"
			}
			return append(m[1], short...)
		})
		text = bytes.ReplaceAll(text, []byte("[5m]"), []byte("[30s]"))
		text = pauseThreshold.ReplaceAll(text, []byte("${1}18)"))
		text = missingPointsThreshold.ReplaceAll(text, []byte("${1}100)"))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "*.yml")
}
