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
	// Alerts are Name/vm, Name/vm/relationship or Name@host.
	for _, tt := range []struct{ name, firing, inhibited string }{
		{
			"no inhibition",
			"ObjectiveMissed/a LagHigh/b HealthWarning/c CollectorFailing@hv01 Paused/d",
			"",
		},
		{
			"exporter down",
			"ExporterDown@hv01 SnapshotStale@hv01 SnapshotStale@hv02 ObjectiveMissed/a",
			"SnapshotStale@hv01",
		},
		{
			"host unreadable",
			"HostUnreadable@hv01 CollectorFailing@hv01 CollectorFailing@hv02",
			"CollectorFailing@hv01",
		},
		{
			"workers stuck",
			"WorkersStuck@hv01 SnapshotStale@hv01 CollectorFailing@hv02 ListenerDown@hv01",
			"SnapshotStale@hv01",
		},
		{
			"paused",
			"Paused/a LagCritical/a CyclesMissed/a LagCritical/b ResynchronizationRequired/a",
			"LagCritical/a CyclesMissed/a",
		},
		{
			"paused on the replica",
			"PausedOnReplica/a HealthCritical/a EndsDisagree/a HealthCritical/b",
			"HealthCritical/a EndsDisagree/a",
		},
		{
			"paused primary relationship, lagging extended relationship",
			"Paused/a LagHigh/a/extended",
			"",
		},
		{
			"resynchronization required",
			"ResynchronizationRequired/a ObjectiveMissed/a HealthCritical/a RecoveryPointsNotMerging/a",
			"ObjectiveMissed/a HealthCritical/a",
		},
		{
			"worse lag alert",
			"ObjectiveMissed/a LagCritical/a LagHigh/a HealthWarning/a LagCritical/b LagHigh/b",
			"LagCritical/a LagHigh/a HealthWarning/a LagHigh/b",
		},
		{
			"resynchronizing",
			"Resynchronizing/a ObjectiveMissed/a ObjectiveUnknown/a HealthCritical/a ResynchronizationStuck/a " +
				"ObjectiveMissed/b",
			"ObjectiveMissed/a ObjectiveUnknown/a HealthCritical/a",
		},
		{
			"objective missed repeatedly",
			"ObjectiveMissedAgain/a CyclesMissed/a HealthWarning/a ObjectiveMissedAgain/b ObjectiveMissed/b",
			"CyclesMissed/a HealthWarning/a ObjectiveMissedAgain/b",
		},
		{
			"collector failing",
			"CollectorFailing@hv01 SnapshotStale@hv01 SnapshotStale@hv02",
			"SnapshotStale@hv01",
		},
		{
			"certificate expired",
			"CertificateExpired@hv01 CertificateExpires@hv01 CertificateExpires@hv02",
			"CertificateExpires@hv01",
		},
		{
			"worse health alert",
			"HealthCritical/a HealthWarning/a HealthWarning/b",
			"HealthWarning/a",
		},
		{
			"certificate missing",
			"CertificateMissing@hv01 ListenerDown@hv01 ListenerDown@hv02",
			"ListenerDown@hv01",
		},
		{
			"maintenance of a VM",
			"Maintenance/a ObjectiveMissed/a LagHigh/a/extended VMUnprotected/a ObjectiveMissed/b ExporterDown@hv01",
			"ObjectiveMissed/a LagHigh/a/extended VMUnprotected/a",
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
		for text := range strings.FieldsSeq(tt.firing + " WorkersStuck@known SnapshotStale@known") {
			l := parseAlert(text)
			l["severity"] = alerts[l["alertname"]].Labels["severity"]
			firing = append(firing, l)
			want[labelsKey(l)] = receiverBySeverity[l["severity"]]
			if slices.Contains(strings.Fields(tt.inhibited+" SnapshotStale@known"), text) {
				want[labelsKey(l)] = "inhibited"
			}
		}
		if got := a.route(t, firing, want); !maps.Equal(got, want) {
			t.Errorf("%s: got %v\nwant %v", tt.name, got, want)
		}
	}
}

var receiverBySeverity = map[string]string{"critical": "pager", "warning": "mail", "info": "journal"}

// parseAlert returns the labels of an alert of the form Name/vm, Name/vm/relationship or Name@host.
func parseAlert(text string) map[string]string {
	name, host, _ := strings.Cut(text, "@")
	if host != "" {
		return map[string]string{"alertname": "HyperVReplica" + name, "instance": host}
	}
	parts := append(strings.Split(text, "/"), "primary")
	l := map[string]string{"alertname": "HyperVReplica" + parts[0], "vm": parts[1], "vm_id": parts[1]}
	if name := parts[0]; name != "Maintenance" && name != "VMUnprotected" {
		l["relationship"] = parts[2]
	}
	return l
}
