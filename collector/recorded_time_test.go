package collector_test

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// A time of the last replications that is in the future is not exposed, and no lag is computed from it. It is reported
// by clock_anomaly and once in the log. The clocks of two hosts may differ by up to a minute.
func TestFutureTimeIsAnAnomaly(t *testing.T) {
	ago := noon.Add(-2 * time.Minute)
	year9999 := time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -12*3600))
	for _, tt := range []struct {
		name                             string
		replicated, applied, consistent  time.Time
		lag, applyLag, anomaly           string
		hasReplicated, applies, snapshot bool // whether the times are exposed
		properties                       string
	}{
		{"past", ago, ago, ago, "120", "0", "0", true, true, true, ""},
		{"a minute ahead", noon.Add(time.Minute), ago, ago, "0", "180", "0", true, true, true, ""},
		{
			"more than a minute ahead", noon.Add(time.Minute + time.Millisecond), ago, ago, "", "", "1", false, true, true,
			"LastReplicationTime",
		},
		{"year 9999", year9999, ago, ago, "", "", "1", false, true, true, "LastReplicationTime"},
		{"applied in the future", ago, noon.Add(time.Hour), ago, "120", "", "1", true, false, true, "LastApplyTime"},
		{
			"consistent in the future", ago, ago, noon.Add(time.Hour), "120", "0", "1", true, true, false,
			"LastApplicationConsistentReplicationTime",
		},
		{
			"all in the future", year9999, year9999, year9999, "", "", "1", false, false, false,
			"LastReplicationTime,LastApplyTime,LastApplicationConsistentReplicationTime",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostWithVM(newFakeClock())
			row := newRelationship(appID, "app01")
			row.LastReplicationTime, row.LastApplyTime = &tt.replicated, &tt.applied
			row.LastApplicationConsistentReplicationTime = &tt.consistent
			setRows(h, row)
			r := newFakeHostRig(h)
			got := parseSeries(r.gather(t, scrapeTimeout, "relationship"))
			checkSeries(t, got, map[string]string{
				"lag_seconds" + appRelationship: tt.lag, "apply_lag_seconds" + appRelationship: tt.applyLag,
				"clock_anomaly" + appRelationship:             tt.anomaly,
				`collector_success{collector="relationship"}`: "1",
			})
			for metric, want := range map[string]bool{
				"last_replication_timestamp_seconds":            tt.hasReplicated,
				"last_apply_timestamp_seconds":                  tt.applies,
				"last_application_consistent_timestamp_seconds": tt.snapshot,
			} {
				if has := hasMetric(got, metric); has != want {
					t.Errorf("%s is exposed: %v, want %v", metric, has, want)
				}
			}
			r.gather(t, scrapeTimeout, "relationship")
			want := ""
			if tt.properties != "" {
				want = `level=warn msg="time is in the future" collector=relationship properties=` + tt.properties +
					` id=Microsoft:` + appID + `\HVR\0`
			}
			if log := strings.Join(r.logs.TakeLines(), "\n"); log != want {
				t.Errorf("log is %q, want %q", log, want)
			}
		})
	}
}

// Other events in the future have no time either: the start of the monitoring window, a test failover, a recovery point
// and a job. What happened is still counted.
func TestFutureTimesOfOtherEvents(t *testing.T) {
	const future = "20261122110200.000000-060" // two minutes after noon in UTC
	h := newHostWithVM(newFakeClock())
	h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
		return statisticsReply(property("StartStatisticTime", "datetime", future) +
			property("EndStatisticTime", "datetime", future) + property("LastTestFailoverTime", "datetime", future) +
			property("ReplicationSuccessCount", "uint32", "7")), nil
	}
	point := newRecoveryPoint("1", "Microsoft:Hyper-V:Snapshot:Replica:Standard", -2*time.Minute)
	point.VirtualSystemIdentifier = new(appID)
	setRows(h, point)
	job := newJob("a", 105, 4)
	job.StartTime = new(noon.Add(2 * time.Minute))
	setRows(h, job)
	r := newFakeHostRig(h)
	got := parseSeries(r.gather(t, scrapeTimeout))
	checkSeries(t, got, map[string]string{
		"window_successful_cycles" + appRelationship:                        "7",
		`recovery_points{type="standard",vm="app01",vm_id="` + appID + `"}`: "1",
		operationSeries("operation_running", "", ""):                        "1",
		"window_end_timestamp_seconds" + appRelationship:                    "1.79534892e+09", // may be the planned end
	})
	for _, metric := range []string{
		"window_start_timestamp_seconds", "last_test_failover_timestamp_seconds",
		"recovery_point_oldest_timestamp_seconds", "recovery_point_newest_timestamp_seconds",
		"operation_start_timestamp_seconds",
	} {
		if hasMetric(got, metric) {
			t.Errorf("%s is exposed", metric)
		}
	}
	log := strings.Join(r.logs.TakeLines(), "\n")
	for _, properties := range []string{"StartStatisticTime,LastTestFailoverTime", "CreationTime", "StartTime"} {
		if strings.Count(log, `msg="time is in the future"`) != 3 || !strings.Contains(log, "properties="+properties+" ") {
			t.Errorf("log does not name %s once: %s", properties, log)
		}
	}
}

// When the clock of a simulated host was set back by an hour, all relationships that have replicated since are
// anomalies, and no lag is 0.
func TestClockSetBack(t *testing.T) {
	r := newTestRig(t, simulator.Config{
		Seed: 1, VMs: 4, Scenario: "healthy", Now: newFakeClock().Now, Faults: parseFaults(t, "clock-back"),
	})
	anomalies := 0
	for s, v := range parseSeries(r.gather(t, scrapeTimeout, "relationship")) {
		switch {
		case strings.HasPrefix(s, "hyperv_replica_clock_anomaly{") && v == "1":
			anomalies++
		case strings.HasPrefix(s, "hyperv_replica_lag_seconds{"):
			t.Errorf("%s %s is exposed", s, v)
		}
	}
	if anomalies != 4 {
		t.Errorf("%d anomalies, want 4", anomalies)
	}
}

// The age of statistics is not 0 because the clock was set back after they were read.
func TestStatisticsAgeAfterClockWasSetBack(t *testing.T) {
	for back, want := range map[time.Duration]string{time.Minute: "0", time.Minute + time.Second: ""} {
		clock := newFakeClock()
		h := newHostWithVM(clock)
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout, "statistics")
		clock.Advance(-back)
		h.setError(msvm.MethodGetReplicationStatisticsEx, wmiquery.ErrTimeout)
		got := parseSeries(r.gather(t, scrapeTimeout, "statistics"))
		checkSeries(t, got, map[string]string{"statistics_age_seconds" + appRelationship: want})
	}
}
