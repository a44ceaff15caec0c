package collector_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// gatherRequests returns the series of the metrics about requests to the host. It does not read the host.
func (r *testRig) gatherRequests(tb testing.TB) map[string]string {
	tb.Helper()
	registry := prometheus.NewPedanticRegistry()
	for _, c := range r.scraper.RequestMetrics() {
		registry.MustRegister(c)
	}
	return parseSeries(encode(tb, prometheus.ToTransactionalGatherer(registry)))
}

// requestResults returns the number of requests of an operation by result.
func requestResults(got map[string]string, operation string) map[string]string {
	out := map[string]string{}
	for s, v := range got {
		if labelValue(s, "operation") == operation && labelValue(s, "result") != "" {
			out[labelValue(s, "result")] = v
		}
	}
	return out
}

// Requests are counted by result.
func TestRequestsByResult(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, "ok"},
		{wmiquery.ErrDenied, "denied"},
		{wmiquery.ErrTimeout, "timeout"},
		{wmiquery.ErrInvalidState, "error"},
		{wmiquery.ErrBusy, "error"},
		{wmiquery.ErrUnavailable, "error"},
		{wmiquery.ErrUnsupported, "error"},
		{errors.New("any other"), "error"},
		{msvm.ErrJobStarted, "job"},
	} {
		const class = "Msvm_ReplicationAuthorizationSettingData"
		hooks := sessionHooks{read: func(s wmiquery.Session, dst any) error {
			if className(dst) == class {
				return tt.err
			}
			return s.Read(dst)
		}}
		r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 1, Now: newFakeClock().Now}, hooks.wrap)
		for range 2 {
			r.gather(t, scrapeTimeout, "authorization", "service")
		}
		got := r.gatherRequests(t)
		if results := requestResults(got, class); !maps.Equal(results, map[string]string{tt.want: "2"}) {
			t.Errorf("requests with the error %v: %v, want 2 with the result %s", tt.err, results, tt.want)
		}
		checkSeries(t, got, map[string]string{
			`wmi_request_duration_seconds_count{operation="` + class + `"}`:                  "2",
			`wmi_requests_total{operation="Msvm_ReplicationServiceSettingData",result="ok"}`: "2",
		})
	}
}

// A job that the host starts instead of returning the statistics is a result of its own.
func TestRequestThatStartsJob(t *testing.T) {
	r := newTestRig(t, simulator.Config{
		Seed: 1, VMs: 1, Scenario: "healthy", Now: newFakeClock().Now, Faults: parseFaults(t, "statistics-job"),
	})
	r.gather(t, scrapeTimeout, "statistics")
	results := requestResults(r.gatherRequests(t), "GetReplicationStatisticsEx")
	if !maps.Equal(results, map[string]string{"job": "1"}) {
		t.Errorf("results %v, want one job", results)
	}
}

// A request whose response is overdue counts once as a timeout, with the duration until then, even if
// the response arrives later. A response just before that is in time.
func TestOverdueRequestCountsOnce(t *testing.T) {
	const class = "Msvm_ReplicationAuthorizationSettingData"
	for _, tt := range []struct {
		takes     time.Duration
		want, sum string
	}{
		{4999 * time.Millisecond, "ok", "4.999"},
		{5001 * time.Millisecond, "timeout", "5"},
		{7 * time.Second, "timeout", "5"},
	} {
		synctest.Test(t, func(t *testing.T) {
			hooks := sessionHooks{read: func(s wmiquery.Session, dst any) error {
				if className(dst) == class {
					time.Sleep(tt.takes)
				}
				return s.Read(dst)
			}}
			r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 1, Now: time.Now}, hooks.wrap)
			r.gather(t, scrapeTimeout, "authorization")
			time.Sleep(time.Minute)
			got := r.gatherRequests(t)
			if results := requestResults(got, class); !maps.Equal(results, map[string]string{tt.want: "1"}) {
				t.Errorf("results after %v: %v, want one %s", tt.takes, results, tt.want)
			}
			checkSeries(t, got, map[string]string{
				`wmi_request_duration_seconds_count{operation="` + class + `"}`: "1",
				`wmi_request_duration_seconds_sum{operation="` + class + `"}`:   tt.sum,
			})
		})
	}
}

// The time that a request waits for a worker is not part of its duration, and a request that never
// reaches the host has a result but no duration.
func TestRequestThatWaitsForWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 1, Now: time.Now, Faults: parseFaults(t, "slow=1s")})
		r.gather(t, scrapeTimeout)
		time.Sleep(time.Minute)
		got, operations := r.gatherRequests(t), 0
		for s, count := range got {
			if operation, ok := strings.CutPrefix(s, "hyperv_replica_wmi_request_duration_seconds_count"); ok {
				operations++
				checkSeries(t, got, map[string]string{"wmi_request_duration_seconds_sum" + operation: count})
			}
		}
		if operations < 15 {
			t.Errorf("%d operations, want more than workers", operations)
		}
	})
	// A Reader that fails before it has reached the host does not report a start.
	h := newHostWithVM(newFakeClock())
	h.setError("Msvm_ReplicationAuthorizationSettingData", wmiquery.ErrBusy)
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "authorization")
	got := r.gatherRequests(t)
	checkSeries(t, got, map[string]string{
		`wmi_requests_total{operation="Msvm_ReplicationAuthorizationSettingData",result="error"}`:  "1",
		`wmi_request_duration_seconds_count{operation="Msvm_ReplicationAuthorizationSettingData"}`: "",
	})
}
