package simulator_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// VMs of a world that shows every situation, by position.
const (
	pausedOnPrimary, initialReplication, resyncRequired, critical = 6, 7, 8, 9
	pausedOnReplica, resynchronizing, prepared, slowLink          = 11, 12, 14, 5
)

// What is read on the way to a time makes no difference: one jump leads to the
// same world as many small steps, a clock that at times goes back among them.
func TestStepsDoNotMatter(t *testing.T) {
	config := simulator.Config{VMs: 40, Seed: 3, MonitoringInterval: 5 * time.Hour}
	jump, jumped := newWorld(t, config)
	jumped.Advance(30 * time.Hour)

	walk, c := newWorld(t, config)
	random := rand.New(rand.NewPCG(1, 1))
	hv01, hv02 := open(t, walk, "HV01"), open(t, walk, "HV02")
	ids := vms(t, hv01)
	for c.Now().Before(jumped.Now()) {
		switch at, id := c.Now(), ids[random.IntN(len(ids))]; random.IntN(5) {
		case 0:
			read[msvm.ReplicationRelationship](t, hv01)
		case 1:
			relationships(t, hv02, id)
		case 2:
			walk.Totals(msvm.Key{VM: id, Link: msvm.Primary})
		case 3:
			c.Advance(-time.Duration(random.IntN(1e6)) * time.Second)
			relationships(t, hv01, id)
			c.Set(at)
		}
		c.Advance(time.Duration(random.IntN(2400)) * time.Second / 3)
	}
	c.Set(jumped.Now())
	compare(t, snapshot(t, walk), snapshot(t, jump))
	for _, id := range ids {
		key := msvm.Key{VM: id, Link: msvm.Primary}
		got, ok := walk.Totals(key)
		if want, wantOK := jump.Totals(key); got != want || ok != wantOK {
			t.Errorf("totals of %s: %+v, want %+v", id, got, want)
		}
	}
}

func TestSeed(t *testing.T) {
	of := func(seed uint64) map[string]string {
		w, c := newWorld(t, simulator.Config{Seed: seed})
		c.Advance(time.Hour)
		return snapshot(t, w)
	}
	one, two := of(1), of(2)
	compare(t, of(1), one)
	for _, where := range []string{"HV01Msvm_ComputerSystem1", "HV01Msvm_ReplicationRelationship0", "HV01statistics0"} {
		if one[where] == two[where] {
			t.Errorf("%s is the same for another seed: %s", where, one[where])
		}
	}
}

// A clock that goes back stands still for the hosts.
func TestClockGoesBack(t *testing.T) {
	w, c := newWorld(t, simulator.Config{Seed: 1})
	c.Advance(time.Hour)
	latest, before := c.Now(), snapshot(t, w)
	for _, to := range []time.Time{latest.Add(-time.Second), latest.Add(-48 * time.Hour), time.Unix(0, 0), {}} {
		c.Set(to)
		if now := w.Now(); !now.Equal(latest) {
			t.Errorf("at %v the hosts' clock shows %v, want %v", to, now, latest)
		}
		compare(t, snapshot(t, w), before)
	}
}

// What a situation turns into when nobody does anything. Q71: a warning ends with
// the window.
func TestTimeGoesOn(t *testing.T) {
	for _, tt := range []struct {
		name  string
		vm    int
		host  string
		after time.Duration
		want  string
	}{
		// It began 74 minutes ago and takes 200: 37 % are done.
		{"initial replication, unfinished", initialReplication, "HV01", 126*time.Minute - time.Second, "waiting_to_complete_initial_replication/warning 33683"},
		{"initial replication, finished", initialReplication, "HV01", 126 * time.Minute, "replicating/ok"},
		{"initial replication, finished", initialReplication, "HV02", 126 * time.Minute, "replicating/ok"},
		{"resynchronization, finished", resynchronizing, "HV02", 50 * time.Minute, "replicating/ok"},
		{"behind by an hour", pausedOnPrimary, "HV01", 30 * time.Minute, "suspended/warning 33681 33684"},
		{"cycles are missed", pausedOnReplica, "HV02", 2 * time.Hour, "replicating/critical 33673 33680 33681"},
		{"cycles are missed", pausedOnReplica, "HV01", 2 * time.Hour, "suspended/critical 33672 33680 33681"},
		{"too slow", slowLink, "HV01", 6*time.Hour + 30*time.Minute - time.Second, "replicating/warning 33680 33682"},
		{"too slow, but the window is new", slowLink, "HV01", 6*time.Hour + 30*time.Minute, "replicating/ok"},
	} {
		w, c := newWorld(t, simulator.Config{Seed: 1})
		s := open(t, w, tt.host)
		c.Advance(tt.after)
		if got := relationships(t, s, vms(t, open(t, w, "HV01"))[tt.vm])[0].String(); got != tt.want {
			t.Errorf("%s: %s has %s, want %s", tt.name, tt.host, got, tt.want)
		}
	}
}

// Changes pile up where they are tracked and not sent, and only there; what the
// receiving side reports is 0.
func TestPending(t *testing.T) {
	for _, tt := range []struct {
		vm     int
		sender string
		grows  bool
	}{
		{pausedOnPrimary, "HV01", true},
		{pausedOnReplica, "HV02", true},
		{initialReplication, "HV01", true},
		{critical, "HV01", true},
		{resyncRequired, "HV01", false},
		{prepared, "HV01", false},
	} {
		w, c := newWorld(t, simulator.Config{Seed: 1})
		id := vms(t, open(t, w, "HV01"))[tt.vm]
		previous := map[string]msvm.ReplicationStatistics{}
		for range 7 {
			for _, h := range hosts[:2] {
				stats := relationships(t, open(t, w, h), id)[0].stats
				if before, ok := previous[h]; ok {
					got, was := *stats.PendingReplicationSize, *before.PendingReplicationSize
					grows := tt.grows && h == tt.sender
					if (got > was) != grows || got < was || h != tt.sender && got != 0 || *stats.ReplicationSuccessCount != *before.ReplicationSuccessCount {
						t.Errorf("VM %d on %s: pending went from %d to %d", tt.vm, h, was, got)
					}
				}
				previous[h] = stats
			}
			c.Advance(10 * time.Minute)
		}
	}
}

// figures are what falls to 0 when a window ends.
func figures(s msvm.ReplicationStatistics) simulator.Totals {
	return simulator.Totals{
		Cycles: uint64(*s.ReplicationSuccessCount), Missed: uint64(*s.ReplicationMissCount),
		Bytes: *s.ReplicationSize, Seconds: uint64(*s.ReplicationLatency),
		NetworkFailures: uint64(*s.NetworkFailureCount), Failures: uint64(*s.ReplicationFailureCount),
		SnapshotFailures: uint64(*s.ApplicationConsistentSnapshotFailureCount),
	}
}

// add adds figures to a sum, or takes them off.
func add(sum *simulator.Totals, sign int, figures simulator.Totals) {
	for i := range reflect.ValueOf(figures).NumField() {
		to := reflect.ValueOf(sum).Elem().Field(i)
		to.SetUint(to.Uint() + uint64(sign)*reflect.ValueOf(figures).Field(i).Uint())
	}
}

// A window ends at its time to the second: all of its figures start again, and
// nothing is lost to the totals.
func TestWindow(t *testing.T) {
	day := func(d, hour int) time.Time { return time.Date(2026, 11, d, hour, 0, 0, 0, time.UTC) }
	for interval, ends := range map[time.Duration][]time.Time{
		0:              {day(23, 21), day(24, 9), day(24, 21)},
		time.Hour:      {day(23, 15), day(23, 16), day(23, 17)},
		24 * time.Hour: {day(24, 9), day(25, 9)},
	} {
		for _, vm := range []int{0, 1, 2, 3, slowLink} {
			w, c := newWorld(t, simulator.Config{Seed: 1, MonitoringInterval: interval})
			s := open(t, w, "HV01")
			id := vms(t, s)[vm]
			stats := func() msvm.ReplicationStatistics { return relationships(t, s, id)[0].stats }
			want := simulator.Totals{Windows: uint64(len(ends))}
			add(&want, -1, figures(stats()))
			for _, end := range ends {
				c.Set(end.Add(-time.Second))
				last := stats()
				add(&want, 1, figures(last))
				c.Set(end)
				next := stats()
				if !next.StartStatisticTime.Equal(end) || !last.StartStatisticTime.Before(end) || !next.EndStatisticTime.Equal(end) {
					t.Errorf("%v: windows start at %v and %v, want one to start at %v", interval, last.StartStatisticTime, next.StartStatisticTime, end)
				}
				// A cycle that ends in the very second counts in the new window.
				if n := *next.ReplicationSuccessCount; n > 1 || n >= *last.ReplicationSuccessCount ||
					*next.MaxReplicationSize != *next.ReplicationSize || *next.MaxReplicationLatency != *next.ReplicationLatency {
					t.Errorf("%v: a window ends with %+v, the next begins with %+v", interval, figures(last), figures(next))
				}
			}
			add(&want, 1, figures(stats()))
			if got, _ := w.Totals(msvm.Key{VM: id, Link: msvm.Primary}); got != want {
				t.Errorf("%v: the totals are %+v, those of the windows %+v", interval, got, want)
			}
		}
	}
}

// Cycles run at the interval that is set, and no two are alike.
func TestCycles(t *testing.T) {
	w, c := newWorld(t, simulator.Config{Seed: 1})
	s := open(t, w, "HV01")
	ids := vms(t, s)
	c.Advance(6 * time.Hour)
	for vm, interval := range map[int]time.Duration{0: 300 * time.Second, 2: 30 * time.Second, 3: 900 * time.Second} {
		for _, settings := range read[msvm.ReplicationSettingData](t, s) {
			if got, _ := settings.Interval(); strings.Contains(settings.InstanceID, ids[vm]) && got != interval {
				t.Errorf("VM %d: the interval is %v, want %v", vm, got, interval)
			}
		}
		total, _ := w.Totals(msvm.Key{VM: ids[vm], Link: msvm.Primary})
		// One may have been under way at the start, and one at the end.
		if got, want := int(total.Cycles+total.Missed), int(6*time.Hour/interval); got < want-1 || got > want+1 || total.Missed > total.Cycles/10 {
			t.Errorf("VM %d: %+v, want %d cycles", vm, total, want)
		}
		stats := relationships(t, s, ids[vm])[0].stats
		n := float64(*stats.ReplicationSuccessCount)
		if float64(*stats.MaxReplicationSize) < 1.2*float64(*stats.ReplicationSize)/n || float64(*stats.MaxReplicationLatency) < 1.05*float64(*stats.ReplicationLatency)/n {
			t.Errorf("VM %d: cycles are alike, %+v with %d bytes and %d s at the most", vm, figures(stats), *stats.MaxReplicationSize, *stats.MaxReplicationLatency)
		}
	}
}

// Statistics come by method only, as CIM-XML with every property of the class in
// the order of the reference; that there are no health issues is said in each way
// that a client may meet.
func TestStatistics(t *testing.T) {
	const properties = "Msvm_ReplicationStatistics InstanceID Caption Description ElementName StartStatisticTime EndStatisticTime ReplicationSuccessCount ReplicationSize " +
		"MaxReplicationSize ReplicationLatency ReplicationMissCount MaxReplicationLatency NetworkFailureCount ReplicationFailureCount " +
		"PendingReplicationSize ApplicationConsistentSnapshotFailureCount ReplicationHealth LastTestFailoverTime"
	w, _ := newWorld(t, simulator.Config{Seed: 1})
	forms := map[string]bool{} // of the health issues
	for _, h := range hosts {
		s := open(t, w, h)
		if rows := read[msvm.ReplicationStatistics](t, s); len(rows) != 0 {
			t.Errorf("%s: a read gives %d rows", h, len(rows))
		}
		for _, c := range statisticsCalls(t, s, func(r msvm.ReplicationRelationship) bool { return !r.Replicates() }) {
			if reply := call(t, s, c); reply.Code != wmiquery.CodeInvalidState {
				t.Errorf("%s: code %d for what does not replicate", h, reply.Code)
			}
		}
		calls := statisticsCalls(t, s, msvm.ReplicationRelationship.Replicates)
		for i, c := range calls {
			out := call(t, s, c).Out
			texts, _ := out["ReplicationStatistics"].([]string)
			if len(texts) != 1 {
				t.Fatalf("%s: the statistics are %v", h, out)
			}
			instance, err := cimxml.Parse(texts[0])
			got := instance.Class
			for _, p := range instance.Properties {
				got += " " + p.Name
			}
			if err != nil || got != properties {
				t.Errorf("%s: statistics are %s, %v", h, got, err)
			}
			form := fmt.Sprintf("%#v", out["ReplicationHealthIssues"])
			forms[form[:min(len(form), 35)]] = true
			other := calls[(i+1)%len(calls)].In
			mixed := c
			mixed.In = []wmiquery.Param{c.In[0], other[1]}
			if reply := call(t, s, mixed); other[0].Value != c.In[0].Value && reply.Code != wmiquery.CodeInvalidParam {
				t.Errorf("%s: code %d for the relationship of another VM", h, reply.Code)
			}
		}
	}
	for _, form := range []string{`<nil>`, `[]string{}`, `[]string{""}`, `[]string{"<INSTANCE CLASSNAME=\"Msv`} {
		if !forms[form] {
			t.Errorf("no health issues as %s, there are %v", form, forms)
		}
	}
}

// Many sessions may read at once while the clock goes on and faults change.
func TestConcurrent(t *testing.T) {
	w, c := newWorld(t, simulator.Config{Seed: 1})
	ids := vms(t, open(t, w, "HV01"))
	calls := map[string][]wmiquery.Call{}
	for _, h := range hosts {
		calls[h] = statisticsCalls(t, open(t, w, h), msvm.ReplicationRelationship.Replicates)
	}
	var all sync.WaitGroup
	for i := range 9 {
		s, calls := open(t, w, hosts[i%3]), calls[hosts[i%3]]
		all.Go(func() {
			for n := range 40 {
				c.Advance(time.Duration(n) * time.Second)
				w.SetFaults(simulator.Faults{UnknownEnum: n%3 == 0, Nulls: n%5 == 0, HostileNames: n%7 == 0})
				var rows []msvm.ReplicationRelationship
				var settings []msvm.ReplicationSettingData
				if err := errors.Join(s.Read(&rows), s.Read(&settings)); err != nil || len(rows) == 0 || len(rows) != len(settings) {
					t.Errorf("%d relationships, %d settings, %v", len(rows), len(settings), err)
				}
				if reply, err := s.Call(calls[n%len(calls)]); err != nil || reply.Err() != nil {
					t.Errorf("code %d, %v", reply.Code, err)
				}
				if _, ok := w.Totals(msvm.Key{VM: ids[0], Link: msvm.Primary}); !ok || w.Now().IsZero() {
					t.Error("no totals")
				}
			}
		})
	}
	all.Wait()
	w.SetFaults(simulator.Faults{})
	alone, still := newWorld(t, simulator.Config{Seed: 1})
	still.Set(w.Now())
	c.Set(w.Now())
	compare(t, snapshot(t, w), snapshot(t, alone))
}
