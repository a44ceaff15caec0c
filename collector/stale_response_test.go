package collector_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// snapshotSeries returns the series with the time of a collector's snapshot.
func snapshotSeries(c string) string {
	return fmt.Sprintf("snapshot_timestamp_seconds{collector=%q}", c)
}

// The time of the snapshot is that of the oldest response in it, so that an alert sees a class that no
// longer responds, whichever of the classes of the collector it is.
func TestSnapshotTimeIsThatOfOldestResponse(t *testing.T) {
	for _, class := range []string{"Msvm_ReplicationRelationship", "Msvm_ComputerSystem"} {
		clock := newFakeClock()
		h := newHostWithVM(clock)
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout, "relationship")
		h.setError(class, wmiquery.ErrTimeout)
		for range 2 {
			clock.Advance(time.Minute)
			checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "relationship")), map[string]string{
				snapshotSeries("relationship"):                "1.7953488e+09", // noon
				`collector_success{collector="relationship"}`: "0",
			})
		}
		want := `level=error msg="collector failed" collector=relationship err="` + class +
			`: timed out, last good responses are exposed"`
		if lines := takeErrorLines(r); len(lines) != 1 || lines[0] != want {
			t.Errorf("log %s, want %s", lines, want)
		}
		h.setError(class, nil)
		checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "relationship")), map[string]string{
			snapshotSeries("relationship"):                "1.79534892e+09", // two minutes later
			`collector_success{collector="relationship"}`: "1",
		})
	}
}

// A failure that leaves some of a collector's series updates the time of the snapshot. A failure
// without series does not.
func TestSnapshotTimeOfPartialFailure(t *testing.T) {
	clock := newFakeClock()
	h := newHostWithVM(clock)
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "relationship", "settings", "service")
	clock.Advance(time.Minute)
	h.setError("Msvm_ReplicationRelationship", wmiquery.ErrInvalidState)
	h.setError("Msvm_ReplicationSettingData", wmiquery.ErrInvalidState)
	h.setError("Msvm_ReplicationService", wmiquery.ErrDenied)
	checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "relationship", "settings", "service")), map[string]string{
		snapshotSeries("relationship"): "1.79534886e+09", // a minute later, with the modes of the VMs
		snapshotSeries("settings"):     "1.7953488e+09",
		snapshotSeries("service"):      "1.7953488e+09",
	})
	h.setError("Msvm_ReplicationService", wmiquery.ErrInvalidState)
	h.setError("Msvm_ReplicationServiceSettingData", wmiquery.ErrInvalidState)
	got := parseSeries(r.gather(t, scrapeTimeout, "service"))
	checkSeries(t, got, map[string]string{"up": "0", snapshotSeries("service"): "1.7953488e+09"})
}

// While the host does not respond, the last response is exposed until it is older than MaxAge, which
// is five minutes.
func TestLastResponseIsExposedUpToMaxAge(t *testing.T) {
	for _, tt := range []struct {
		age  time.Duration
		want string
	}{
		{5*time.Minute - time.Second, "replicating"},
		{5 * time.Minute, "replicating"},
		{5*time.Minute + time.Nanosecond, ""},
		{-time.Hour, "replicating"}, // the clock of the host went back
	} {
		clock := newFakeClock()
		h := newHostWithVM(clock)
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout)
		for _, class := range []string{"Msvm_ReplicationRelationship", "GetReplicationStatisticsEx"} {
			h.setError(class, wmiquery.ErrTimeout)
		}
		clock.Advance(tt.age)
		got := parseSeries(r.gather(t, scrapeTimeout))
		if state := currentState(t, got, "state", "state"); state != tt.want {
			t.Errorf("state %q after %v, want %q", state, tt.age, tt.want)
		}
		checkSeries(t, got, map[string]string{`collector_success{collector="relationship"}`: "0"})
		for s, v := range got {
			if strings.HasPrefix(s, "hyperv_replica_statistics_age_seconds{") && strings.HasPrefix(v, "-") {
				t.Errorf("%s = %s, want no negative age", s, v)
			}
		}
	}
}

// A last response replaces one that did not arrive, but not an error that the host returned: old
// values would hide it.
func TestErrorsThatLastResponseReplaces(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{wmiquery.ErrTimeout, "replicating"},
		{wmiquery.ErrBusy, "replicating"},
		{wmiquery.ErrUnavailable, "replicating"},
		{fmt.Errorf("connect: %w", wmiquery.ErrUnavailable), "replicating"},
		{wmiquery.ErrDenied, ""},
		{wmiquery.ErrUnsupported, ""},
		{wmiquery.ErrInvalidState, ""},
		{wmiquery.ErrNotFound, ""},
		{errors.New("any other"), ""},
	} {
		h := newHostWithVM(newFakeClock())
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout)
		for range 2 { // an error does not replace the last response
			h.setError("Msvm_ReplicationRelationship", tt.err)
			got := parseSeries(r.gather(t, scrapeTimeout))
			if state := currentState(t, got, "state", "state"); state != tt.want {
				t.Errorf("state %q after the error %v, want %q", state, tt.err, tt.want)
			}
			checkSeries(t, got, map[string]string{`collector_success{collector="relationship"}`: "0"})
		}
		h.setError("Msvm_ReplicationRelationship", wmiquery.ErrTimeout)
		if state := currentState(t, parseSeries(r.gather(t, scrapeTimeout)), "state", "state"); state != "replicating" {
			t.Errorf("state %q when the host no longer responds after the error %v, want the last one", state, tt.err)
		}
	}
}

// up is 1 while the response of the replication service is late, up to the maximum age of a response,
// and 0 if the connection is lost or the host returns an error. Other classes do not matter.
func TestUpByResponseOfService(t *testing.T) {
	for _, tt := range []struct {
		err  error
		age  time.Duration
		want string
	}{
		{nil, time.Minute, "1"},
		{wmiquery.ErrTimeout, time.Minute, "1"},
		{wmiquery.ErrTimeout, 5 * time.Minute, "1"},
		{wmiquery.ErrTimeout, 5*time.Minute + time.Second, "0"},
		{wmiquery.ErrBusy, time.Minute, "1"}, // all workers wait for the host
		{wmiquery.ErrBusy, 5*time.Minute + time.Second, "0"},
		{wmiquery.ErrUnavailable, time.Second, "0"},
		{wmiquery.ErrDenied, time.Second, "0"},
		{wmiquery.ErrUnsupported, time.Second, "0"},
		{errors.New("any other"), time.Second, "0"},
	} {
		clock := newFakeClock()
		h := newHostWithVM(clock)
		setRows(h, msvm.ReplicationServiceSettingData{RecoveryServerEnabled: new(true)})
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout, "service")
		h.setError("Msvm_ReplicationService", tt.err)
		clock.Advance(tt.age)
		got := parseSeries(r.gather(t, scrapeTimeout, "service"))
		checkSeries(t, got, map[string]string{"up": tt.want, "server_enabled": "1"})
		success := "0"
		if tt.err == nil {
			success = "1"
		}
		if got[successSeries("service")] != success {
			t.Errorf("success %s with the error %v, want %s", got[successSeries("service")], tt.err, success)
		}
		h.setError("Msvm_ReplicationServiceSettingData", wmiquery.ErrUnavailable)
		h.setError("Msvm_ReplicationService", nil)
		checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "service")), map[string]string{"up": "1"})
	}
}

// up is 0 once the query for the replication service has hung for so long that it is run again.
func TestUpWhileServiceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 1, Now: time.Now})
		r.gather(t, scrapeTimeout, "service")
		r.world.SetFaults(parseFaults(t, "hung=Msvm_ReplicationService"))
		start := time.Now()
		for _, step := range []struct {
			at   time.Duration
			want string
		}{{15 * time.Second, "1"}, {114 * time.Second, "1"}, {115 * time.Second, "0"}, {4 * time.Minute, "0"}} {
			time.Sleep(step.at - time.Since(start))
			got := parseSeries(r.gather(t, time.Second, "service"))
			if got["hyperv_replica_up"] != step.want {
				t.Errorf("up %s after %v, want %s", got["hyperv_replica_up"], step.at, step.want)
			}
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
		checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "service")), map[string]string{"up": "1"})
	})
}

// A relationship that is removed leaves nothing behind: if it returns and the host does not respond,
// no statistics from before are exposed, and no age.
func TestRemovedRelationshipLeavesNoStatistics(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout)
	setRows[msvm.ReplicationRelationship](h)
	r.gather(t, scrapeTimeout)
	setRows(h, newRelationship(appID, "app01"))
	h.setError("GetReplicationStatisticsEx", wmiquery.ErrTimeout)
	got := parseSeries(r.gather(t, scrapeTimeout))
	if hasMetric(got, "window_successful_cycles") || hasMetric(got, "statistics_age_seconds") {
		t.Error("statistics from before the relationship was removed are exposed")
	}
	if state := currentState(t, got, "state", "state"); state != "replicating" {
		t.Errorf("state %q, want replicating", state)
	}
}

// A query whose response is missing is run once more after twenty times the call timeout, which is 100
// seconds, and not a third time.
func TestHungQueryIsRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 1, Scenario: "healthy", Now: time.Now})
		r.world.SetFaults(parseFaults(t, "hung=Msvm_ReplicationRelationship"))
		start := time.Now()
		for _, step := range []struct {
			at   time.Duration
			want int // attempts so far
		}{
			{0, 1},
			{60 * time.Second, 1},
			{99 * time.Second, 1},
			{100 * time.Second, 2},
			{199 * time.Second, 2},
			{210 * time.Second, 2},
			{time.Hour, 2},
		} {
			time.Sleep(step.at - time.Since(start))
			r.gather(t, time.Second, "relationship")
			synctest.Wait()
			if n := r.countCalls("Msvm_ReplicationRelationship"); n != step.want {
				t.Errorf("%d attempts after %v, want %d", n, step.at, step.want)
			}
		}
		// When the host recovers and hangs again, both attempts are available again.
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
		if got := parseSeries(r.gather(t, scrapeTimeout, "relationship")); got[successSeries("relationship")] != "1" {
			t.Error("no success after the host has recovered")
		}
		r.world.SetFaults(parseFaults(t, "hung=Msvm_ReplicationRelationship"))
		r.takeCalls()
		r.gather(t, time.Second, "relationship")
		time.Sleep(100 * time.Second)
		r.gather(t, time.Second, "relationship")
		synctest.Wait()
		if n := r.countCalls("Msvm_ReplicationRelationship"); n != 2 {
			t.Errorf("%d attempts after the host hangs again, want 2", n)
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
	})
}

// When the first of two attempts gets its response, the second is still the current one: the next
// scrape waits for it and does not run the query again.
func TestSupersededResponseKeepsCurrentAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := []chan struct{}{make(chan struct{}), make(chan struct{})}
		var reads atomic.Int32
		hooks := sessionHooks{read: func(s wmiquery.Session, dst any) error {
			if className(dst) == "Msvm_ReplicationAuthorizationSettingData" {
				if n := int(reads.Add(1)); n <= len(release) {
					<-release[n-1]
				}
			}
			return s.Read(dst)
		}}
		r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 1, Now: time.Now}, hooks.wrap)
		r.gather(t, time.Second, "authorization")
		time.Sleep(100 * time.Second)
		r.gather(t, time.Second, "authorization") // starts the second attempt
		close(release[0])
		synctest.Wait()
		got := parseSeries(r.gather(t, time.Second, "authorization"))
		if n := r.countCalls("Msvm_ReplicationAuthorizationSettingData"); n != 2 {
			t.Errorf("%d attempts, want 2", n)
		}
		checkSeries(t, got, map[string]string{
			`collector_success{collector="authorization"}`: "0", "authorization_entries": "",
		})
		close(release[1])
		synctest.Wait()
		time.Sleep(time.Second)
		got = parseSeries(r.gather(t, time.Second, "authorization"))
		checkSeries(t, got, map[string]string{`collector_success{collector="authorization"}`: "1"})
	})
}

// A response that has arrived when the time of the scrape is over is exposed, even if the collector waited for another
// class until then.
func TestArrivedResponseIsExposedAtEndOfScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{
			Seed: 1, VMs: 1, Now: time.Now, Faults: parseFaults(t, "hung=Msvm_ReplicationRelationship"),
		})
		got := parseSeries(r.gather(t, 3*time.Second, "relationship"))
		if mode := currentState(t, got, "mode", "mode"); mode != "primary" {
			t.Errorf("mode %q, want primary", mode)
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
	})
}

// The time of a response is that of its arrival, not that of the query.
func TestSnapshotTimeOfSlowResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := sessionHooks{read: func(s wmiquery.Session, dst any) error {
			time.Sleep(3 * time.Second)
			return s.Read(dst)
		}}
		start := time.Now().Unix()
		r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 1, Now: time.Now}, hooks.wrap)
		got := parseSeries(r.gather(t, scrapeTimeout, "relationship"))
		checkSeries(t, got, map[string]string{snapshotSeries("relationship"): fmt.Sprint(float64(start + 3))})
	})
}
