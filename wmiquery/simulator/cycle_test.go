package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// The pending size grows only on the sender, and only while changes are tracked and not sent. The
// receiver reports 0.
func TestPendingSizeGrowsWhileTracked(t *testing.T) {
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
					if (got > was) != grows || got < was || h != tt.sender && got != 0 ||
						*stats.ReplicationSuccessCount != *before.ReplicationSuccessCount {
						t.Errorf("VM %d on %s: the pending size changed from %d to %d", tt.vm, h, was, got)
					}
				}
				previous[h] = stats
			}
			c.Advance(10 * time.Minute)
		}
	}
}

// Cycles run at the configured interval, and their sizes and durations vary.
func TestCyclesRunAtInterval(t *testing.T) {
	w, c := newWorld(t, simulator.Config{Seed: 1})
	s := open(t, w, "HV01")
	ids := vms(t, s)
	c.Advance(6 * time.Hour)
	for _, tt := range []struct {
		vm       int
		interval uint16 // seconds
		cycles   int    // due in six hours
	}{
		{0, 300, 72},
		{2, 30, 720},
		{3, 900, 24},
	} {
		found := 0
		for _, settings := range read[msvm.ReplicationSettingData](t, s) {
			if settings.InstanceID != `Microsoft:`+ids[tt.vm]+`\HVR\0` {
				continue
			}
			found++
			if got := *settings.ReplicationInterval; got != tt.interval {
				t.Errorf("VM %d: interval is %d s, want %d", tt.vm, got, tt.interval)
			}
		}
		if found != 1 {
			t.Errorf("VM %d: found %d settings, want 1", tt.vm, found)
		}
		total, ok := w.Totals(msvm.Key{VM: ids[tt.vm], Link: msvm.Primary})
		// A cycle may be running at the start and at the end.
		got := int(total.Cycles + total.Missed)
		if !ok || got < tt.cycles-1 || got > tt.cycles+1 || total.Missed > total.Cycles/10 {
			t.Errorf("VM %d: totals are %+v (found: %v), want %d cycles", tt.vm, total, ok, tt.cycles)
		}
		stats := relationships(t, s, ids[tt.vm])[0].stats
		n := float64(*stats.ReplicationSuccessCount)
		if n == 0 || float64(*stats.MaxReplicationSize) < 1.2*float64(*stats.ReplicationSize)/n ||
			float64(*stats.MaxReplicationLatency) < 1.05*float64(*stats.ReplicationLatency)/n {
			t.Errorf("VM %d: all cycles are similar: %+v, at most %d bytes and %d s",
				tt.vm, counters(stats), *stats.MaxReplicationSize, *stats.MaxReplicationLatency)
		}
	}
}

// Failed application-consistent snapshots are counted on the sending side only.
func TestSnapshotFailuresAreCountedBySender(t *testing.T) {
	w, c := newWorld(t, simulator.Config{VMs: 100, Seed: 1, Scenario: "healthy"})
	c.Advance(6 * time.Hour) // 20:30, before the windows end
	failures := map[bool]uint32{}
	for _, host := range hosts[:2] {
		s := open(t, w, host)
		modes := map[string]msvm.ReplicationMode{}
		for _, vm := range read[msvm.ComputerSystem](t, s) {
			modes[vm.Name] = *vm.ReplicationMode
		}
		for _, id := range vms(t, s) {
			n := *relationships(t, s, id)[0].stats.ApplicationConsistentSnapshotFailureCount
			failures[modes[id] == 1] += n
		}
	}
	if failures[true] == 0 || failures[false] != 0 {
		t.Errorf("%d failures on the sending side and %d on the replica, want some and none", failures[true], failures[false])
	}
}

// Source: MicrosoftDocs/SupportArticles-docs, article on event 19050: while the replica is backed up, it acknowledges
// changes and does not apply them; its state is Replicating and its health is normal.
func TestReplicaBackupDelaysApply(t *testing.T) {
	d := newDriver(t, simulator.Config{Seed: 1, VMs: 1, Scenario: "replica-backup"})
	begin := d.clock.Now().Add(-20 * time.Minute)
	for range 95 {
		d.clock.Advance(time.Minute)
		r := d.rows("HV02")[0]
		if lag := d.clock.Now().Sub(*r.LastReplicationTime); lag > 6*time.Minute {
			t.Errorf("last replication was %v ago, want at most an interval", lag)
		}
		if r.LastApplyTime.After(begin.Add(10 * time.Second)) {
			t.Errorf("changes were applied at %v, during the backup", r.LastApplyTime)
		}
		if *r.ReplicationState != 3 || *r.ReplicationHealth != 1 {
			t.Errorf("state is %d with health %d, want 3 with 1", *r.ReplicationState, *r.ReplicationHealth)
		}
	}
	d.clock.Advance(6 * time.Minute)
	if r := d.rows("HV02")[0]; d.clock.Now().Sub(*r.LastApplyTime) > 2*time.Minute {
		t.Errorf("last apply time after the backup is %v at %v", r.LastApplyTime, d.clock.Now())
	}
}
