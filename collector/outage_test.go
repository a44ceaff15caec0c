package collector_test

import (
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Several of these tests scrape a broken host for a long time, by the fake clock of
// testing/synctest.

// scrapeFor scrapes every 15 seconds for the duration d, and calls each with the
// series of every scrape.
func scrapeFor(t *testing.T, r *testRig, d time.Duration, each func(map[string]string)) {
	t.Helper()
	for start := time.Now(); time.Since(start) < d; {
		at := time.Now()
		each(parseSeries(r.gather(t, scrapeTimeout)))
		time.Sleep(15*time.Second - time.Since(at))
	}
}

// A relationship whose statistics hang for a long time affects only its own values,
// and blocks two workers.
func TestHungRelationshipAffectsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 6, Now: time.Now, Faults: parseFaults(t, "relationship-hung")})
		scrapeFor(t, r, time.Hour, func(got map[string]string) {
			if got["hyperv_replica_up"] != "1" || got[successSeries("relationship")] != "1" || !hasMetric(got, "pending_bytes") {
				t.Fatalf("up %s, pool %+v", got["hyperv_replica_up"], r.pool.Stats())
			}
		})
		if s := r.pool.Stats(); s.Stuck != 2 {
			t.Errorf("%+v, want two stuck workers", s)
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
		if got := parseSeries(r.gather(t, scrapeTimeout)); got[successSeries("statistics")] != "1" {
			t.Error("no success after the host has recovered")
		}
	})
}

// Statistics that hang for every relationship do not affect reads of classes,
// however long it lasts.
func TestHungStatisticsDoNotAffectClasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{
			Seed: 1, VMs: 40, Now: time.Now, Faults: parseFaults(t, "hung=GetReplicationStatisticsEx"),
		})
		scrapeFor(t, r, time.Hour, func(got map[string]string) {
			for _, c := range []string{"relationship", "settings", "service"} {
				if got[successSeries(c)] != "1" {
					t.Fatalf("collector %s fails, pool %+v", c, r.pool.Stats())
				}
			}
		})
		if lines := takeErrorLines(r); len(lines) > len(r.scraper.Collectors()) {
			t.Errorf("%d error lines in an hour, the last is %s", len(lines), lines[len(lines)-1])
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
		if got := parseSeries(r.gather(t, scrapeTimeout)); got[successSeries("statistics")] != "1" {
			t.Error("no success after the host has recovered")
		}
	})
}

// A response that arrives after its query has been run again is neither exposed nor
// counted, since the time that it describes is not known.
func TestResponseOfSupersededQueryIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var held atomic.Bool
		hooks := sessionHooks{call: func(s wmiquery.Session, c wmiquery.Call) (wmiquery.Reply, error) {
			reply, err := s.Call(c) // describes the host at this time
			if held.CompareAndSwap(false, true) {
				<-hang
			}
			return reply, err
		}}
		r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 1, Scenario: "healthy", Now: time.Now}, hooks.wrap)
		r.gather(t, scrapeTimeout)
		time.Sleep(101 * time.Second) // long enough for the query to be run again
		r.gather(t, scrapeTimeout)
		time.Sleep(20 * time.Minute)
		before := parseSeries(r.gather(t, scrapeTimeout))
		close(hang)
		synctest.Wait()
		after := parseSeries(r.gather(t, scrapeTimeout))
		for s, v := range before {
			if strings.Contains(s, "_total{") && after[s] != v {
				t.Errorf("%s changed from %s to %s", s, v, after[s])
			}
		}
		if !hasMetric(before, "replicated_bytes_total") {
			t.Error("no counters are exposed")
		}
	})
}

// Relationships whose statistics fail slowly do not keep those of others from being read: all of these
// are exposed, and none of those that fail.
func TestSlowFailuresDoNotStarveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := func(vmID string) bool { return strings.ContainsAny(vmID[len(vmID)-2:], "01234567") }
		hooks := sessionHooks{call: func(s wmiquery.Session, c wmiquery.Call) (wmiquery.Reply, error) {
			time.Sleep(4 * time.Second)
			if fails(msvm.VMOf(c.In[0].Value.(wmiquery.Ref))) {
				return wmiquery.Reply{Code: wmiquery.CodeFailed}, nil
			}
			return s.Call(c)
		}}
		r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 40, Scenario: "healthy", Now: time.Now}, hooks.wrap)
		var last map[string]string
		scrapeFor(t, r, 10*time.Minute, func(got map[string]string) { last = got })
		want, exposed := valuesOf(last, "interval_seconds", "vm_id"), valuesOf(last, "window_successful_cycles", "vm_id")
		maps.DeleteFunc(want, func(id, _ string) bool { return fails(id) })
		if len(want) != 8 {
			t.Errorf("%d relationships do not fail, want 8", len(want))
		}
		for id := range want {
			if exposed[id] == "" {
				t.Errorf("statistics of the VM %s are not exposed", id)
			}
		}
		if len(exposed) != len(want) {
			t.Errorf("statistics of %d relationships are exposed, want %d", len(exposed), len(want))
		}
		time.Sleep(time.Minute)
	})
}

// A host that is slow but responds in time is not a failure: the time that a query waits
// for a worker does not count.
func TestSlowHostSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 4, Now: time.Now, Faults: parseFaults(t, "slow=3s")})
		scrapeFor(t, r, 10*time.Minute, func(got map[string]string) {
			for _, c := range []string{"relationship", "service"} {
				if got[successSeries(c)] != "1" {
					t.Errorf("collector %s fails", c)
				}
			}
		})
		time.Sleep(time.Minute)
	})
}

// A host that is too slow for some of the statistics does not fill the log.
func TestSlowHostDoesNotFloodLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 40, Now: time.Now, Faults: parseFaults(t, "slow=3s")})
		scrapeFor(t, r, 30*time.Minute, func(map[string]string) {})
		if lines := takeErrorLines(r); len(lines) > len(r.scraper.Collectors()) {
			t.Errorf("%d error lines in half an hour, the last is %s", len(lines), lines[len(lines)-1])
		}
		time.Sleep(time.Minute)
	})
}

// A panic of the client fails the collectors concerned. It is logged once, without the
// stack.
func TestPanicFailsCollector(t *testing.T) {
	for name, hooks := range map[string]sessionHooks{
		"in a read": {read: func(wmiquery.Session, any) error { panic("boom") }},
		"in a call": {call: func(wmiquery.Session, wmiquery.Call) (wmiquery.Reply, error) { panic("boom") }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 2, Now: newFakeClock().Now}, hooks.wrap)
			for range 10 {
				if got := parseSeries(r.gather(t, scrapeTimeout)); got[successSeries("statistics")] != "0" {
					t.Fatal("collector statistics succeeds in spite of a panic")
				}
			}
			lines := takeErrorLines(r)
			if len(lines) == 0 || len(lines) > len(r.scraper.Collectors()) ||
				!strings.Contains(lines[0], "panic: boom") || strings.Contains(lines[0], "goroutine") {
				t.Errorf("%d error lines: %s", len(lines), lines)
			}
		})
	}
}

// A response that contains an instance of the wrong class fails the collector.
func TestResponseOfWrongClassIsRejected(t *testing.T) {
	hooks := sessionHooks{call: func(wmiquery.Session, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Out: map[string]any{
			"ReplicationStatistics": []string{`<INSTANCE CLASSNAME="Msvm_Error"></INSTANCE>`},
		}}, nil
	}}
	r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 2, Now: newFakeClock().Now}, hooks.wrap)
	got := parseSeries(r.gather(t, scrapeTimeout))
	if got[successSeries("statistics")] != "0" || hasMetric(got, "pending_bytes") {
		t.Error("response of the wrong class accepted")
	}
}

// Without permission to read the host the time of the snapshot does not change.
func TestSnapshotTimeStaysWithoutPermission(t *testing.T) {
	clock := newFakeClock()
	r := newTestRig(t, simulator.Config{Seed: 1, VMs: 2, Now: clock.Now})
	before := parseSeries(r.gather(t, scrapeTimeout))
	r.world.SetFaults(parseFaults(t, "denied"))
	clock.Advance(10 * time.Minute)
	after := parseSeries(r.gather(t, scrapeTimeout))
	for _, c := range r.scraper.Collectors() {
		s := fmt.Sprintf("hyperv_replica_snapshot_timestamp_seconds{collector=%q}", c)
		if before[s] == "" || after[s] != before[s] {
			t.Errorf("%s changed from %q to %q, want no change", s, before[s], after[s])
		}
	}
}

// A relationship with an invalid InstanceID does not affect other VMs.
func TestInvalidRelationshipAffectsOnlyItsVM(t *testing.T) {
	var invalidVM string
	hooks := sessionHooks{read: func(s wmiquery.Session, dst any) error {
		err := s.Read(dst)
		if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok && len(*rows) > 0 {
			key, _ := msvm.ParseKey((*rows)[0].InstanceID)
			invalidVM = key.VM
			(*rows)[0].InstanceID = `Microsoft:` + invalidVM + `\HVR\2`
		}
		return err
	}}
	r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 4, Now: newFakeClock().Now}, hooks.wrap)
	got := parseSeries(r.gather(t, scrapeTimeout))
	n := 0
	for s := range got {
		if strings.HasPrefix(s, "hyperv_replica_vm_protected{") {
			n++
			if strings.Contains(s, invalidVM) {
				t.Errorf("unexpected series %s", s)
			}
		}
	}
	if n < 3 || got[successSeries("relationship")] != "0" {
		t.Errorf("%d VMs of 4 have vm_protected, success %s", n, got[successSeries("relationship")])
	}
}

// A scrape whose client has disconnected is not logged as a failure.
func TestDisconnectedClientIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 2, Now: time.Now, Faults: parseFaults(t, "slow=1s")})
		r.scrapeAndDisconnect(t, 300*time.Millisecond)
		if lines := r.logs.TakeLines(); len(lines) > 0 {
			t.Errorf("unexpected log lines: %s", lines)
		}
		time.Sleep(time.Minute)
	})
}

// The class of the failover settings and its associations, one for each network adapter, hang together. All other
// collectors stay complete.
func TestFailoverSettingsThatHangHoldUpNoOtherCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newFakeClock()
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 40, Now: clock.Now})
		r.gather(t, scrapeTimeout)
		r.world.SetFaults(parseFaults(t, "hung=Msvm_FailoverNetworkAdapterSettingData"))
		for range 40 {
			time.Sleep(30 * time.Second)
			clock.Advance(30 * time.Second)
			r.gather(t, scrapeTimeout)
		}
		got := valuesOf(parseSeries(r.gather(t, scrapeTimeout)), "collector_success", "collector")
		for c, success := range got {
			if want := map[bool]string{true: "0", false: "1"}[c == "failover_network"]; success != want {
				t.Errorf("collector %s: success %s, want %s", c, success, want)
			}
		}
		r.world.SetFaults(simulator.Faults{})
		time.Sleep(time.Minute)
	})
}
