package operation

import (
	"testing"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Each power action is for some power states.
//
// Source: MicrosoftDocs/win32, HyperV_v2, msvm-computersystem.md, property EnabledState.
func TestPowerActionsByPowerState(t *testing.T) {
	for _, tt := range []struct {
		enabled                  uint16
		shutDown, turnOff, start bool
	}{
		{0, false, false, false},    // unknown
		{2, true, true, false},      // on
		{3, false, false, true},     // off
		{4, false, true, false},     // shutting down
		{6, false, true, true},      // saved
		{9, false, true, false},     // paused
		{10, false, true, false},    // starting
		{32769, false, true, true},  // saved
		{32782, false, false, true}, // off, critical
		{65535, false, false, false},
	} {
		h, link := hostOfKind("primary", 3, tt.enabled)
		s := h.snapshot(t)
		for name, want := range map[string]bool{
			"shut-down-vm": tt.shutDown, "turn-off-vm": tt.turnOff, "start-vm": tt.start,
		} {
			if p := action(t, name).Check(s, find(t, s, vmA, link)); (p == nil) != want {
				t.Errorf("%s of a VM with EnabledState %d: got problem %+v, want accepted: %t", name, tt.enabled, p, want)
			}
		}
	}
}

// Turning a VM off destroys what is not written. The start of a VM that has failed over can destroy data, and needs to
// know that the old primary VM is off; that of a primary VM does not.
func TestWhatPowerActionsDestroy(t *testing.T) {
	for _, tt := range []struct {
		action, kind         string
		state                uint16
		destroys, oldPrimary bool
	}{
		{"shut-down-vm", "primary", 3, false, false},
		{"turn-off-vm", "primary", 3, true, false},
		{"turn-off-vm", "replica", 5, true, false},
		{"start-vm", "primary", 3, false, false},
		{"start-vm", "replica", 5, true, true},
		{"start-vm", "third", 6, true, true},
	} {
		h, link := hostOfKind(tt.kind, tt.state, 3)
		s := h.snapshot(t)
		a, r := action(t, tt.action), find(t, s, vmA, link)
		if tt.action == "shut-down-vm" {
			h.show([]msvm.ShutdownComponent{shutdownService(vmA, 2)})
		}
		plan, p := PlanAction(t.Context(), h, s, a, r, &Request{})
		if p != nil {
			t.Errorf("%s of a %s: %+v", tt.action, tt.kind, p)
			continue
		}
		attributes := authz.Attributes{
			Role: authz.RoleFailover, Names: []string{tt.action}, VM: vmA, VMName: plan.VMName, Destroys: tt.destroys,
		}
		if tt.action == "shut-down-vm" {
			attributes.Names = []string{"InitiateShutdown", "shut-down-vm"}
		}
		if got := plan.Attributes(); !sameAttributes(got, attributes) || plan.NeedsOldPrimaryOff() != tt.oldPrimary {
			t.Errorf("%s of a %s: got %+v, old primary must be off: %t, want %+v, %t", tt.action, tt.kind, got,
				plan.NeedsOldPrimaryOff(), attributes, tt.oldPrimary)
		}
	}
}

func sameAttributes(a, b authz.Attributes) bool {
	return a.Role == b.Role && a.Destroys == b.Destroys && a.VM == b.VM && len(a.Names) == len(b.Names) &&
		a.Names[len(a.Names)-1] == b.Names[len(b.Names)-1]
}

func shutdownService(vm string, status uint16) msvm.ShutdownComponent {
	return msvm.ShutdownComponent{
		CreationClassName: "Msvm_ShutdownComponent", DeviceID: `Microsoft:` + vm + `\1`,
		SystemCreationClassName: "Msvm_ComputerSystem", SystemName: vm, OperationalStatus: []uint16{status},
	}
}

// A shutdown is a call of the shutdown service of the VM, with a reason for the event log of the guest. It is refused if
// there is no such service, or if it does not respond. Forced, it destroys what is not saved.
func TestPlanOfAShutdown(t *testing.T) {
	h, link := hostOfKind("primary", 3, 2)
	s := h.snapshot(t)
	plan := func(body string) (*Plan, string) {
		req := &Request{}
		if err := decodeStrict([]byte(body), req); err != nil {
			t.Fatal(err)
		}
		plan, p := PlanAction(t.Context(), h, s, action(t, "shut-down-vm"), find(t, s, vmA, link), req)
		if p != nil {
			return nil, p.Type.Slug
		}
		return plan, ""
	}
	for name, services := range map[string][]msvm.ShutdownComponent{
		"none": nil, "of another VM": {shutdownService(vmB, 2)},
		"no contact": {shutdownService(vmA, 12)}, "two": {shutdownService(vmA, 2), shutdownService(vmA, 2)},
	} {
		h.show(services)
		if _, slug := plan(`{}`); slug != "invalid-state" {
			t.Errorf("%s: got problem %q, want invalid-state", name, slug)
		}
	}
	h.show([]msvm.ShutdownComponent{shutdownService(vmB, 2), shutdownService(vmA, 2)})
	got, slug := plan(`{}`)
	if slug != "" {
		t.Fatalf("problem %s", slug)
	}
	want := wmiquery.Call{
		Namespace: `root\virtualization\v2`, Method: "InitiateShutdown",
		Object: `Msvm_ShutdownComponent.CreationClassName="Msvm_ShutdownComponent",DeviceID="Microsoft:` + vmA +
			`\\1",SystemCreationClassName="Msvm_ComputerSystem",SystemName="` + vmA + `"`,
		In: []wmiquery.Param{{Name: "Force", Value: false}, {Name: "Reason", Value: "failover with Hyper-V Replica"}},
	}
	if call := got.Call(); call.Object != want.Object || call.Method != want.Method || len(call.In) != 2 ||
		call.In[0] != want.In[0] || call.In[1] != want.In[1] {
		t.Errorf("got call %+v, want %+v", call, want)
	}
	if got, slug := plan(`{"parameters": {"Force": true}}`); slug != "" || got.Destroys == "" {
		t.Errorf("forced: got plan %+v, problem %q, want one that destroys", got, slug)
	}
	if _, slug := plan(`{"parameters": {"Reason": "x"}}`); slug != "invalid-parameter" {
		t.Errorf("with a reason of its own: got problem %q", slug)
	}
}

// A call of RequestStateChange of a VM is the action that does the same. Other states are refused.
func TestRequestStateChangeOfAVMIsAPowerAction(t *testing.T) {
	h, _ := hostOfKind("primary", 3, 2)
	plan, p := planMethod(t, h, "Msvm_ComputerSystem.RequestStateChange", vmA, `{"RequestedState": 3}`)
	if p != nil || plan.Action != "turn-off-vm" || plan.Role != authz.RoleFailover || plan.Destroys == "" {
		t.Errorf("got plan %+v, problem %+v", plan, p)
	}
	plan, p = planMethod(t, h, "Msvm_ComputerSystem.RequestStateChange", vmA, `{"RequestedState": 11}`)
	if p == nil {
		p = plan.Check(h.snapshot(t))
	}
	if p == nil || p.Type.Slug != "invalid-parameter" {
		t.Errorf("a reset: got problem %+v", p)
	}
}
