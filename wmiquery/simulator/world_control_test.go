package simulator_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// VMs can be turned on and off. A VM that is off writes nothing, and a change of its disk requires a
// resynchronization.
func TestPower(t *testing.T) {
	d := newVMDriver(t, healthy)
	for _, err := range []error{
		d.world.SetPower("x", "HV01", true), d.world.SetPower(d.vm, "HV03", true), d.world.SetPower(d.vm, "x",
			true), d.world.ModifyDisk("x", "HV01"),
	} {
		if !errors.Is(err, wmiquery.ErrNotFound) {
			t.Errorf("unknown VM: error is %v, want not found", err)
		}
	}
	if on, err := d.world.IsOn(d.vm, "HV01"); !on || err != nil {
		t.Errorf("the primary is on: %v, %v, want true", on, err)
	}
	if on, err := d.world.IsOn(d.vm, "HV02"); on || err != nil {
		t.Errorf("the replica is on: %v, %v, want false", on, err)
	}
	if err := d.world.ModifyDisk(d.vm, "HV01"); !errors.Is(err, wmiquery.ErrInvalidState) {
		t.Errorf("modify a disk in use: error is %v, want invalid state", err)
	}
	d.setPower("HV01", false)
	d.clock.Advance(30 * time.Minute) // changes from before are sent
	key := msvm.Key{VM: d.vm, Link: msvm.Primary}
	before, _ := d.world.Totals(key)
	d.clock.Advance(time.Hour)
	if after, _ := d.world.Totals(key); after.Cycles < before.Cycles+10 || after.Bytes != before.Bytes {
		t.Errorf("totals of a VM that is off are %+v, then %+v", before, after)
	}
	d.wantStates("off", "1[3] 2[3 0] -")
	if err := d.world.ModifyDisk(d.vm, "HV01"); err != nil {
		t.Error(err)
	}
	d.clock.Advance(time.Hour)
	d.wantStates("modified and off", "1[3] 2[3 0] -")
	d.setPower("HV01", true)
	d.wantStates("modified and turned on", "1[9] 2[3 0] -")
	d.do("HV01", method("Resynchronize"))
	d.setPower("HV01", false)
	d.setPower("HV01", true)
	d.wantStates("resynchronized and turned on", "1[3] 2[3 0] -")
}

// SetState sets states that no method leads to.
func TestSetState(t *testing.T) {
	d := newVMDriver(t, healthy)
	key := msvm.Key{VM: d.vm, Link: msvm.Primary}
	for n := range 22 {
		if err := d.world.SetState("HV02", key, msvm.ReplicationState(n)); (err != nil) != (n == 0) {
			t.Errorf("set state %d: %v", n, err)
		}
		if n > 0 {
			d.wantStates("set", fmt.Sprintf("1[3] 2[%d 0] -", n))
		}
	}
	key.Link = msvm.Extended
	if err := d.world.SetState("HV02", key, msvm.Replicating); !errors.Is(err, wmiquery.ErrInvalidState) {
		t.Errorf("unknown relationship: error is %v, want invalid state", err)
	}
}

// The replica cannot be turned on before a failover, and the primary not while it is prepared.
func TestStartIsBlocked(t *testing.T) {
	for _, tt := range []struct {
		vm   int
		host string
		want bool
	}{
		{healthy, "HV02", true},
		{prepared, "HV01", true},
		{prepared, "HV02", true},
		{pausedOnPrimary, "HV02", true},
		{failoverInProgress, "HV01", true},
		{failedOver, "HV01", false},
		{failedOver, "HV02", false},
		{committed, "HV01", false},
		{neverReplicated, "HV01", false},
	} {
		d := newVMDriver(t, tt.vm)
		d.setPower(tt.host, false)
		err := d.world.SetPower(d.vm, tt.host, true)
		if errors.Is(err, wmiquery.ErrInvalidState) != tt.want {
			t.Errorf("%s on %s: error is %v, want one: %v", d.states(), tt.host, err, tt.want)
		}
	}
}

// A disk is modified on the sending side only, and not while a job is running.
func TestModifiedDisk(t *testing.T) {
	d := newSingleVMDriver(t)
	if err := d.world.ModifyDisk(d.vm, "HV02"); err != nil {
		t.Error(err)
	}
	d.wantStates("modified on the replica", "1[3] 2[3 0] -")
	d.setPower("HV01", false)
	d.do("HV01", request(7))
	if err := d.world.ModifyDisk(d.vm, "HV01"); err != nil {
		t.Error(err)
	}
	d.wantStates("modified while paused", "1[7] 2[3 0] -")
	d.requestState("HV01", 3)
	if err := d.world.ModifyDisk(d.vm, "HV01"); !errors.Is(err, wmiquery.ErrInvalidState) {
		t.Errorf("modify a disk during a job: error is %v, want invalid state", err)
	}
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-computersystem.md, EnabledState: 2 is running, 3 is off.
func TestEnabledState(t *testing.T) {
	d := newSingleVMDriver(t)
	enabledState := func(host string) msvm.EnabledState {
		for _, c := range read[msvm.ComputerSystem](t, d.hosts[host]) {
			if c.Name == d.vm {
				return *c.EnabledState
			}
		}
		return 0
	}
	if p, r := enabledState("HV01"), enabledState("HV02"); p != 2 || r != 3 {
		t.Errorf("power states are %d and %d, want 2 and 3", p, r)
	}
	d.setPower("HV01", false)
	if got := enabledState("HV01"); got != 3 {
		t.Errorf("power state of the primary is %d, want 3", got)
	}
}
