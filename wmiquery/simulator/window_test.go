package simulator_test

import (
	"reflect"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Monitoring windows are counted from the configured time of day, or from 9:00 by default.
func TestMonitoringStart(t *testing.T) {
	for _, tt := range []struct {
		at   *time.Duration
		want time.Duration // time of day; the other window starts twelve hours later
	}{
		{nil, 9 * time.Hour},
		{new(time.Duration(0)), 0},
		{new(7*time.Hour + 30*time.Minute), 7*time.Hour + 30*time.Minute},
	} {
		w, _ := newWorld(t, simulator.Config{Seed: 1, VMs: 3, MonitoringStart: tt.at})
		s := open(t, w, "HV01")
		if got := *read[msvm.ReplicationServiceSettingData](t, s)[0].MonitoringStartTime; got != tt.want {
			t.Errorf("MonitoringStartTime is %v, want %v", got, tt.want)
		}
		start := relationships(t, s, vms(t, s)[0])[0].stats.StartStatisticTime.UTC()
		since := time.Duration(start.Hour())*time.Hour + time.Duration(start.Minute())*time.Minute
		if since%(12*time.Hour) != tt.want%(12*time.Hour) {
			t.Errorf("window began at %v, want %v after noon or midnight", start, tt.want)
		}
	}
	if _, err := simulator.New(simulator.Config{MonitoringStart: new(24 * time.Hour)}); err == nil {
		t.Error("a MonitoringStart of 24:00 is accepted")
	}
}

// counters are the statistics that a new window resets.
func counters(s msvm.ReplicationStatistics) simulator.Totals {
	return simulator.Totals{
		Cycles: uint64(*s.ReplicationSuccessCount), Missed: uint64(*s.ReplicationMissCount),
		Bytes: *s.ReplicationSize, Seconds: uint64(*s.ReplicationLatency),
		NetworkFailures: uint64(*s.NetworkFailureCount), Failures: uint64(*s.ReplicationFailureCount),
		SnapshotFailures: uint64(*s.ApplicationConsistentSnapshotFailureCount),
	}
}

// addTotals adds counters to sum, or subtracts them if sign is -1.
func addTotals(sum *simulator.Totals, sign int, figures simulator.Totals) {
	for i := range reflect.ValueOf(figures).NumField() {
		to := reflect.ValueOf(sum).Elem().Field(i)
		to.SetUint(to.Uint() + uint64(sign)*reflect.ValueOf(figures).Field(i).Uint())
	}
}

// A window ends to the second. All counters start at 0 again, and the totals lose nothing.
func TestMonitoringWindows(t *testing.T) {
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
			addTotals(&want, -1, counters(stats()))
			for _, end := range ends {
				c.Set(end.Add(-time.Second))
				last := stats()
				addTotals(&want, 1, counters(last))
				c.Set(end)
				next := stats()
				if !next.StartStatisticTime.Equal(end) || !last.StartStatisticTime.Before(end) ||
					!next.EndStatisticTime.Equal(end) {
					t.Errorf("%v: windows start at %v and %v, want the second one to start at %v",
						interval, last.StartStatisticTime, next.StartStatisticTime, end)
				}
				// A cycle that ends in the same second counts in the new window.
				if n := *next.ReplicationSuccessCount; n > 1 || n >= *last.ReplicationSuccessCount ||
					*next.MaxReplicationSize != *next.ReplicationSize || *next.MaxReplicationLatency != *next.ReplicationLatency {
					t.Errorf("%v: last counters of the window are %+v, first of the next are %+v", interval, counters(last),
						counters(next))
				}
			}
			addTotals(&want, 1, counters(stats()))
			if got, _ := w.Totals(msvm.Key{VM: id, Link: msvm.Primary}); got != want {
				t.Errorf("%v: totals are %+v, want the sum of the windows, %+v", interval, got, want)
			}
		}
	}
}

// The monitoring window ends at the same time as before a reset, which concerns one side only.
func TestWindowAfterReset(t *testing.T) {
	d := newSingleVMDriver(t)
	at := d.clock.Now()
	d.do("HV02", withRelationship("ResetReplicationStatisticsEx", msvm.Primary))
	s, other := d.statistics("HV02"), d.statistics("HV01")
	if got := s.StartStatisticTime.Sub(at); got != time.Second || *s.MaxReplicationSize != 0 ||
		*s.MaxReplicationLatency != 0 {
		t.Errorf("statistics after the reset begin %v later with %+v, want 1s later without values", got, s)
	}
	if other.StartStatisticTime.Hour() != 9 || *other.ReplicationSuccessCount == 0 {
		t.Errorf("statistics of the other side begin at %v, want 09:00", other.StartStatisticTime)
	}
	end := time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)
	d.clock.Set(end.Add(-time.Second))
	if got := d.statistics("HV02").StartStatisticTime; !got.Equal(at.Add(time.Second)) {
		t.Errorf("window before its end began at %v, want the time of the reset", got)
	}
	d.clock.Set(end)
	if got := d.statistics("HV02").StartStatisticTime; !got.Equal(end) {
		t.Errorf("window at its end began at %v, want 21:00", got)
	}
}

// A change of the length or of the start of the monitoring windows takes effect at once, each on its own.
func TestChangedWindows(t *testing.T) {
	type settings = *msvm.ReplicationServiceSettingData
	for _, tt := range []struct {
		name   string
		change func(settings)
		end    time.Time // of the window at 14:30
	}{
		{"other port", func(s settings) { s.HttpPort = new(uint16(8080)) }, time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)},
		{
			"length of 2 h", func(s settings) { s.MonitoringInterval = new(uint32(7200)) },
			time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC),
		},
		{
			"start at 04:40", func(s settings) { s.MonitoringStartTime = new(4*time.Hour + 40*time.Minute) },
			time.Date(2026, 11, 23, 16, 40, 0, 0, time.UTC),
		},
	} {
		d := newSingleVMDriver(t)
		d.finish("HV01", d.modifyService("HV01", tt.change))
		d.clock.Set(tt.end.Add(-time.Second))
		if got := d.statistics("HV01").StartStatisticTime; got.Hour() != 9 || got.Minute() != 0 {
			t.Errorf("%s: window before %v began at %v, want 09:00", tt.name, tt.end, got)
		}
		d.clock.Set(tt.end)
		if got := d.statistics("HV01").StartStatisticTime; !got.Equal(tt.end) {
			t.Errorf("%s: window began at %v, want %v", tt.name, got, tt.end)
		}
	}
}

// The largest size and the largest duration of a cycle are those of a single cycle of the window.
func TestLargestCycle(t *testing.T) {
	d := newSingleVMDriver(t)
	d.do("HV01", withRelationship("ResetReplicationStatisticsEx", msvm.Primary))
	var bytes, largestBytes uint64
	var seconds, largestSeconds uint32
	for range 120 {
		d.clock.Advance(time.Minute)
		s := d.statistics("HV01")
		largestBytes = max(largestBytes, *s.ReplicationSize-bytes)
		largestSeconds = max(largestSeconds, *s.ReplicationLatency-seconds)
		bytes, seconds = *s.ReplicationSize, *s.ReplicationLatency
		if *s.MaxReplicationSize != largestBytes || *s.MaxReplicationLatency != largestSeconds {
			t.Fatalf("largest cycle is %d bytes, %d s, want %d, %d",
				*s.MaxReplicationSize, *s.MaxReplicationLatency, largestBytes, largestSeconds)
		}
	}
	if n := *d.statistics("HV01").ReplicationSuccessCount; n < 23 {
		t.Errorf("%d cycles in two hours, want 24", n)
	}
}

// A cycle that ends in the second in which a window ends counts in the new window.
func TestCycleAtEndOfWindow(t *testing.T) {
	d := newSingleVMDriver(t) // cycles end at the same seconds in every World of the same seed
	d.clock.Advance(time.Hour)
	begin := *d.statistics("HV01").ReplicationSuccessCount
	d.advanceUntil(time.Second, "replicated", func() bool {
		return *d.statistics("HV01").ReplicationSuccessCount > begin
	})
	end := d.clock.Now()

	d = newSingleVMDriver(t)
	d.finish("HV01", d.modifyService("HV01", func(s *msvm.ReplicationServiceSettingData) {
		s.MonitoringStartTime = new(end.Sub(end.Truncate(24 * time.Hour)))
	}))
	d.clock.Set(end)
	s := d.statistics("HV01")
	if !s.StartStatisticTime.Equal(end) || *s.ReplicationSuccessCount != 1 || *s.ReplicationSize == 0 {
		t.Errorf("window of %v has %+v, want one of %v with one cycle", s.StartStatisticTime, counters(s), end)
	}
}
