//go:build prometheus

package dashboards_test

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
	"hyperv_replica_exporter/internal/promtest"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// expectedAlerts returns the alerts of which Alertmanager must notify a receiver, for each simulation: all scenarios,
// an unreadable host, and hosts under maintenance. A line has the receiver, the alert, and its VMs or hosts.
//
// The lines lack alerts that Alertmanager inhibits, since these must not arrive. LagAlert stands for any alert about
// lag and health, with any receiver: which of them a slow VM has depends on the time of day. Alerts about copies
// without progress fire for all copies, since the test is too short for progress to show.
func expectedAlerts() map[string]string {
	mixed := `
		pager   HealthCritical backup-proxy-01 crm-app-01 vpn01
		pager   PausedOnReplica rds01
		pager   ResynchronizationRequired build01
		pager   ResynchronizationStuck wsus01
		pager   SplitBrain dev-linux-01
		mail    InitialReplicationStuck erp-db-01 sharepoint01 web02
		mail    LeftPrepared intranet01
		mail    Paused monitoring01 print01
		mail    TestReplicaLeft radius01
		any     LagAlert mail01
		journal Resynchronizing wsus01
		journal VMUnprotected app01`
	return map[string]string{
		"mixed": mixed, "german": mixed, "chinese": mixed,
		"healthy": `
		mail    TestReplicaLeft mail01`,
		"lagging": `
		any     LagAlert backup-proxy-01 crm-app-01 intranet01 monitoring01 print01 rds01 sharepoint01 vpn01
		mail    TestReplicaLeft mail01`,
		"wan-outage": `
		pager   LineDown HV01>HV02 HV02>HV01
		pager   HealthCritical app01/extended file-server-01
		mail    TestReplicaLeft mail01`,
		"replica-backup": `
		journal ApplyLagHigh app01 app01/extended dc01 mail01 sql01 web01
		mail    TestReplicaLeft mail01`,
		"resync-storm": `
		pager   ResynchronizationRequired dev-linux-01 erp-db-01 monitoring01 sharepoint01 vpn01
		pager   ResynchronizationStuck build01 crm-app-01 intranet01 wsus01
		mail    TestReplicaLeft mail01
		journal Resynchronizing build01 crm-app-01 intranet01 wsus01`,
		"every-state": mixed + `
		pager   ObjectiveMissed mail02 rds02 sharepoint02
		pager   HealthCritical backup-proxy-02 build02 dc02
		pager   SplitBrain erp-db-02
		mail    EndsDisagree intranet02
		mail    FailedOver file-server-02
		mail    InitialReplicationStuck sql02
		mail    LeftPrepared file-server-02 monitoring02 wsus02`,
		"failover-drill": `
		pager   HealthCritical crm-app-01 dc01 file-server-01 vpn01
		pager   SplitBrain app01 backup-proxy-01 rds01
		mail    LeftPrepared sharepoint01 sql01
		mail    TestReplicaLeft print01`,
		"unreadable": `
		pager   HostUnreadable HV01`,
		"maintenance": `
		journal Maintenance HV01 web01 sql01`,
	}
}

// parseExpectedAlerts parses a text of expectedAlerts. It returns the severity and the receiver, such as "critical
// pager", keyed by the alert and its object, such as "ObjectiveMissed app01".
func parseExpectedAlerts(text string) map[string]string {
	routes := map[string]string{
		"pager": "critical pager", "mail": "warning mail", "journal": "info journal", "any": "any",
	}
	expected := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		words := strings.Fields(line)
		for _, object := range words[2:] {
			expected[words[1]+" "+object] = routes[words[0]]
		}
	}
	return expected
}

// scenarioSeeds are the seeds of the scenarios whose alerts depend on the seed. The load of simulated hosts depends on
// the time of day, and with most seeds a VM meets its objective at some hours and misses it at others. With these
// seeds, only slow VMs do: this was tried at 36 times of a day.
var scenarioSeeds = map[string]int{"lagging": 38, "resync-storm": 40}

// Exporters of all scenarios are scraped by a Prometheus server with the rules. Its alerts go through an Alertmanager
// with the example configuration to a webhook, where exactly the expected alerts arrive. One server scrapes all
// simulations, because starting servers for each scenario would take longer.
func TestAlertsAreRoutedToExpectedReceivers(t *testing.T) {
	f := newFleet()
	alerts := expectedAlerts()
	for i, name := range simulator.Scenarios() {
		if alerts[name] == "" {
			t.Errorf("no expected alerts for the scenario %s", name)
		}
		seed := cmp.Or(scenarioSeeds[name], 1+i)
		f.start(t, name, threeHosts,
			"--simulator.scenario="+name, fmt.Sprintf("--simulator.seed=%d", seed),
			"--rpo.objective=file-server-01=40m", "--rpo.objective=10m") // file-server-01 replicates every 15 minutes
	}
	f.start(t, "unreadable", oneHost, "--simulator.seed=20", "--simulator.fault=disconnected")
	// Both VMs replicate between HV01 and HV02, so both hosts report them.
	maintenanceArgs := []string{
		"--simulator.seed=21", "--simulator.scenario=wan-outage", "--simulator.vms=2", "--rpo.objective=10m",
	}
	adminArgs, _ := exportertest.AdminArgs(t)
	f.start(t, "maintenance", []string{"HV01"}, slices.Concat(adminArgs, maintenanceArgs)...)
	f.start(t, "maintenance", []string{"HV02"}, maintenanceArgs...)
	adminURL := f.exporters["maintenance HV01"].AdminURL(t)
	maintenance := announceMaintenance(t, adminURL)

	hook := newWebhook(t, f)
	a := startAlertmanager(t, hook.URL, true)
	api := promtest.Current.Start(t, f.prometheusConfig(t, a))
	for _, name := range slices.Sorted(maps.Keys(alerts)) {
		t.Run(name, func(t *testing.T) { hook.expect(t, name, parseExpectedAlerts(alerts[name])) })
	}
	t.Run("inhibited alerts", func(t *testing.T) { checkInhibitedAlerts(t, f, a, api, hook) })
	t.Run("relationships", func(t *testing.T) { checkRelationships(t, api) })
	t.Run("rule evaluation", func(t *testing.T) {
		checkRuleHealth(t, api)
		// The alert HyperVReplicaRulesFailing uses this metric.
		failures := regexp.MustCompile(
			`prometheus_rule_evaluation_failures_total\{rule_group="[^"]*;hyperv_replica_ends"\} 0\n`)
		if _, body := exportertest.Get(t, api.URL+"/metrics"); !failures.MatchString(body) {
			t.Errorf("no match of %s in the metrics of Prometheus", failures)
		}
	})
	// A failed scrape ends alerts, which then start again, possibly before the alerts that inhibit them.
	for _, s := range api.Query(t, `min_over_time(up[5m]) == 0`) {
		t.Errorf("the machine is too slow for this test: a scrape of %s failed", f.hosts[s.Labels["instance"]])
	}
	t.Run("no late alerts", func(t *testing.T) {
		for name, text := range alerts {
			hook.expect(t, name, parseExpectedAlerts(text))
		}
	})

	t.Run("an exporter goes down", func(t *testing.T) {
		f.exporters["unreadable HV01"].Stop()
		hook.expect(t, "unreadable", parseExpectedAlerts("pager HostUnreadable HV01\nmail ExporterDown HV01"))
		promtest.Await(t, "the alert about the unreadable host is resolved", func() bool {
			return hook.isResolved("unreadable", "HostUnreadable HV01")
		})
	})
	t.Run("maintenance ends", func(t *testing.T) {
		hook.clear("maintenance")
		endMaintenance(t, adminURL, maintenance)
		// The alerts about the VMs fire already. Whether they arrive before the line is known to be down depends on
		// which change reaches Alertmanager first.
		hook.expectWith(t, "maintenance", parseExpectedAlerts("pager LineDown HV01>HV02 HV02>HV01"),
			parseExpectedAlerts("pager HealthCritical web01 sql01"))
	})
	t.Run("no invalid messages", func(t *testing.T) { hook.expect(t, noSimulation, nil) })
}

// checkInhibitedAlerts checks that each firing alert has arrived or is inhibited, and that Alertmanager inhibits the
// alerts that other alerts explain.
func checkInhibitedAlerts(t *testing.T, f *fleet, a *alertmanager, api *promtest.Prometheus, hook *webhook) {
	t.Helper()
	inhibited := map[string]bool{}
	for _, alert := range a.alerts(t) {
		if alert.receivers() == "inhibited" {
			simulation, name := f.identify(alert.Labels)
			inhibited[simulation+": "+name] = true
		}
	}
	for _, s := range api.Query(t, `ALERTS{alertstate="firing"}`) {
		simulation, name := f.identify(s.Labels)
		if hook.received(simulation)[name] == "" && !inhibited[simulation+": "+name] {
			t.Errorf("%s: %s is firing and not inhibited, but did not arrive", simulation, name)
		}
	}
	for _, want := range []string{
		"mixed: HealthWarning build01", "mixed: ObjectiveMissed build01", "mixed: EndsDisagree crm-app-01",
		"mixed: HealthCritical build01", "mixed: HealthWarning wsus01", "mixed: ObjectiveMissed backup-proxy-01",
		"wan-outage: HealthCritical app01", "resync-storm: HealthCritical erp-db-01",
		"resync-storm: HealthWarning wsus01", "unreadable: CollectorFailing HV01",
		"maintenance: ObjectiveMissed web01", "maintenance: ObjectiveMissed sql01",
	} {
		if !inhibited[want] {
			t.Errorf("%s is not inhibited", want)
		}
	}
}

// checkRelationships checks that the rules have one series for each relationship, although several hosts report it.
func checkRelationships(t *testing.T, api *promtest.Prometheus) {
	t.Helper()
	for query, want := range map[string]string{
		`count by (vm_id, relationship) (relationship:hyperv_replica_lag_seconds:max) != 1`:    "",
		`max(count by (vm_id) (end:hyperv_replica_state:current{relationship="extended"}))`:    "2",
		`count(relationship:hyperv_replica_lag_seconds:max{relationship="extended"}) > bool 5`: "1",
	} {
		got := ""
		for _, s := range api.Query(t, query) {
			got += s.Value.String()
		}
		if got != want {
			t.Errorf("%s is %q, want %q", query, got, want)
		}
	}
}
