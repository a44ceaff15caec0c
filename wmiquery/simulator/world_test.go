package simulator_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Reads do not change the result: one large step of the clock leads to the same state as many small
// steps with reads, some with the clock set back.
func TestStateDoesNotDependOnReads(t *testing.T) {
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
			t.Errorf("totals of %s are %+v, want %+v", id, got, want)
		}
	}
}

func TestSeedDeterminesWorld(t *testing.T) {
	of := func(seed uint64) map[string]string {
		w, c := newWorld(t, simulator.Config{Seed: seed})
		c.Advance(time.Hour)
		return snapshot(t, w)
	}
	one, two := of(1), of(2)
	compare(t, of(1), one)
	for _, where := range []string{"HV01Msvm_ComputerSystem1", "HV01Msvm_ReplicationRelationship0", "HV01statistics0"} {
		if one[where] == two[where] {
			t.Errorf("%s is the same for two seeds: %s", where, one[where])
		}
	}
}

// While the clock goes back, the clock of the hosts stands still.
func TestHostClockNeverGoesBack(t *testing.T) {
	w, c := newWorld(t, simulator.Config{Seed: 1})
	c.Advance(time.Hour)
	latest, before := c.Now(), snapshot(t, w)
	for _, to := range []time.Time{latest.Add(-time.Second), latest.Add(-48 * time.Hour), time.Unix(0, 0), {}} {
		c.Set(to)
		if now := w.Now(); !now.Equal(latest) {
			t.Errorf("clock of the hosts is %v at %v, want %v", now, to, latest)
		}
		compare(t, snapshot(t, w), before)
	}
}

// Situations change without any call. Q71: a warning ends with the monitoring window.
func TestSituationsChangeWithTime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		vm    int
		host  string
		after time.Duration
		want  string
	}{
		// It began 74 minutes ago and takes 200 minutes.
		{"initial replication, unfinished", initialReplication, "HV01", 126*time.Minute - time.Second, "waiting_to_complete_initial_replication/warning 99007"},
		{"initial replication, finished", initialReplication, "HV01", 126 * time.Minute, "replicating/ok"},
		{"initial replication, finished", initialReplication, "HV02", 126 * time.Minute, "replicating/ok"},
		{"resynchronization, finished", resynchronizing, "HV02", 50 * time.Minute, "replicating/ok"},
		{"behind by an hour", pausedOnPrimary, "HV01", 30 * time.Minute, "suspended/warning 33414 99008"},
		{"cycles are missed", pausedOnReplica, "HV02", 2 * time.Hour, "replicating/critical 99004 99006 33414"},
		{"cycles are missed", pausedOnReplica, "HV01", 2 * time.Hour, "suspended/critical 99003 99006 33414"},
		{"too slow", slowLink, "HV01", 6*time.Hour + 30*time.Minute - time.Second, "replicating/warning 99006"},
		{"too slow, but the window is new", slowLink, "HV01", 6*time.Hour + 30*time.Minute, "replicating/ok"},
	} {
		w, c := newWorld(t, simulator.Config{Seed: 1})
		s := open(t, w, tt.host)
		c.Advance(tt.after)
		if got := relationships(t, s, vms(t, open(t, w, "HV01"))[tt.vm])[0].String(); got != tt.want {
			t.Errorf("%s: %s reports %s, want %s", tt.name, tt.host, got, tt.want)
		}
	}
}

// Many sessions can read concurrently while the clock advances and faults change.
func TestConcurrentReads(t *testing.T) {
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
				if err := errors.Join(s.Read(&rows), s.Read(&settings)); err != nil || len(rows) == 0 ||
					len(rows) != len(settings) {
					t.Errorf("%d relationships, %d settings, %v", len(rows), len(settings), err)
				}
				if reply, err := s.Call(calls[n%len(calls)]); err != nil || reply.Err() != nil {
					t.Errorf("code %d, %v", reply.Code, err)
				}
				if _, ok := w.Totals(msvm.Key{VM: ids[0], Link: msvm.Primary}); !ok || w.Now().IsZero() {
					t.Error("Totals or Now returned nothing")
				}
			}
		})
	}
	all.Wait()
	w.SetFaults(simulator.Faults{})
	other, still := newWorld(t, simulator.Config{Seed: 1})
	still.Set(w.Now())
	c.Set(w.Now())
	compare(t, snapshot(t, w), snapshot(t, other))
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		config simulator.Config
		want   []string // substrings of the error
	}{
		{simulator.Config{VMs: -1}, []string{"VMs is -1", "10000"}},
		{simulator.Config{VMs: 10_001}, []string{"VMs is 10001", "0 to 10000", "simulate several hosts"}},
		{simulator.Config{Host: "HV04"}, []string{`"HV04"`, "HV01, HV02, HV03"}},
		{simulator.Config{Scenario: "x"}, append([]string{`"x"`}, simulator.Scenarios()...)},
		{simulator.Config{MonitoringInterval: time.Minute}, []string{"1m0s", "1h to 168h"}},
		{simulator.Config{MonitoringInterval: time.Hour + 1}, []string{"whole seconds"}},
		{simulator.Config{VMs: -1, Host: "x", Scenario: "y"}, []string{"VMs", "Host", "Scenario"}},
	} {
		_, err := simulator.New(tt.config)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: error is %v, want it to contain %q", tt.config, err, want)
			}
		}
	}
	w, err := simulator.New(simulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Open(); err != nil {
		t.Error(err)
	}
	if _, err := w.OpenHost("HV04")(); err == nil {
		t.Error("OpenHost accepts HV04")
	}
}

// The first Msvm_ComputerSystem is the host. It has no GUID, no date and no mode.
func TestFirstRowIsTheHost(t *testing.T) {
	w, _ := newWorld(t, simulator.Config{VMs: 300})
	for _, h := range hosts {
		for i, c := range read[msvm.ComputerSystem](t, open(t, w, h)) {
			if host := c.Name == h && c.InstallDate == nil && *c.ReplicationMode == msvm.ModeNone; host != (i == 0) ||
				c.IsVM() != (i > 0) {
				t.Errorf("%s: row %d is %+v, want the host first and VMs after it", h, i, c)
			}
		}
	}
	if n := len(vms(t, open(t, w, "HV01"))); n != 300 {
		t.Errorf("%d VMs, want 300", n)
	}
}
