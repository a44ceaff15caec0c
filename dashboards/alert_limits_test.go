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
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		row := fmt.Sprintf("%s %s %s", strings.TrimPrefix(r.Alert, "HyperVReplica"), r.Labels["severity"], r.For)
		if r.KeepFiringFor != "" {
			row += "+" + r.KeepFiringFor
		}
		limits := exprLimit.FindAllString(quotedText.ReplaceAllString(r.Expr, ""), -1)
		got = append(got, strings.TrimSpace(row+": "+strings.Join(limits, " ")))
	}
	wantRows(t, got, []string{
		"ObjectiveMissed critical 5m+30m: >",
		"ObjectiveBudgetBurns warning 5m: 1 < 1 1 5m < 1 1 < 1 1 30m < 1 1 1h",
		"LagUnknown warning 15m+15m:",
		"ClockAnomaly warning 15m: 5m == 1",
		"ObjectiveBudgetSpent warning 15m+1h: < 7d",
		"ApplyLagHigh info 30m+30m: >",
		"CyclesMissed warning 15m+90m: > > 1h > 0",
		"PendingGrowing info 30m+30m: > > 1h",
		"PendingNotSent warning 15m+30m: > 2h 1h > 2h 2h > 0",
		"ApplicationConsistentStale warning 15m+30m: > > 1d 0",
		"SplitBrain critical 1m+15m: == 1 > 1 == 1 > 1",
		"HealthCritical critical 5m+30m:",
		"HealthWarning warning 30m+30m:",
		"Paused warning 0s: >= >=",
		"PausedOnReplica critical 0s: >= >=",
		"ResynchronizationRequired critical 5m:",
		"Resynchronizing info 1m+30m:",
		"ResynchronizationStuck critical 3h: > 0",
		"InitialReplicationStuck warning 3h: > 0",
		"FailedOver warning 4h:",
		"LeftPrepared warning 1h:",
		"EndsDisagree warning 15m:",
		"RelationshipInconsistent warning 15m+15m: 5m == 0",
		"RelationshipVanished warning 15m: 5m == 1",
		"RoleChanged info 5m: 1h 1h",
		"StatisticsStale warning 15m+15m: 5m > 5m >",
		"TestReplicaLeft warning 1d: 5m",
		"RecoveryPointsNotMerging warning 6h+30m: > >",
		"RecoveryPointsMissing warning 1d+1h: > >",
		"LineDown critical 2m+30m: > >= > 0",
		"LineFailures warning 30m+30m: > 0",
		"SiteLost critical 15m: > 1 == 1",
		"ExporterDown warning 15m: == 0",
		"ScrapesFailing warning 0s+15m: 1h >",
		"NoExporters critical 15m: == 1",
		"RulesFailing warning 5m: 10m > 0",
		"HostUnreadable critical 5m+20m: 5m == 0 5m == 0 == 0",
		"CollectorFailing warning 15m+15m: 5m == 0 5m >",
		"ClassMissing warning 15m: 5m == 0",
		"WorkersStuck warning 15m+5m: 5m > 0",
		"AuditLogSpaceLow warning 15m+30m: 5m <",
		"ServerOff warning 15m:",
		"ListenerDown warning 5m+15m: 5m == 1 5m == 1",
		"ProviderNotOk warning 15m+15m: 5m == 0",
		"CertificateExpires warning 1h: 5m <",
		"CertificateExpires critical 5m: 5m <",
		"CertificateMissing warning 15m: 5m == 0",
		"Maintenance info 0s: == 1 == 1 == 1",
		"VMUnprotected info 1d: 5m == 0 5m == 0",
		"TestFailoverOverdue info 1h: > >",
		"NeverTested info 1h: 7d 5m",
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
			labels := r.Labels["severity"] + r.Labels["window"]
			got = append(got, strings.TrimSpace(r.Record+" "+labels)+": "+strings.TrimSpace(r.Expr))
		}
	}
	wantRows(t, got, []string{
		"fleet:hyperv_replica_lag_seconds:threshold: vector(3600)",
		"fleet:hyperv_replica_lag_intervals:threshold warning: vector(2)",
		"fleet:hyperv_replica_lag_intervals:threshold critical: vector(3)",
		"fleet:hyperv_replica_paused_seconds:threshold: vector(3600)",
		"fleet:hyperv_replica_paused_on_replica_seconds:threshold: vector(900)",
		"fleet:hyperv_replica_first_cycle_seconds:threshold: vector(3600)",
		"fleet:hyperv_replica_objective_met:threshold: vector(0.99)",
		"fleet:hyperv_replica_objective_burn_rate:threshold 1h: vector(14.4)",
		"fleet:hyperv_replica_objective_burn_rate:threshold 6h: vector(6)",
		"fleet:hyperv_replica_missed_cycles:threshold: vector(0.2)",
		"fleet:hyperv_replica_application_consistent_intervals:threshold: vector(2)",
		"fleet:hyperv_replica_recovery_points_surplus:threshold: vector(2)",
		"fleet:hyperv_replica_recovery_points_missing:threshold: vector(2)",
		"fleet:hyperv_replica_test_failover_age_seconds:threshold: vector(180 * 86400)",
		"fleet:hyperv_replica_statistics_age_seconds:threshold: vector(3600)",
		"fleet:hyperv_replica_certificate_left_seconds:threshold warning: vector(21 * 86400)",
		"fleet:hyperv_replica_certificate_left_seconds:threshold critical: vector(3 * 86400)",
		"fleet:hyperv_replica_audit_log_free_bytes:threshold: vector(100 * 1024 * 1024)",
		"fleet:hyperv_replica_line_stopped:threshold: vector(2)",
		"fleet:hyperv_replica_line_stopped_ratio:threshold: vector(0.5)",
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
