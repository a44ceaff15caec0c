package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hyperv_replica_exporter/admin/internal/job"
)

// The duration of an action is the time from its start to the end of its job. Failed and successful actions have series
// of their own. The time of the last end is that of any outcome.
func TestMetricsOfActions(t *testing.T) {
	env := newTestEnv(t)
	s := env.hosts["HV01"].server
	start := time.Date(2026, 11, 22, 12, 0, 0, 500_000_000, time.UTC)
	ended := func(action string, state job.State, d time.Duration) {
		s.metrics.jobEnded(job.Record{
			Action: action, State: state, Created: start, Ended: new(start.Add(d)), Updated: start.Add(24 * time.Hour),
		})
	}
	ended("resynchronize", job.Succeeded, time.Second)
	ended("resynchronize", job.Succeeded, 10*time.Minute+time.Millisecond)
	ended("resynchronize", job.Failed, 2*time.Hour)
	ended("failover", job.Cancelled, 0)
	const want = `
# HELP test_admin_action_duration_seconds Time from the start of an action of the admin endpoint to the end of its job. An action during which the clock was set back is not counted.
# TYPE test_admin_action_duration_seconds histogram
test_admin_action_duration_seconds_bucket{action="failover",state="cancelled",le="1"} 1
test_admin_action_duration_seconds_bucket{action="failover",state="cancelled",le="10"} 1
test_admin_action_duration_seconds_bucket{action="failover",state="cancelled",le="60"} 1
test_admin_action_duration_seconds_bucket{action="failover",state="cancelled",le="600"} 1
test_admin_action_duration_seconds_bucket{action="failover",state="cancelled",le="3600"} 1
test_admin_action_duration_seconds_bucket{action="failover",state="cancelled",le="21600"} 1
test_admin_action_duration_seconds_bucket{action="failover",state="cancelled",le="86400"} 1
test_admin_action_duration_seconds_bucket{action="failover",state="cancelled",le="+Inf"} 1
test_admin_action_duration_seconds_sum{action="failover",state="cancelled"} 0
test_admin_action_duration_seconds_count{action="failover",state="cancelled"} 1
test_admin_action_duration_seconds_bucket{action="resynchronize",state="failed",le="1"} 0
test_admin_action_duration_seconds_bucket{action="resynchronize",state="failed",le="10"} 0
test_admin_action_duration_seconds_bucket{action="resynchronize",state="failed",le="60"} 0
test_admin_action_duration_seconds_bucket{action="resynchronize",state="failed",le="600"} 0
test_admin_action_duration_seconds_bucket{action="resynchronize",state="failed",le="3600"} 0
test_admin_action_duration_seconds_bucket{action="resynchronize",state="failed",le="21600"} 1
test_admin_action_duration_seconds_bucket{action="resynchronize",state="failed",le="86400"} 1
test_admin_action_duration_seconds_bucket{action="resynchronize",state="failed",le="+Inf"} 1
test_admin_action_duration_seconds_sum{action="resynchronize",state="failed"} 7200
test_admin_action_duration_seconds_count{action="resynchronize",state="failed"} 1
test_admin_action_duration_seconds_bucket{action="resynchronize",state="succeeded",le="1"} 1
test_admin_action_duration_seconds_bucket{action="resynchronize",state="succeeded",le="10"} 1
test_admin_action_duration_seconds_bucket{action="resynchronize",state="succeeded",le="60"} 1
test_admin_action_duration_seconds_bucket{action="resynchronize",state="succeeded",le="600"} 1
test_admin_action_duration_seconds_bucket{action="resynchronize",state="succeeded",le="3600"} 2
test_admin_action_duration_seconds_bucket{action="resynchronize",state="succeeded",le="21600"} 2
test_admin_action_duration_seconds_bucket{action="resynchronize",state="succeeded",le="86400"} 2
test_admin_action_duration_seconds_bucket{action="resynchronize",state="succeeded",le="+Inf"} 2
test_admin_action_duration_seconds_sum{action="resynchronize",state="succeeded"} 601.001
test_admin_action_duration_seconds_count{action="resynchronize",state="succeeded"} 2
# HELP test_admin_last_action_timestamp_seconds Time of the last end of an action of the admin endpoint. Absent if none has ended since the start of the exporter.
# TYPE test_admin_last_action_timestamp_seconds gauge
test_admin_last_action_timestamp_seconds{action="failover"} 1795348800.5
test_admin_last_action_timestamp_seconds{action="resynchronize"} 1795356000.5
`
	if err := testutil.CollectAndCompare(s.Metrics(), strings.NewReader(want), "test_admin_action_duration_seconds",
		"test_admin_last_action_timestamp_seconds"); err != nil {
		t.Error(err)
	}
}

// A job that runs is counted as running, and in no other state. When it has ended, the records of earlier runs of the
// exporter do not count.
func TestJobsAreCountedByTheirState(t *testing.T) {
	env := newTestEnv(t)
	count := func(what string, running, succeeded int) {
		t.Helper()
		counts := env.hosts["HV01"].server.jobs.CountByState()
		if counts[job.Running] != running || counts[job.Succeeded] != succeeded || counts[job.Queued] != 0 {
			t.Errorf("%s: the counts are %v, want %d running and %d succeeded", what, counts, running, succeeded)
		}
	}
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	count("started", 1, 0)
	env.waitForJob("suspend", "HV01", r, "succeeded")
	count("ended", 0, 1)
	env.restartEndpoint("HV01")
	count("after a restart", 0, 0)
}
