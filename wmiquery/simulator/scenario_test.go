package simulator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// census is how many relationships of HV01 are in which state, and of which
// health.
func census(t *testing.T, w *simulator.World) (total int, by map[string]int) {
	by = map[string]int{}
	for _, r := range read[msvm.ReplicationRelationship](t, open(t, w, "HV01")) {
		if r.Replicates() {
			total++
			by[r.ReplicationState.String()]++
			by[r.ReplicationHealth.String()]++
		}
	}
	return total, by
}

// Each scenario shows what its name says.
func TestScenarios(t *testing.T) {
	const n = 200
	for i, name := range simulator.Scenarios() {
		w, c := newWorld(t, simulator.Config{VMs: n, Seed: 5, Scenario: name})
		total, by := census(t, w)
		text := fmt.Sprint(total, by)
		least := map[string]map[string]int{
			"mixed":          {"critical": 2, "warning": 5, "ok": n / 2, "replicating": n / 2},
			"german":         {"critical": 2, "warning": 5, "ok": n / 2},
			"chinese":        {"critical": 2, "warning": 5, "ok": n / 2},
			"healthy":        {"ok": n, "replicating": n},
			"lagging":        {"warning": n / 2, "replicating": n},
			"wan-outage":     {"replicating": n},
			"resync-storm":   {"waiting_to_start_resynchronization": n / 3, "resynchronizing": n / 5},
			"failover-drill": {"recovered": n / 40, "committed": n / 40, "failover_in_progress": n / 40, "replicating": n / 2},
		}
		for key, want := range least[name] {
			if by[key] < want {
				t.Errorf("%s: %s, want %d %s", name, text, want, key)
			}
		}
		if least[name] == nil || simulator.ScenarioHelp()[i] == "" {
			t.Errorf("%s is not tried, or has no help", name)
		}
		if err := w.Invariants(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.Advance(30 * time.Hour)
		if err := w.Invariants(); err != nil {
			t.Errorf("%s, a day later: %v", name, err)
		}
	}
}

// An outage is missed cycles and network errors, then lag, then nothing.
func TestOutage(t *testing.T) {
	w, c := newWorld(t, simulator.Config{VMs: 100, Seed: 5, Scenario: "wan-outage"})
	of := func() (s simulator.Totals) {
		for _, id := range vms(t, open(t, w, "HV01")) {
			total, _ := w.Totals(msvm.Key{VM: id, Link: msvm.Primary})
			add(&s, 1, total)
		}
		return s
	}
	c.Advance(59 * time.Minute)
	if s := of(); s.NetworkFailures == 0 || s.Cycles > 100 {
		t.Errorf("during it: %+v", s)
	}
	if _, by := census(t, w); by["warning"] < 95 {
		t.Errorf("during it: %v", by)
	}
	before := of()
	c.Advance(time.Hour)
	if s := of(); s.Cycles-before.Cycles < 600 || s.NetworkFailures-before.NetworkFailures > 100 {
		t.Errorf("after it: %+v after %+v", s, before)
	}
	c.Advance(12 * time.Hour)
	if _, by := census(t, w); by["ok"] < 95 {
		t.Errorf("long after it: %v", by)
	}
}

// VMs are turned on and off; one that is off writes nothing, and changing its disk
// is a reason to resynchronize.
func TestPower(t *testing.T) {
	d := newDrill(t, healthy)
	for _, err := range []error{
		d.world.SetPower("x", "HV01", true), d.world.SetPower(d.vm, "HV03", true), d.world.SetPower(d.vm, "x", true), d.world.ModifyDisk("x", "HV01"),
	} {
		if !errors.Is(err, wmiquery.ErrNotFound) {
			t.Errorf("no such VM: %v", err)
		}
	}
	if on, err := d.world.IsOn(d.vm, "HV01"); !on || err != nil {
		t.Errorf("the primary runs: %v, %v", on, err)
	}
	if on, err := d.world.IsOn(d.vm, "HV02"); on || err != nil {
		t.Errorf("the replica runs: %v, %v", on, err)
	}
	if err := d.world.ModifyDisk(d.vm, "HV01"); !errors.Is(err, wmiquery.ErrInvalidState) {
		t.Errorf("modify a disk in use: %v", err)
	}
	d.power("HV01", false)
	d.clock.Advance(30 * time.Minute) // what it wrote is sent
	key := msvm.Key{VM: d.vm, Link: msvm.Primary}
	before, _ := d.world.Totals(key)
	d.clock.Advance(time.Hour)
	if after, _ := d.world.Totals(key); after.Cycles < before.Cycles+10 || after.Bytes != before.Bytes {
		t.Errorf("a VM that is off: %+v, then %+v", before, after)
	}
	d.wantStates("off", "1[3] 2[3 0] -")
	if err := d.world.ModifyDisk(d.vm, "HV01"); err != nil {
		t.Error(err)
	}
	d.wantStates("modified", "1[9] 2[3 0] -")
}

// States that no method leads to can be set.
func TestSetState(t *testing.T) {
	d := newDrill(t, healthy)
	key := msvm.Key{VM: d.vm, Link: msvm.Primary}
	for n := range msvm.ReplicationStates() {
		if err := d.world.SetState("HV02", key, msvm.ReplicationState(n)); (err != nil) != (n == 0) {
			t.Errorf("state %d: %v", n, err)
		}
		if n > 0 {
			d.wantStates("set", fmt.Sprintf("1[3] 2[%d 0] -", n))
		}
	}
	key.Link = msvm.Extended
	if err := d.world.SetState("HV02", key, msvm.Replicating); !errors.Is(err, wmiquery.ErrInvalidState) {
		t.Errorf("a relationship that is not there: %v", err)
	}
}

// The host has exactly the methods of package msvm.
func TestMethods(t *testing.T) {
	d := newDrill(t, healthy)
	objects := map[string]wmiquery.Ref{
		"Msvm_ReplicationService":             read[msvm.ReplicationService](t, d.hosts["HV01"])[0].Ref(),
		"Msvm_ComputerSystem":                 msvm.VMRef(d.vm),
		"Msvm_VirtualSystemManagementService": `Msvm_VirtualSystemManagementService.Name="vmms"`,
		"Msvm_ConcreteJob":                    d.request("HV01", 7).Job,
	}
	call := func(class, method string, in ...wmiquery.Param) (wmiquery.Reply, error) {
		return d.hosts["HV01"].Call(invocation(objects[class], method, in...))
	}
	for _, m := range msvm.Methods() {
		if _, err := call(m.Class, strings.ToLower(m.Name)); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		want := uint32(wmiquery.CodeInvalidParam)
		if m.Class == "Msvm_ConcreteJob" {
			want = 5
		}
		if m.Name == msvm.MethodGetSystemCertificates {
			continue // looks at nothing that it is given
		}
		if reply, err := call(m.Class, m.Name, in("Nonsense", true)...); err != nil || reply.Code != want && reply.Code != wmiquery.CodeInvalidState {
			t.Errorf("%s with nonsense: code %d, %v", m.Name, reply.Code, err)
		}
		if _, err := d.hosts["HV01"].Call(invocation(objects[m.Class]+"x", m.Name)); m.Class != "Msvm_VirtualSystemManagementService" && !errors.Is(err, wmiquery.ErrNotFound) {
			t.Errorf("%s of nothing: %v", m.Name, err)
		}
	}
	if _, err := call("Msvm_ReplicationService", "Prepare"); !errors.Is(err, wmiquery.ErrUnsupported) { // Q31: there is none
		t.Errorf("a method that is not there: %v", err)
	}
}
