package collector_test

import (
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

// These tests are nights: hosts that are sick for long, scraped all the time, by
// the bubble's clock.

// meddling is a session that a test meddles with.
type meddling struct {
	wmiquery.Session
	call func(wmiquery.Session, wmiquery.Call) (wmiquery.Reply, error)
	read func(wmiquery.Session, any) error
}

func (m meddling) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	if m.call == nil {
		return m.Session.Call(c)
	}
	return m.call(m.Session, c)
}

func (m meddling) Read(dst any) error {
	if m.read == nil {
		return m.Session.Read(dst)
	}
	return m.read(m.Session, dst)
}

// with makes sessions that m meddles with.
func (m meddling) with(host open) open {
	return func() (wmiquery.Session, error) {
		s, err := host()
		return meddling{s, m.call, m.read}, err
	}
}

func parse(t *testing.T, faults ...string) simulator.Faults {
	t.Helper()
	f, err := simulator.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// night scrapes every 15 seconds for a while.
func night(t *testing.T, r *rig, long time.Duration, each func(map[string]string)) {
	t.Helper()
	for start := time.Now(); time.Since(start) < long; {
		at := time.Now()
		each(series(r.gather(t, deadline)))
		time.Sleep(15*time.Second - time.Since(at))
	}
}

func successOf(c string) string {
	return fmt.Sprintf("hyperv_replica_collector_success{collector=%q}", c)
}

// One relationship that hangs all night costs its own values and two workers,
// and nothing else.
func TestNightWithOneHungRelationship(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, simulator.Config{Seed: 1, VMs: 6, Now: time.Now, Faults: parse(t, "relationship-hung")})
		night(t, r, time.Hour, func(got map[string]string) {
			if got["hyperv_replica_up"] != "1" || got[successOf("relationship")] != "1" || !hasMetric(got, "pending_bytes") {
				t.Fatalf("after one hung relationship: up %s, %+v", got["hyperv_replica_up"], r.pool.Stats())
			}
		})
		if s := r.pool.Stats(); s.Stuck != 2 {
			t.Errorf("%+v, want two stuck workers", s)
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
		if got := series(r.gather(t, deadline)); got[successOf("statistics")] != "1" {
			t.Error("it does not recover with the host")
		}
	})
}

// Statistics that hang for every relationship leave the classes alone, however
// long it lasts.
func TestNightWithHungStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, simulator.Config{Seed: 1, VMs: 40, Now: time.Now, Faults: parse(t, "hung=GetReplicationStatisticsEx")})
		night(t, r, time.Hour, func(got map[string]string) {
			for _, c := range []string{"relationship", "settings", "service"} {
				if got[successOf(c)] != "1" {
					t.Fatalf("%s fails with the statistics: %+v", c, r.pool.Stats())
				}
			}
		})
		if lines := errorLines(r); len(lines) > len(r.scraper.Collectors()) {
			t.Errorf("%d error lines in an hour, %s", len(lines), lines[len(lines)-1])
		}
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
		if got := series(r.gather(t, deadline)); got[successOf("statistics")] != "1" {
			t.Error("it does not recover with the host")
		}
	})
}

func errorLines(r *rig) []string {
	var lines []string
	for _, l := range r.logs.Take() {
		if strings.Contains(l, "level=error") {
			lines = append(lines, l)
		}
	}
	return lines
}

// An answer that comes after its question was asked again is of nobody knows
// when: it is neither shown nor counted.
func TestOrphanedAnswerDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var held atomic.Bool
		m := meddling{call: func(s wmiquery.Session, c wmiquery.Call) (wmiquery.Reply, error) {
			reply, err := s.Call(c) // the host's answer is of now
			if held.CompareAndSwap(false, true) {
				<-hang
			}
			return reply, err
		}}
		r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 1, Scenario: "healthy", Now: time.Now}, m.with)
		r.gather(t, deadline)
		time.Sleep(101 * time.Second) // the question is asked again
		r.gather(t, deadline)
		time.Sleep(20 * time.Minute)
		before := series(r.gather(t, deadline))
		close(hang)
		synctest.Wait()
		after := series(r.gather(t, deadline))
		for s, v := range before {
			if strings.Contains(s, "_total{") && after[s] != v {
				t.Errorf("%s jumps from %s to %s", s, v, after[s])
			}
		}
		if !hasMetric(before, "replicated_bytes_total") {
			t.Error("there is no counter to jump")
		}
	})
}

// Relationships that fail slowly do not take the turns of those that answer.
func TestSlowFailuresStarveNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := meddling{call: func(s wmiquery.Session, c wmiquery.Call) (wmiquery.Reply, error) {
			time.Sleep(4 * time.Second)
			id := string(c.In[0].Value.(wmiquery.Ref))
			if strings.ContainsAny(id[len(id)-3:], "01234567") { // more than half of them
				return wmiquery.Reply{Code: wmiquery.CodeFailed}, nil
			}
			return s.Call(c)
		}}
		r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 40, Scenario: "healthy", Now: time.Now}, m.with)
		shown := 0
		night(t, r, 10*time.Minute, func(got map[string]string) {
			shown = 0
			for s := range got {
				if strings.HasPrefix(s, "hyperv_replica_window_successful_cycles{") {
					shown++
				}
			}
		})
		if shown < 8 {
			t.Errorf("%d relationships are shown, all that answer should be", shown)
		}
		time.Sleep(time.Minute)
	})
}

// A host that is slow and answers in time is no failure: waiting for a worker is
// not the host's doing. And it does not fill the log.
func TestSlowHostIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, simulator.Config{Seed: 1, VMs: 4, Now: time.Now, Faults: parse(t, "slow=3s")})
		night(t, r, 10*time.Minute, func(got map[string]string) {
			for _, c := range []string{"relationship", "service"} {
				if got[successOf(c)] != "1" {
					t.Errorf("%s fails on a slow host", c)
				}
			}
		})
		time.Sleep(time.Minute)
	})
}

func TestSlowHostDoesNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, simulator.Config{Seed: 1, VMs: 40, Now: time.Now, Faults: parse(t, "slow=3s")})
		night(t, r, 30*time.Minute, func(map[string]string) {})
		if lines := errorLines(r); len(lines) > len(r.scraper.Collectors()) {
			t.Errorf("%d error lines in half an hour: %s", len(lines), lines[len(lines)-1])
		}
		time.Sleep(time.Minute)
	})
}

// A client that panics fails its collectors, and the log says so once, without
// pages of stack.
func TestPanicsAreFailures(t *testing.T) {
	for name, m := range map[string]meddling{
		"in a read": {read: func(wmiquery.Session, any) error { panic("boom") }},
		"in a call": {call: func(wmiquery.Session, wmiquery.Call) (wmiquery.Reply, error) { panic("boom") }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 2, Now: newClock().Now}, m.with)
			for range 10 {
				if got := series(r.gather(t, deadline)); got[successOf("statistics")] != "0" {
					t.Fatal("a panic is no failure")
				}
			}
			lines := errorLines(r)
			if len(lines) == 0 || len(lines) > len(r.scraper.Collectors()) || !strings.Contains(lines[0], "panic: boom") || strings.Contains(lines[0], "goroutine") {
				t.Errorf("%d error lines: %s", len(lines), lines)
			}
		})
	}
}

// What the host's answer makes of the reading code must not end the program
// either: here it says a VM has statistics of a class that it has not.
func TestUnreadableAnswers(t *testing.T) {
	m := meddling{call: func(wmiquery.Session, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Out: map[string]any{"ReplicationStatistics": []string{`<INSTANCE CLASSNAME="Msvm_Error"></INSTANCE>`}}}, nil
	}}
	r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 2, Now: newClock().Now}, m.with)
	if got := series(r.gather(t, deadline)); got[successOf("statistics")] != "0" || hasMetric(got, "pending_bytes") {
		t.Error("an answer of the wrong class was taken")
	}
}

// Nothing is shown of a host that shows nothing, so its snapshot grows old.
func TestSnapshotGrowsOldWithoutRights(t *testing.T) {
	clock := newClock()
	r := newRig(t, simulator.Config{Seed: 1, VMs: 2, Now: clock.Now})
	before := series(r.gather(t, deadline))
	r.world.SetFaults(parse(t, "denied"))
	clock.Advance(10 * time.Minute)
	after := series(r.gather(t, deadline))
	for _, c := range r.scraper.Collectors() {
		s := fmt.Sprintf("hyperv_replica_snapshot_timestamp_seconds{collector=%q}", c)
		if before[s] == "" || after[s] != before[s] {
			t.Errorf("%s goes from %q to %q without an answer that is shown", s, before[s], after[s])
		}
	}
}

// A row that cannot be understood costs its own VM, not all.
func TestOddRowCostsItsVMOnly(t *testing.T) {
	var odd string
	m := meddling{read: func(s wmiquery.Session, dst any) error {
		err := s.Read(dst)
		if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok && len(*rows) > 0 {
			key, _ := msvm.ParseKey((*rows)[0].InstanceID)
			odd = key.VM
			(*rows)[0].InstanceID = `Microsoft:` + odd + `\HVR\2`
		}
		return err
	}}
	r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 4, Now: newClock().Now}, m.with)
	got := series(r.gather(t, deadline))
	n := 0
	for s := range got {
		if strings.HasPrefix(s, "hyperv_replica_vm_protected{") {
			n++
			if strings.Contains(s, odd) {
				t.Errorf("%s is claimed", s)
			}
		}
	}
	if n < 3 || got[successOf("relationship")] != "0" {
		t.Errorf("%d VMs of 4 have vm_protected, success %s", n, got[successOf("relationship")])
	}
}

// Settings that are not there are a failure: without an objective nobody is told
// that it is missed.
func TestMissingSettings(t *testing.T) {
	m := meddling{read: func(s wmiquery.Session, dst any) error {
		err := s.Read(dst)
		if rows, ok := dst.(*[]msvm.ReplicationSettingData); ok && len(*rows) > 0 {
			*rows = (*rows)[1:]
		}
		return err
	}}
	r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 2, Now: newClock().Now}, m.with)
	if got := series(r.gather(t, deadline)); got[successOf("settings")] != "0" || !hasMetric(got, "interval_seconds") {
		t.Errorf("success %s", got[successOf("settings")])
	}
	if lines := errorLines(r); len(lines) != 1 || !strings.Contains(lines[0], "no settings of 1 relationships") {
		t.Errorf("log: %s", lines)
	}
}

// The message ids of health issues are the host's: however many, the series are
// bounded.
func TestHealthIssuesAreBounded(t *testing.T) {
	m := meddling{call: func(s wmiquery.Session, c wmiquery.Call) (wmiquery.Reply, error) {
		reply, err := s.Call(c)
		var texts []string
		for i := range 50 {
			texts = append(texts, fmt.Sprintf(`<INSTANCE CLASSNAME="Msvm_Error"><PROPERTY NAME="MessageID" TYPE="string"><VALUE>%d</VALUE></PROPERTY></INSTANCE>`, i))
		}
		reply.Out["ReplicationHealthIssues"] = texts
		return reply, err
	}}
	r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 1, Scenario: "healthy", Now: newClock().Now}, m.with)
	n, other := 0, ""
	for s, v := range series(r.gather(t, deadline)) {
		if strings.HasPrefix(s, "hyperv_replica_health_issue{") {
			n++
			if strings.Contains(s, `message_id="other"`) {
				other = v
			}
		}
	}
	if n != 11 || other != "40" {
		t.Errorf("%d series, %q others; want 11 and 40", n, other)
	}
}

// A scrape whose client has left is nobody's failure.
func TestClientThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, simulator.Config{Seed: 1, VMs: 2, Now: time.Now, Faults: parse(t, "slow=1s")})
		r.scrapeAndLeave(t, 300*time.Millisecond)
		if lines := r.logs.Take(); len(lines) > 0 {
			t.Errorf("the log has %s", lines)
		}
		time.Sleep(time.Minute)
	})
}
