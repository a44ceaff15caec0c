package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// power is the EnabledState of the VM on a host.
func (d *vmDriver) power(host string) uint16 {
	d.Helper()
	for _, c := range read[msvm.ComputerSystem](d.T, d.hosts[host]) {
		if c.Name == d.vm {
			return uint16(*c.EnabledState)
		}
	}
	d.Fatalf("no VM on %s", host)
	return 0
}

// requestPower requests a power state of the VM, and checks the return code and the EnabledState afterwards.
func (d *vmDriver) requestPower(host string, state uint16, code uint32, power uint16) {
	d.Helper()
	reply := call(d.T, d.hosts[host], newCall(msvm.VMRef(d.vm), "RequestStateChange", params("RequestedState", state)...))
	if got := d.power(host); reply.Code != code || got != power {
		d.Errorf("%s: state %d requested: code %d, EnabledState %d, want %d, %d", host, state, reply.Code, got, code, power)
	}
}

// shutDown calls InitiateShutdown of the VM on HV01, and returns false if the VM has no shutdown service.
func (d *vmDriver) shutDown(reason string) (code uint32, ok bool) {
	d.Helper()
	for _, c := range read[msvm.ShutdownComponent](d.T, d.hosts["HV01"]) {
		if c.SystemName == d.vm {
			reply := call(d.T, d.hosts["HV01"], newCall(c.Ref(), "InitiateShutdown", params("Force", false, "Reason", reason)...))
			return reply.Code, true
		}
	}
	return 0, false
}

// A VM is turned off and started. The replica cannot start before a failover, and a prepared primary cannot start.
func TestRequestStateChangeOfAVM(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.requestPower("HV01", 2, 32775, 2) // it runs
	d.requestPower("HV01", 9, 32770, 2) // not needed for a failover
	d.requestPower("HV01", 3, 0, 3)
	d.requestPower("HV01", 3, 32775, 3)
	d.requestPower("HV02", 2, 32775, 3) // a replica
	d.requestPower("HV01", 2, 0, 2)
	d.requestPower("HV01", 3, 0, 3)
	d.waitForJob("prepare", "HV01", d.requestState("HV01", 4), msvm.JobInitiateSyncedReplication, msvm.JobCompleted)
	d.requestPower("HV01", 2, 32775, 3) // prepared
	d.waitForJob("failover", "HV02", d.call("HV02", msvm.MethodInitiateFailover), msvm.JobInitiateFailover, msvm.JobCompleted)
	d.requestPower("HV02", 2, 0, 2)
	reply := call(t, d.hosts["HV01"], newCall(msvm.VMRef("HV01"), "RequestStateChange", params("RequestedState", uint16(3))...))
	if reply.Code != 32770 {
		t.Errorf("the host is turned off: code %d, want 32770", reply.Code)
	}
}

// A shutdown takes a while, in which the VM is neither on nor off. It has no job. Only a VM that runs has a shutdown
// service.
func TestInitiateShutdown(t *testing.T) {
	d := newVMDriver(t, healthy)
	jobs := len(read[msvm.ConcreteJob](t, d.hosts["HV01"]))
	if code, _ := d.shutDown(""); code != 32773 {
		t.Errorf("without a reason: code %d, want 32773", code)
	}
	if code, ok := d.shutDown("planned failover"); code != 0 || !ok {
		t.Fatalf("code %d, shutdown service %t, want 0, true", code, ok)
	}
	if code, _ := d.shutDown("again"); code != 32782 || d.power("HV01") != 4 {
		t.Errorf("during the shutdown: code %d, EnabledState %d, want 32782, 4", code, d.power("HV01"))
	}
	if reply := d.requestState("HV01", 4); reply.Code != wmiquery.CodeInvalidState {
		t.Errorf("prepared during the shutdown: code %d, want %d", reply.Code, wmiquery.CodeInvalidState)
	}
	if n := len(read[msvm.ConcreteJob](t, d.hosts["HV01"])); n != jobs {
		t.Errorf("%d jobs, want %d", n, jobs)
	}
	d.clock.Advance(2 * time.Minute)
	if _, ok := d.shutDown("off"); ok || d.power("HV01") != 3 {
		t.Errorf("afterwards: shutdown service %t, EnabledState %d, want false, 3", ok, d.power("HV01"))
	}
	d.requestPower("HV01", 2, 0, 2)
	d.clock.Advance(2 * time.Minute)
	if got := d.power("HV01"); got != 2 {
		t.Errorf("EnabledState %d after a start, want 2", got)
	}
	// A VM that is turned off while it shuts down, and started again, stays on.
	d.shutDown("x")
	d.requestPower("HV01", 3, 0, 3)
	d.requestPower("HV01", 2, 0, 2)
	d.clock.Advance(2 * time.Minute)
	if got := d.power("HV01"); got != 2 {
		t.Errorf("EnabledState %d after turning off and starting during a shutdown, want 2", got)
	}
}

// A guest operating system without the service cannot be shut down.
func TestGuestWithoutShutdownService(t *testing.T) {
	d := newVMDriver(t, 7)
	found := false
	for _, id := range vms(t, d.hosts["HV01"]) {
		d.vm = id
		for _, c := range read[msvm.ShutdownComponent](t, d.hosts["HV01"]) {
			if c.SystemName != id || !c.Unreachable() {
				continue
			}
			found = true
			if code, _ := d.shutDown("x"); code != 32780 || d.power("HV01") != 2 {
				t.Errorf("code %d, EnabledState %d, want 32780, 2", code, d.power("HV01"))
			}
		}
	}
	if !found {
		t.Error("each VM has the service")
	}
}
