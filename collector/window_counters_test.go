package collector

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Counters go on over the resets of the window (Q8, Q70): each step is one
// answer of the host.
func TestCounters(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	type step struct {
		start              time.Time
		success            int // below zero is null
		bytes              uint64
		wantCycles, wantMB float64
		wantResets         float64
	}
	const mb = 1 << 20
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"first sight seeds 0", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 103, 515 * mb, 3, 15, 0},
		}},
		{"same answer again adds nothing", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 101, 505 * mb, 1, 5, 0},
			{t0, 101, 505 * mb, 1, 5, 0},
		}},
		{"a new window counts in full", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 110, 550 * mb, 10, 50, 0},
			{t0.Add(12 * time.Hour), 2, 8 * mb, 12, 58, 1},
			{t0.Add(12 * time.Hour), 3, 12 * mb, 13, 62, 1},
		}},
		{"a new window with larger values counts in full", []step{
			{t0, 1, 5 * mb, 0, 0, 0},
			{t0.Add(12 * time.Hour), 4, 9 * mb, 4, 9, 1},
		}},
		{"a reset that keeps the start", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 0, 0, 0, 0, 1},
			{t0, 1, 4 * mb, 1, 4, 1},
		}},
		{"one smaller value resets all", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 101, 4 * mb, 101, 4, 1},
		}},
		{"the start jitters by less than a second", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0.Add(900 * time.Millisecond), 101, 505 * mb, 1, 5, 0},
		}},
		{"no start is no reset", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{time.Time{}, 101, 505 * mb, 1, 5, 0},
			{t0, 102, 510 * mb, 2, 10, 0},
		}},
		{"null neither adds nor resets", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, -1, 505 * mb, 0, 5, 0},
			{t0, 102, 510 * mb, 2, 10, 0},
		}},
		{"a value that was null at first sight seeds when it comes", []step{
			{t0, -1, 500 * mb, 0, 0, 0},
			{t0, 102, 505 * mb, 0, 5, 0},
			{t0, 103, 505 * mb, 1, 5, 0},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, k := newCounters(), msvm.Key{VM: "4708A0F4-C902-429B-A1E0-D4AB0893E452", Link: msvm.Primary}
			for i, s := range tt.steps {
				stats := &msvm.ReplicationStatistics{ReplicationSize: &s.bytes}
				if !s.start.IsZero() {
					stats.StartStatisticTime = &s.start
				}
				if n := uint32(s.success); s.success >= 0 {
					stats.ReplicationSuccessCount = &n
				}
				got := c.add(k, stats)
				cycles, bytes := got.sums[0], got.sums[5]
				if cycles != s.wantCycles || bytes != s.wantMB*mb || got.resets != s.wantResets {
					t.Errorf("step %d: %v cycles, %v MB, %v resets; want %v, %v, %v",
						i, cycles, bytes/mb, got.resets, s.wantCycles, s.wantMB, s.wantResets)
				}
			}
		})
	}
}

// A relationship that is gone is forgotten: if it comes back it starts at 0.
func TestCountersForget(t *testing.T) {
	c := newCounters()
	gone, stays := msvm.Key{VM: "A", Link: msvm.Primary}, msvm.Key{VM: "A", Link: msvm.Extended}
	for n := range uint32(3) {
		c.add(gone, &msvm.ReplicationStatistics{ReplicationSuccessCount: &n})
		c.add(stays, &msvm.ReplicationStatistics{ReplicationSuccessCount: &n})
	}
	c.keep(func(k msvm.Key) bool { return k == stays })
	n := uint32(10)
	if got := c.add(gone, &msvm.ReplicationStatistics{ReplicationSuccessCount: &n}); got.sums[0] != 0 {
		t.Errorf("the forgotten one has %v cycles, want 0", got.sums[0])
	}
	if got := c.add(stays, &msvm.ReplicationStatistics{ReplicationSuccessCount: &n}); got.sums[0] != 10 {
		t.Errorf("the one that stays has %v cycles, want 10", got.sums[0])
	}
}
