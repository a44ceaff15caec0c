package exporter

import (
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// defaults are the flags and their default values, as documented. --admin.data-dir depends on the system.
var defaults = map[string]string{
	"config.file":                            "",
	"config.check":                           "",
	"source":                                 "auto",
	"web.listen-address":                     ":10483",
	"web.telemetry-path":                     "/metrics",
	"web.config.file":                        "",
	"web.grafana-url":                        "",
	"web.max-requests":                       "40",
	"collector.relationship":                 "true",
	"collector.settings":                     "true",
	"collector.statistics":                   "true",
	"collector.statistics.health-issue-text": "true",
	"collector.service":                      "true",
	"collector.authorization":                "true",
	"collector.provider":                     "true",
	"collector.test_replica":                 "true",
	"collector.consistency":                  "true",
	"collector.failover_network":             "true",
	"collector.job":                          "true",
	"collector.recovery_point":               "true",
	"collector.certificate":                  "true",
	"collector.perf":                         "false",
	"rpo.objective":                          "",
	"scrape.timeout":                         "10s",
	"scrape.timeout-margin":                  "500ms",
	"scrape.max-age":                         "5m",
	"wmi.call-timeout":                       "5s",
	"wmi.workers":                            "4",
	"wmi.max-stuck-workers":                  "8",
	"simulator.vms":                          "0",
	"simulator.seed":                         "1",
	"simulator.host":                         "HV01",
	"simulator.scenario":                     "mixed",
	"simulator.monitoring-start":             "09:00",
	"simulator.fault":                        "",
	"admin.enabled":                          "false",
	"admin.listen-address":                   "127.0.0.1:10484",
	"admin.web.config.file":                  "",
	"admin.policy.file":                      "",
	"admin.host":                             "",
	"admin.audit.max-size":                   "64MB",
	"admin.audit.max-files":                  "10",
	"admin.max-connections":                  "256",
	"admin.max-connections-per-address":      "32",
	"admin.request-rate":                     "10",
	"admin.request-burst":                    "100",
	"admin.action-rate":                      "2",
	"admin.action-burst":                     "100",
	"admin.max-actions":                      "32",
	"admin.bulk-parallelism":                 "3",
	"log.level":                              "info",
	"log.format":                             "logfmt",
	"help":                                   "",
	"help-long":                              "",
	"help-man":                               "",
	"completion-bash":                        "",
	"completion-script-bash":                 "",
	"completion-script-zsh":                  "",
	"version":                                "",
}

func TestFlagDefaults(t *testing.T) {
	app := newApplication(newConfig())
	got := map[string]string{}
	for _, f := range app.Model().Flags {
		got[f.Name] = strings.Join(f.Default, ",")
	}
	dataDir := got["admin.data-dir"]
	delete(got, "admin.data-dir")
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want, ok := defaults[name]; !ok || got[name] != want {
			t.Errorf("--%s: default %q, want %q (in the table: %v)", name, got[name], want, ok)
		}
	}
	for name := range defaults {
		if _, ok := got[name]; !ok {
			t.Errorf("--%s does not exist", name)
		}
	}
	want := "hyperv_replica_exporter_data"
	if runtime.GOOS == "windows" {
		want = `\hyperv_replica_exporter`
	}
	if !strings.HasSuffix(dataDir, want) {
		t.Errorf("--admin.data-dir: default %q, want one that ends in %q", dataDir, want)
	}
}

// Values below, at and above each limit.
func TestFlagLimits(t *testing.T) {
	for _, tt := range []struct {
		flag              string
		accepted, refused []string
	}{
		{"web.max-requests", []string{"1", "1000"}, []string{"0", "-1"}},
		{"scrape.timeout", []string{"1ns", "1h"}, []string{"0s", "-1s"}},
		{"scrape.timeout-margin", []string{"0s", "1s"}, []string{"-1ns"}},
		{"scrape.max-age", []string{"0s", "1h"}, []string{"-1ns"}},
		{"wmi.call-timeout", []string{"1ns", "1h"}, []string{"0s", "-1s"}},
		{"wmi.workers", []string{"1", "64"}, []string{"0", "65"}},
		{"wmi.max-stuck-workers", []string{"0", "1000"}, []string{"-1", "1001"}},
		{"admin.max-connections", []string{"1", "1000"}, []string{"0", "-1"}},
		{"admin.max-connections-per-address", []string{"1", "1000"}, []string{"0", "-1"}},
		{"admin.request-rate", []string{"0.01", "1000"}, []string{"0.009", "0", "-1", "NaN"}},
		{"admin.request-burst", []string{"1", "1000"}, []string{"0", "-1"}},
		{"admin.action-rate", []string{"0.01", "1000"}, []string{"0.009", "0", "-1", "NaN"}},
		{"admin.action-burst", []string{"1", "1000"}, []string{"0", "-1"}},
		{"admin.max-actions", []string{"1", "1000"}, []string{"0", "-1"}},
		{"admin.bulk-parallelism", []string{"1", "1000"}, []string{"0", "-1"}},
		{"simulator.monitoring-start", []string{"00:00", "23:59"}, []string{"24:00", "09:60", "9", "noon"}},
		{"log.level", []string{"debug", "info", "warn", "error"}, []string{"warning", ""}},
		{"log.format", []string{"logfmt", "json"}, []string{"text", ""}},
		{"web.telemetry-path", []string{"/", "/metrics", "/a/b", "/-"}, []string{
			"", "metrics", "/metrics/", "//a", "/a//b", "/a/../b", "/./a", "/-/", "/-/a", "/a b",
			"/{a}", "/a?b", "/a#b", "/a%20b",
		}},
	} {
		for _, value := range tt.accepted {
			if _, err := parseFlags([]string{"--source=simulator", "--" + tt.flag + "=" + value}, io.Discard, ""); err != nil {
				t.Errorf("--%s=%s: %v", tt.flag, value, err)
			}
		}
		for _, value := range tt.refused {
			if _, err := parseFlags([]string{"--source=simulator", "--" + tt.flag + "=" + value}, io.Discard, ""); err == nil {
				t.Errorf("--%s=%s is accepted", tt.flag, value)
			}
		}
	}
}
