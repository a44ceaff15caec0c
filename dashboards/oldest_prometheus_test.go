//go:build prometheus

package dashboards_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// The oldest supported Prometheus starts with the example configuration, scrapes the exporters, and evaluates the rules
// without errors. All other tests of running servers use the current one.
func TestOldestPrometheusScrapesAndEvaluatesRules(t *testing.T) {
	f := newFleet()
	f.start(t, "mixed", threeHosts, "--simulator.scenario=mixed", "--simulator.seed=2")
	api := promtest.Oldest.Start(t, f.prometheusConfig(t))
	api.Await(t, `count(hyperv_replica_up == 1) == 3`)
	api.Await(t, `relationship:hyperv_replica_objective_met:bool`)
	api.Await(t, `ALERTS{alertname="HyperVReplicaResynchronizing"}`)
	checkRuleHealth(t, api)
	if info, err := api.API.Buildinfo(t.Context()); err != nil || !strings.HasPrefix(info.Version, "2.") {
		t.Errorf("Prometheus has the version %q, want 2 (error: %v)", info.Version, err)
	}
}
