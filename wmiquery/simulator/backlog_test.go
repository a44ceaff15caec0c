package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Source: Microsoft's virtualization blog, 2013-05-10: a resynchronization is required when the tracked changes exceed
// half of the size of the disks. It names no state, so this applies in every state in which changes are tracked.
func TestBacklogRequiresResynchronization(t *testing.T) {
	const diskSize = 60e9
	for _, tt := range []struct {
		name    string
		vm      int
		prepare func(d *vmDriver)
		begin   msvm.ReplicationState
	}{
		{"without the network", healthy, func(d *vmDriver) { d.world.SetNetworkDown(true) }, 3},
		{"paused", pausedOnPrimary, nil, 7},
		{"error", critical, nil, 8},
		{"initial replication", initialReplication, func(d *vmDriver) { d.world.SetNetworkDown(true) }, 2},
		{"initial replication paused", initialReplication, func(d *vmDriver) { d.do("HV01", request(7)) }, 7},
		{"resynchronization", resynchronizing, func(d *vmDriver) { d.world.SetNetworkDown(true) }, 10},
		{"resynchronization suspended", resyncSuspended, nil, 11},
	} {
		d := newVMDriver(t, tt.vm)
		if tt.prepare != nil {
			tt.prepare(d)
		}
		limit := diskSize / 2 * float64(len(d.settings("HV01").IncludedDisks))
		pending := 0.0
		for end := d.clock.Now().Add(60 * 24 * time.Hour); ; d.clock.Advance(5 * time.Minute) {
			state := *d.rows("HV01")[0].ReplicationState
			if state == msvm.WaitingToStartResynchronization {
				break
			}
			if state != tt.begin || d.clock.Now().After(end) {
				t.Fatalf("%s: state is %d at %v, want %d and then 9", tt.name, state, d.clock.Now(), tt.begin)
			}
			pending = float64(*d.statistics("HV01").PendingReplicationSize)
		}
		if pending < 0.9*limit || pending > 1.1*limit {
			t.Errorf("%s: resynchronization required at %.0f bytes, want about %.0f", tt.name, pending, limit)
		}
		if err := d.world.Invariants(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		d.world.SetNetworkDown(false)
		d.clock.Advance(10 * time.Minute)
		d.call("HV01", "Resynchronize")
		d.clock.Advance(2 * time.Hour)
		d.wantStates(tt.name+", resynchronized", "1[3] 2[3 0] -")
	}
}
