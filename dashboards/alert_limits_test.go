//go:build prometheus

package dashboards_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// Each alert with its severity, its for and, if it has one, its keep_firing_for, followed by the comparisons, numbers
// and ranges of its expression in their order. They decide who is woken up and when, so each change is a decision.
func TestLimitsOfAlerts(t *testing.T) {
	var got []string
	var content struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For string
				KeepFiringFor    string `yaml:"keep_firing_for"`
				Labels           map[string]string
			}
		}
	}
	promtest.ReadYAML(t, "rules/alerts.yml", &content)
	for _, g := range content.Groups {
		for _, r := range g.Rules {
			row := fmt.Sprintf("%s %s %s", strings.TrimPrefix(r.Alert, "HyperVReplica"), r.Labels["severity"], r.For)
			if r.KeepFiringFor != "" {
				row += "+" + r.KeepFiringFor
			}
			limits := exprLimit.FindAllString(quotedText.ReplaceAllString(r.Expr, ""), -1)
			got = append(got, strings.TrimSpace(row+": "+strings.Join(limits, " ")))
		}
	}
	wantRows(t, got, []string{
		"ObjectiveMissed critical 5m: >",
		"LagHigh warning 5m: >",
		"LagCritical critical 5m: >",
		"ObjectiveMissedAgain critical 5m: 1h < 1 1 1h > 1 1h",
		"ObjectiveUnknown critical 15m:",
		"ClockAnomaly warning 15m: 5m == 1",
		"ObjectiveBudgetSpent warning 15m: < 7d",
		"ApplyLagHigh warning 30m: >",
		"CyclesMissed warning 15m: > 1h > 0",
		"PendingGrowing warning 30m: > > 1h",
		"ApplicationConsistentStale warning 15m: 5m > 5m",
		"HealthCritical critical 5m: == 1",
		"HealthWarning warning 30m: == 1",
		"Paused warning 1h:",
		"PausedOnReplica critical 15m:",
		"ResynchronizationRequired critical 5m:",
		"Resynchronizing info 0s:",
		"ResynchronizationStuck critical 3h: > 0",
		"InitialReplicationStuck warning 3h: > 0",
		"FailedOver warning 4h:",
		"LeftPrepared warning 1h:",
		"EndsDisagree warning 15m: > 1",
		"RelationshipInconsistent warning 15m: 5m == 0",
		"RelationshipVanished warning 15m: 1d 1d 5m == 1",
		"VMUnprotected info 1d: 5m == 0",
		"RoleChanged info 5m: 1h 1h",
		"TestFailoverOverdue info 1h: 5m >",
		"NeverTested info 1h: 7d 5m",
		"TestReplicaLeft warning 1d: 5m",
		"RecoveryPointsNotMerging warning 6h: 5m 5m >",
		"ExporterDown critical 5m: == 0",
		"ScrapesFailing warning 0s: 1h >",
		"NoExporters critical 15m:",
		"RulesFailing critical 5m: 10m > 0",
		"HostUnreadable critical 5m+5m: 5m == 0 5m == 0 5m",
		"CollectorFailing warning 15m: 5m == 0",
		"SnapshotStale warning 5m: 5m >",
		"WorkersStuck warning 15m+5m: 5m > 0",
		"ServerOff critical 15m: > 0 5m == 0",
		"ListenerDown critical 5m: 5m == 1 5m == 1",
		"CertificateExpires warning 1h: 5m <",
		"CertificateExpired critical 5m: 5m > 0",
		"CertificateMissing critical 15m: 5m == 0",
		"Maintenance info 0s: == 1 == 1",
	})
}

var (
	quotedText = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	exprLimit  = regexp.MustCompile(`[<>]=?|==|\b\d+(?:\.\d+)?(?:ms|[smhdwy])?\b`)
)

// The thresholds that several rules and the dashboards share.
func TestThresholds(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	var got []string
	for _, r := range rules {
		if strings.HasSuffix(r.Record, ":threshold") {
			got = append(got, strings.TrimSpace(r.Record+" "+r.Labels["severity"])+": "+strings.TrimSpace(r.Expr))
		}
	}
	wantRows(t, got, []string{
		"fleet:hyperv_replica_lag_intervals:threshold warning: vector(2)",
		"fleet:hyperv_replica_lag_intervals:threshold critical: vector(3)",
		"fleet:hyperv_replica_objective_met:threshold: vector(0.99)",
		"fleet:hyperv_replica_objective_burn_rate:threshold: vector(14.4)",
		"fleet:hyperv_replica_missed_cycles:threshold: vector(0.2)",
		"fleet:hyperv_replica_application_consistent_intervals:threshold: vector(2)",
		"fleet:hyperv_replica_recovery_points_surplus:threshold: vector(2)",
		"fleet:hyperv_replica_test_failover_age_seconds:threshold: vector(180 * 86400)",
		"fleet:hyperv_replica_certificate_left_seconds:threshold: vector(21 * 86400)",
		"fleet:hyperv_replica_scrape_changes:threshold: vector(5)",
		"fleet:hyperv_replica_snapshot_age_seconds:threshold: vector(600)",
	})
}

// wantRows compares two lists of rows and reports those that only one of them has.
func wantRows(t *testing.T, got, want []string) {
	t.Helper()
	for _, row := range got {
		if !slices.Contains(want, row) {
			t.Errorf("not expected: %s", row)
		}
	}
	for _, row := range want {
		if !slices.Contains(got, row) {
			t.Errorf("missing: %s", row)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
}
