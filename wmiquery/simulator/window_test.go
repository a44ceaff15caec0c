package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Monitoring windows are counted from the time of day that was asked for, and from 9:00
// if none was.
func TestMonitoringStart(t *testing.T) {
	for _, tt := range []struct {
		at   *time.Duration
		want time.Duration // after midnight, and twelve hours later
	}{{nil, 9 * time.Hour}, {new(time.Duration(0)), 0}, {new(7*time.Hour + 30*time.Minute), 7*time.Hour + 30*time.Minute}} {
		w, _ := newWorld(t, simulator.Config{Seed: 1, VMs: 3, MonitoringStart: tt.at})
		s := open(t, w, "HV01")
		if got := *read[msvm.ReplicationServiceSettingData](t, s)[0].MonitoringStartTime; got != tt.want {
			t.Errorf("the settings say %v, want %v", got, tt.want)
		}
		start := relationships(t, s, vms(t, s)[0])[0].stats.StartStatisticTime.UTC()
		if since := time.Duration(start.Hour())*time.Hour + time.Duration(start.Minute())*time.Minute; since%(12*time.Hour) != tt.want%(12*time.Hour) {
			t.Errorf("the window began at %v, want %v after noon or midnight", start, tt.want)
		}
	}
	if _, err := simulator.New(simulator.Config{MonitoringStart: new(24 * time.Hour)}); err == nil {
		t.Error("24:00 is taken for a time of day")
	}
}
