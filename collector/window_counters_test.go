package collector

import (
	"reflect"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Counters continue when the statistics are reset (Q8, Q70). Each step is one response of
// the host.
func TestWindowCounters(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	now := t0.Add(24 * time.Hour)
	type step struct {
		start              time.Time
		success            int // negative for null
		bytes              uint64
		wantCycles, wantMB float64
		wantResets         float64
	}
	const mb = 1 << 20
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"first value counts as 0", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 103, 515 * mb, 3, 15, 0},
		}},
		{"unchanged values", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 101, 505 * mb, 1, 5, 0},
			{t0, 101, 505 * mb, 1, 5, 0},
		}},
		{"new window", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 110, 550 * mb, 10, 50, 0},
			{t0.Add(12 * time.Hour), 2, 8 * mb, 12, 58, 1},
			{t0.Add(12 * time.Hour), 3, 12 * mb, 13, 62, 1},
		}},
		{"new window with larger values", []step{
			{t0, 1, 5 * mb, 0, 0, 0},
			{t0.Add(12 * time.Hour), 4, 9 * mb, 4, 9, 1},
		}},
		{"reset without a new start", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 0, 0, 0, 0, 1},
			{t0, 1, 4 * mb, 1, 4, 1},
		}},
		{"one decreased value is a reset of all", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, 101, 4 * mb, 101, 4, 1},
		}},
		{"start differs by less than a second", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0.Add(900 * time.Millisecond), 101, 505 * mb, 1, 5, 0},
		}},
		{"start differs by a second", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0.Add(time.Second), 101, 505 * mb, 1, 5, 0},
			{t0, 102, 510 * mb, 2, 10, 0},
		}},
		{"start differs by more than a second", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0.Add(1001 * time.Millisecond), 101, 505 * mb, 101, 505, 1},
		}},
		{"start goes back", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0.Add(-12 * time.Hour), 101, 505 * mb, 101, 505, 1},
			{t0.Add(-12 * time.Hour), 103, 506 * mb, 103, 506, 1},
			{t0, 104, 507 * mb, 207, 1013, 2},
		}},
		{"new window after an unknown start", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{time.Time{}, 101, 505 * mb, 1, 5, 0},
			{t0.Add(12 * time.Hour), 150, 600 * mb, 151, 605, 1},
		}},
		{"start becomes known", []step{
			{time.Time{}, 100, 500 * mb, 0, 0, 0},
			{t0, 101, 505 * mb, 1, 5, 0},
			{t0.Add(12 * time.Hour), 102, 510 * mb, 103, 515, 1},
		}},
		{"null across a reset", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0.Add(12 * time.Hour), -1, 3 * mb, 0, 3, 1},
			{t0.Add(12 * time.Hour), 4, 5 * mb, 4, 5, 1},
		}},
		{"unknown start is not a reset", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{time.Time{}, 101, 505 * mb, 1, 5, 0},
			{t0, 102, 510 * mb, 2, 10, 0},
		}},
		{"start in the future is not a reset", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{now.Add(time.Hour), 101, 505 * mb, 1, 5, 0},
			{t0, 102, 510 * mb, 2, 10, 0},
		}},
		{"decreased value with a start in the future is a reset", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{now.Add(time.Hour), 2, 8 * mb, 2, 8, 1},
		}},
		{"null is not a reset", []step{
			{t0, 100, 500 * mb, 0, 0, 0},
			{t0, -1, 505 * mb, 0, 5, 0},
			{t0, 102, 510 * mb, 2, 10, 0},
		}},
		{"first value after null counts as 0", []step{
			{t0, -1, 500 * mb, 0, 0, 0},
			{t0, 102, 505 * mb, 0, 5, 0},
			{t0, 103, 505 * mb, 1, 5, 0},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, k := newWindowCounters(), msvm.Key{VM: "4708A0F4-C902-429B-A1E0-D4AB0893E452", Link: msvm.Primary}
			for i, s := range tt.steps {
				stats := &msvm.ReplicationStatistics{ReplicationSize: &s.bytes}
				if !s.start.IsZero() {
					stats.StartStatisticTime = &s.start
				}
				if n := uint32(s.success); s.success >= 0 {
					stats.ReplicationSuccessCount = &n
				}
				got := c.add(k, stats, now)
				cycles, bytes := got.sums[0], got.sums[5]
				if cycles != s.wantCycles || bytes != s.wantMB*mb || got.resets != s.wantResets {
					t.Errorf("step %d: %v cycles, %v MB, %v resets; want %v, %v, %v",
						i, cycles, bytes/mb, got.resets, s.wantCycles, s.wantMB, s.wantResets)
				}
			}
		})
	}
}

// A decrease of any one property is a reset of all: the value of each then is the increase in the new window.
func TestDecreaseOfAnyPropertyIsReset(t *testing.T) {
	properties := []string{
		"ReplicationSuccessCount", "ReplicationMissCount", "ReplicationFailureCount", "NetworkFailureCount",
		"ApplicationConsistentSnapshotFailureCount", "ReplicationSize", "ReplicationLatency",
	}
	statistics := func(value func(property string) uint64) *msvm.ReplicationStatistics {
		s := &msvm.ReplicationStatistics{}
		for _, name := range properties {
			field := reflect.ValueOf(s).Elem().FieldByName(name)
			number := reflect.New(field.Type().Elem())
			number.Elem().SetUint(value(name))
			field.Set(number)
		}
		return s
	}
	k := msvm.Key{VM: "4708A0F4-C902-429B-A1E0-D4AB0893E452", Link: msvm.Primary}
	for i, decreased := range properties {
		c := newWindowCounters()
		c.add(k, statistics(func(string) uint64 { return 100 }), time.Time{})
		c.add(k, statistics(func(string) uint64 { return 103 }), time.Time{})
		got := c.add(k, statistics(func(name string) uint64 {
			if name == decreased {
				return 102
			}
			return 104
		}), time.Time{})
		want := counterTotals{resets: 1}
		for j := range properties {
			want.sums[j] = 3 + 104
		}
		want.sums[i] = 3 + 102
		if got != want {
			t.Errorf("%s decreases: got %+v, want %+v", decreased, got, want)
		}
	}
}

// The counters of a relationship that was removed restart at 0 if it returns.
func TestWindowCountersPrune(t *testing.T) {
	c := newWindowCounters()
	removed, kept := msvm.Key{VM: "A", Link: msvm.Primary}, msvm.Key{VM: "A", Link: msvm.Extended}
	for n := range uint32(3) {
		c.add(removed, &msvm.ReplicationStatistics{ReplicationSuccessCount: &n}, time.Time{})
		c.add(kept, &msvm.ReplicationStatistics{ReplicationSuccessCount: &n}, time.Time{})
	}
	c.prune(func(k msvm.Key) bool { return k != kept })
	n := uint32(10)
	if got := c.add(removed, &msvm.ReplicationStatistics{ReplicationSuccessCount: &n}, time.Time{}); got.sums[0] != 0 {
		t.Errorf("removed relationship has %v cycles, want 0", got.sums[0])
	}
	if got := c.add(kept, &msvm.ReplicationStatistics{ReplicationSuccessCount: &n}, time.Time{}); got.sums[0] != 10 {
		t.Errorf("kept relationship has %v cycles, want 10", got.sums[0])
	}
}
