package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// cutBeforeCycle cuts the network and returns the time of the first attempt that fails because of it.
func (d *vmDriver) cutBeforeCycle() time.Time {
	d.Helper()
	before := *d.statistics("HV01").NetworkFailureCount
	d.world.SetNetworkDown(true)
	d.advanceUntil(time.Second, "a failure", func() bool {
		return *d.statistics("HV01").NetworkFailureCount > before
	})
	return d.clock.Now()
}

// Source: MicrosoftDocs/azure-docs, hyper-v-azure-architecture.md, "Retry process": after a failure of the network, the
// waits are 1, 2, 4, 8 and 10 minutes, and then 30 minutes. That this is so between two hosts, too, is inferred.
func TestWaitsBetweenRetries(t *testing.T) {
	d := newSingleVMDriver(t)
	d.clock.Advance(time.Minute)
	begin := d.cutBeforeCycle()
	failures := *d.statistics("HV01").NetworkFailureCount
	for _, minutes := range []int{1, 3, 7, 15, 25, 55, 85, 115} {
		at := begin.Add(time.Duration(minutes) * time.Minute)
		d.clock.Set(at.Add(-time.Second))
		if got := *d.statistics("HV01").NetworkFailureCount; got != failures {
			t.Errorf("%d network failures in the second before minute %d, want %d", got, minutes, failures)
		}
		failures++
		d.clock.Set(at)
		if got := *d.statistics("HV01").NetworkFailureCount; got != failures {
			t.Errorf("%d network failures in minute %d, want %d", got, minutes, failures)
		}
	}
}

// Source: Microsoft's virtualization blog, 2012-06-15, question 5: health is critical if the primary server cannot
// send. The state stays, because the failure can end by itself.
func TestUnreachableServerIsCritical(t *testing.T) {
	const unreachable = "99005"
	d := newSingleVMDriver(t)
	d.clock.Advance(time.Minute)
	begin := d.cutBeforeCycle()
	if h := *d.rows("HV01")[0].ReplicationHealth; h != 3 || !d.issues()[unreachable] {
		t.Errorf("health at the first failure is %d for %v, want 3", h, d.issues())
	}
	if h := *d.rows("HV02")[0].ReplicationHealth; h != 1 {
		t.Errorf("health of the replica is %d, want 1: it does not know", h)
	}
	d.clock.Set(begin.Add(20 * time.Minute))
	d.world.SetNetworkDown(false)
	d.clock.Set(begin.Add(25*time.Minute - time.Second))
	if h := *d.rows("HV01")[0].ReplicationHealth; h != 3 {
		t.Errorf("health before the next attempt is %d, want 3", h)
	}
	d.clock.Set(begin.Add(25*time.Minute + 30*time.Second)) // the cycle takes a few seconds
	if last := *d.rows("HV02")[0].LastReplicationTime; last.Before(begin.Add(25 * time.Minute)) {
		t.Errorf("last replication is %v, want after the attempt at %v", last, begin.Add(25*time.Minute))
	}
	if h := *d.rows("HV01")[0].ReplicationHealth; h == 3 || d.issues()[unreachable] {
		t.Errorf("health after the attempt is %d for %v", h, d.issues())
	}
	d.wantStates("afterwards", "1[3] 2[3 0] -")

	begin = d.cutBeforeCycle()
	d.clock.Set(begin.Add(24 * time.Hour))
	d.wantStates("a day without the network", "1[3] 2[3 0] -")
}

// A cycle that is running when the network goes down fails at once and does not arrive.
func TestCycleEndsWithNetwork(t *testing.T) {
	running := 0
	for minute := range 10 {
		d := newVMDriver(t, slowLink) // a cycle is running most of the time
		d.clock.Advance(time.Duration(minute) * time.Minute)
		last, before := *d.rows("HV02")[0].LastReplicationTime, *d.statistics("HV01").NetworkFailureCount
		d.world.SetNetworkDown(true)
		if *d.statistics("HV01").NetworkFailureCount > before {
			running++
		}
		d.clock.Advance(20 * time.Minute)
		if now := *d.rows("HV02")[0].LastReplicationTime; !now.Equal(last) {
			t.Errorf("a replication arrived at %v, while the network was down", now)
		}
	}
	if running < 5 {
		t.Errorf("%d of 10 cycles were running and failed, want most of them", running)
	}
}

// Source: MicrosoftDocs/azure-docs, hyper-v-azure-architecture.md, "Retry process": after an authentication or
// authorization error there is no retry. An administrator must resume replication.
func TestAuthorizationErrorIsNotRetried(t *testing.T) {
	d := newSingleVMDriver(t)
	remove := method("RemoveAuthorizationEntry", "AllowedPrimaryHostSystem", "*")
	add := method("AddAuthorizationEntry", entryParam(t, "*", `D:\`)...)
	d.do("HV02", remove)
	d.advanceToFailures("HV01", 1)
	d.wantStates("the first cycle is rejected", "1[8] 2[8 0] -")
	if h := *d.rows("HV01")[0].ReplicationHealth; h != 3 {
		t.Errorf("health is %d, want 3", h)
	}
	d.do("HV02", add)
	d.clock.Advance(2 * time.Hour)
	d.wantStates("authorized again", "1[8] 2[8 0] -")
	if got := *d.statistics("HV01").ReplicationFailureCount; got != 1 {
		t.Errorf("%d failures, want no retry", got)
	}
	d.do("HV01", request(3))
	d.wantStates("resumed", "1[3] 2[3 0] -")
	d.clock.Advance(10 * time.Minute)
	if last := *d.rows("HV02")[0].LastReplicationTime; last.Before(d.clock.Now().Add(-6 * time.Minute)) {
		t.Errorf("last replication is %v, want after the resumption", last)
	}
	if p, r := *d.statistics("HV01").ReplicationMissCount, *d.statistics("HV02").ReplicationMissCount; p != r || p < 1 {
		t.Errorf("the primary counts %d missed cycles and the replica %d, want the same", p, r)
	}
	if got := *d.statistics("HV02").ReplicationFailureCount; got != 0 {
		t.Errorf("the replica counts %d failures, want 0", got)
	}
}

// A replica server whose listener is off is a server that cannot be reached: replication continues by itself.
func TestDisabledServerIsRetried(t *testing.T) {
	enable := func(on bool) func(*msvm.ReplicationServiceSettingData) {
		return func(s *msvm.ReplicationServiceSettingData) { s.RecoveryServerEnabled = &on }
	}
	port := func(n uint16) func(*msvm.ReplicationServiceSettingData) {
		return func(s *msvm.ReplicationServiceSettingData) { s.HttpPort = &n }
	}
	for _, change := range [][2]func(*msvm.ReplicationServiceSettingData){{enable(false), enable(true)}, {port(81), port(80)}} {
		d := newSingleVMDriver(t)
		d.finish("HV02", d.modifyService("HV02", change[0]))
		d.clock.Advance(10 * time.Minute)
		d.wantStates("no listener", "1[3] 2[3 0] -")
		if h := *d.rows("HV01")[0].ReplicationHealth; h != 3 || *d.statistics("HV01").NetworkFailureCount == 0 {
			t.Errorf("health is %d after %d network failures, want 3", h, *d.statistics("HV01").NetworkFailureCount)
		}
		d.finish("HV02", d.modifyService("HV02", change[1]))
		d.clock.Advance(31 * time.Minute)
		if last := *d.rows("HV02")[0].LastReplicationTime; last.Before(d.clock.Now().Add(-10 * time.Minute)) {
			t.Errorf("last replication is %v, want within 10 minutes of %v", last, d.clock.Now())
		}
	}
}

// A sender that is paused does not try to send, so its failure is over.
func TestPauseEndsRetries(t *testing.T) {
	d := newSingleVMDriver(t)
	d.clock.Advance(time.Minute)
	d.cutBeforeCycle()
	d.do("HV01", request(7))
	failures := *d.statistics("HV01").NetworkFailureCount
	if h := *d.rows("HV01")[0].ReplicationHealth; h != 2 {
		t.Errorf("health of the paused primary is %d for %v, want 2", h, d.issues())
	}
	d.clock.Advance(time.Hour)
	if got := *d.statistics("HV01").NetworkFailureCount; got != failures {
		t.Errorf("%d network failures while paused, want none", got-failures)
	}
}

// A replica that is paused during a transfer, even in its last second, takes it up again when it is resumed.
func TestReplicaPausedDuringTransfer(t *testing.T) {
	d := newVMDriver(t, initialReplication)
	d.clock.Advance(126*time.Minute - time.Second) // see TestSituationsChangeWithTime
	d.do("HV02", request(7))
	d.clock.Advance(time.Second)
	d.wantStates("paused in the last second", "1[2] 2[7 0] -")
	d.do("HV02", request(3))
	d.clock.Advance(10 * time.Minute)
	d.wantStates("resumed", "1[3] 2[3 0] -")

	d = newVMDriver(t, resynchronizing)
	d.do("HV02", request(7), request(3))
	d.wantStates("paused and resumed while resynchronizing", "1[10] 2[10 0] -")
	d.clock.Advance(2 * time.Hour)
	d.wantStates("resynchronized", "1[3] 2[3 0] -")
}
