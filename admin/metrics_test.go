package admin

import (
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The metrics of the endpoint count requests, jobs and refused confirmations.
func TestMetrics(t *testing.T) {
	env := newTestEnv(t)
	env.waitForJob("suspend", "HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.request("HV01", "", "GET", "/nonsense", nil)
	first := env.postAction("HV01", "olga", vmReplicating, "primary", "reset-statistics", nil)
	env.postAction("HV01", "olga", vmReplicating,
		"primary", "reset-statistics", env.confirmation("HV01", vmReplicating, first, object{"vm_name": "another"}))
	want := `
# HELP test_admin_confirmations_refused_total Confirmations of destructive actions that were refused: wrong token, name or reason, or a possible data loss above the accepted limit.
# TYPE test_admin_confirmations_refused_total counter
test_admin_confirmations_refused_total 1
# HELP test_admin_last_action_timestamp_seconds Time of the last end of an action of the admin endpoint. Absent if none has ended since the start of the exporter.
# TYPE test_admin_last_action_timestamp_seconds gauge
test_admin_last_action_timestamp_seconds{action="suspend"} TIME
# HELP test_admin_jobs Actions of the admin endpoint by state. queued and running are current numbers, the other states count actions that ended since the start of the exporter.
# TYPE test_admin_jobs gauge
test_admin_jobs{state="cancelled"} 0
test_admin_jobs{state="failed"} 0
test_admin_jobs{state="queued"} 0
test_admin_jobs{state="running"} 0
test_admin_jobs{state="succeeded"} 1
test_admin_jobs{state="unknown"} 0
`
	want = strings.Replace(want, "TIME", strconv.FormatFloat(float64(env.clock.Now().UnixMilli())/1000, 'g', -1, 64), 1)
	c := env.hosts["HV01"].server.Metrics()
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), "test_admin_jobs",
		"test_admin_confirmations_refused_total", "test_admin_last_action_timestamp_seconds"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(c, "test_admin_action_duration_seconds"); n != 1 {
		t.Errorf("%d series of durations, want 1", n)
	}
	counts := env.hosts["HV01"].server.metrics.requests
	for labels, n := range map[[2]string]float64{
		{"RequestReplicationStateChangeEx", "202"}: 1, {"RequestReplicationStateChangeEx", "409"}: 1, {"none", "401"}: 1,
	} {
		if got := testutil.ToFloat64(counts.WithLabelValues(labels[:]...)); got != n {
			t.Errorf("requests with the labels %v: %v, want %v", labels, got, n)
		}
	}
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
