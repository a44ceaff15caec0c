//go:build prometheus

package dashboards_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// Each inhibition rule of the example configuration inhibits the alerts that it is for, and no similar ones.
func TestAlertmanagerInhibitsExplainedAlerts(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	alerts := alertsByName(rules)
	a := startAlertmanager(t, "http://127.0.0.1:1", false)
	// Alerts are Name/vm, Name/vm/relationship, Name@host or Name, the first two and the last with the servers of a line.
	for _, tt := range []struct{ name, firing, inhibited string }{
		{
			"no inhibition",
			"ObjectiveMissed/a HealthWarning/c CollectorFailing@hv01 Paused/d",
			"",
		},
		{
			"exporter down",
			"ExporterDown@hv01 CollectorFailing@hv01 CollectorFailing@hv02 ObjectiveMissed/a",
			"CollectorFailing@hv01",
		},
		{
			"host unreadable",
			"HostUnreadable@hv01 CollectorFailing@hv01 CollectorFailing@hv02",
			"CollectorFailing@hv01",
		},
		{
			"site lost",
			"SiteLost@hv01 ExporterDown@hv01 ExporterDown@hv02",
			"ExporterDown@hv01",
		},
		{
			"workers stuck",
			"WorkersStuck@hv01 CollectorFailing@hv01 CollectorFailing@hv02 ListenerDown@hv01",
			"CollectorFailing@hv01",
		},
		{
			"statistics of a VM",
			"StatisticsStale@hv01 CollectorFailing@hv01=statistics CollectorFailing@hv01=settings",
			"CollectorFailing@hv01=statistics",
		},
		{
			"line down",
			"LineDown=hv01+hv02 ObjectiveMissed/a=hv01+hv02 HealthCritical/b/extended=hv01+hv02 ObjectiveMissed/c=hv01+hv03 " +
				"ObjectiveMissed/d=hv02+hv01 ObjectiveMissed/e PausedOnReplica/f=hv01+hv02",
			"ObjectiveMissed/a=hv01+hv02 HealthCritical/b/extended=hv01+hv02",
		},
		{
			"split brain",
			"SplitBrain/a HealthCritical/a EndsDisagree/a HealthCritical/b",
			"HealthCritical/a EndsDisagree/a",
		},
		{
			"paused",
			"Paused/a ObjectiveMissed/a CyclesMissed/a ObjectiveMissed/b ResynchronizationRequired/a",
			"ObjectiveMissed/a CyclesMissed/a",
		},
		{
			"paused on the replica",
			"PausedOnReplica/a HealthCritical/a EndsDisagree/a HealthCritical/b",
			"HealthCritical/a EndsDisagree/a",
		},
		{
			"paused primary relationship, lagging extended relationship",
			"Paused/a ObjectiveMissed/a/extended",
			"",
		},
		{
			"resynchronization required",
			"ResynchronizationRequired/a ObjectiveMissed/a HealthCritical/a RecoveryPointsNotMerging/a",
			"ObjectiveMissed/a HealthCritical/a",
		},
		{
			"critical health and lag",
			"HealthCritical/a ObjectiveMissed/a HealthWarning/a ObjectiveMissed/b HealthWarning/b HealthWarning/c",
			"ObjectiveMissed/a HealthWarning/a HealthWarning/b",
		},
		{
			"resynchronizing",
			"Resynchronizing/a ObjectiveMissed/a LagUnknown/a HealthCritical/a ResynchronizationStuck/a " +
				"ObjectiveMissed/b",
			"ObjectiveMissed/a LagUnknown/a HealthCritical/a",
		},
		{
			"objective missed repeatedly",
			"ObjectiveBudgetBurns/a CyclesMissed/a HealthWarning/a ObjectiveBudgetBurns/b ObjectiveMissed/b",
			"CyclesMissed/a HealthWarning/a ObjectiveBudgetBurns/b",
		},
		{
			"certificate missing",
			"CertificateMissing@hv01 ListenerDown@hv01 ListenerDown@hv02",
			"ListenerDown@hv01",
		},
		{
			"maintenance of a VM",
			"Maintenance/a ObjectiveMissed/a HealthWarning/a/extended VMUnprotected/a ObjectiveMissed/b ExporterDown@hv01",
			"ObjectiveMissed/a HealthWarning/a/extended VMUnprotected/a",
		},
		{
			"maintenance of a host",
			"Maintenance@hv01 Maintenance/a ExporterDown@hv01 ObjectiveMissed/a ObjectiveMissed/b " +
				"ExporterDown@hv02 Paused/c",
			"ExporterDown@hv01 ObjectiveMissed/a",
		},
		{
			"after maintenance",
			"ExporterDown@hv01 ObjectiveMissed/a",
			"",
		},
	} {
		var firing []map[string]string
		want := map[string]string{}
		// The alerts of the host "known" are in each test: when one inhibits the other, Alertmanager has processed all
		// alerts.
		for text := range strings.FieldsSeq(tt.firing + " WorkersStuck@known CollectorFailing@known") {
			l := parseAlert(text)
			l["severity"] = alerts[l["alertname"]].Labels["severity"]
			firing = append(firing, l)
			want[labelsKey(l)] = receiverBySeverity[l["severity"]]
			if slices.Contains(strings.Fields(tt.inhibited+" CollectorFailing@known"), text) {
				want[labelsKey(l)] = "inhibited"
			}
		}
		if got := a.route(t, firing, want); !maps.Equal(got, want) {
			t.Errorf("%s: got %v\nwant %v", tt.name, got, want)
		}
	}
}

var receiverBySeverity = map[string]string{"critical": "pager", "warning": "mail", "info": "journal"}

// parseAlert returns the labels of an alert of the form Name/vm, Name/vm/relationship, Name@host or Name. The servers of
// a line follow as in Name/vm=hv01+hv02, a collector as in Name@host=statistics.
func parseAlert(text string) map[string]string {
	text, line, hasLine := strings.Cut(text, "=")
	name, host, _ := strings.Cut(text, "@")
	l := map[string]string{"alertname": "HyperVReplica" + name}
	if host != "" {
		l["instance"] = host
	}
	if hasLine && host != "" {
		l["collector"] = line
	} else if hasLine {
		l["primary_server"], l["replica_server"], _ = strings.Cut(line, "+")
	}
	if parts := append(strings.Split(text, "/"), "primary"); len(parts) > 2 {
		l["alertname"], l["vm"], l["vm_id"] = "HyperVReplica"+parts[0], parts[1], parts[1]
		if !slices.Contains([]string{"Maintenance", "VMUnprotected", "SplitBrain"}, parts[0]) {
			l["relationship"] = parts[2]
		}
	}
	return l
}
