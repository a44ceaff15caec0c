package operation

import (
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// accepted has the states in which the host accepts each action, by the kind of the relationship. The VM is off. The
// numbers are those of WMI. An action that a kind does not have is accepted in no state.
//
// Kinds: primary has mode 1; replica has mode 2 and no extended relationship; middle has mode 2 and an extended
// relationship in state 3; onward is the extended relationship of a VM of mode 2 whose primary relationship is in
// state 3; third has mode 4; none has mode 0.
//
// Sources: MicrosoftDocs/win32, HyperV_v2, for the states, the modes and the side of each method; the checks of
// Microsoft's PowerShell module before it calls the method; replication-failover.md in MicrosoftDocs/windowsserverdocs
// for the old primary, which becomes a replica. That a replica cannot be removed, reversed or continued
// without regard to its extended relationship is a rule of this program.
var accepted = map[string]map[string][]uint16{
	"suspend": {
		"primary": {2, 3, 10}, "replica": {2, 3, 10}, "middle": {2, 3, 10}, "onward": {2, 3, 10}, "third": {2, 3, 10},
	},
	"resume": {
		"primary": {7, 8, 9, 11, 15, 16},     // a running resynchronization goes on
		"replica": {7, 8, 9, 10, 11, 15, 16}, // a resume ends the resynchronization, before a failover
		"middle":  {7, 8, 9, 10, 11, 15, 16},
		"onward":  {7, 8, 9, 11}, // no disk updates on extended relationships
		"third":   {7, 8, 9, 10, 11},
	},
	"resynchronize":              {"primary": {7, 8, 9, 11}, "onward": {7, 8, 9, 11}},
	"cancel-resynchronize":       {"primary": {10}, "onward": {10}},
	"start-initial-replication":  {"primary": {1}, "onward": {1}},
	"cancel-initial-replication": {"primary": {1, 2, 15, 16}, "onward": {1, 2}},
	"import-initial-replica":     {"replica": {2}, "middle": {2}, "third": {2}},
	"reset-statistics": {
		"primary": oneTo21, "replica": oneTo21, "middle": oneTo21, "onward": oneTo21, "third": oneTo21,
	},
	"prepare-failover": {"primary": {3}, "onward": {3}},
	// A VM without replication, the old primary of an unplanned failover, or a replica whose disks are being changed.
	"make-replica": {"none": {0}, "primary": {3, 7, 8, 9, 11}, "replica": {15, 16}, "middle": {15, 16}},
	"cancel-failover": { // state 4 is a prepared failover, 5 and 12 are failovers of the replica
		"primary": {4}, "replica": {5, 12}, "middle": {5, 12}, "onward": {4}, "third": {5, 12},
	},
	"failover":              {"replica": {3, 15}, "middle": {3, 15}, "third": {3, 15}},
	"test-failover":         {"replica": {3, 5, 6, 7, 8}, "middle": {3, 5, 6, 7, 8}, "third": {3, 5, 6, 7, 8}},
	"cleanup-test-failover": {}, // there is no test VM
	"commit-failover":       {"replica": {5}, "middle": {5}, "third": {5}},
	"reverse":               {"replica": {5, 6}, "third": {5, 6}},
	"continue-extended":     {"middle": {6}},
	"remove":                {"primary": oneTo21, "replica": oneTo21, "onward": oneTo21, "third": oneTo21},
	// The VM is off in this test. A primary cannot start while a failover is prepared (4) or could be (17), a replica only
	// after a failover.
	"shut-down-vm": {},
	"turn-off-vm":  {},
	"start-vm": {
		"primary": {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21},
		"replica": {5, 6}, "middle": {5, 6}, "third": {5, 6},
	},
	"test-connection": {"primary": append([]uint16{0}, oneTo21...), "onward": append([]uint16{0}, oneTo21...)},
}

var oneTo21 = []uint16{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}

// hostOfKind returns a host with a VM of a kind, and the link of the relationship that has the state.
func hostOfKind(kind string, state, enabled uint16) (host *fakeHost, link string) {
	h := newFakeHost()
	mode := map[string]uint16{
		"primary": 1, "replica": 2, "middle": 2, "onward": 2, "third": 4, "none": 0, "test": 3,
	}[kind]
	h.addVM(vmA, mode, enabled)
	if kind == "onward" {
		h.addRelationship(vmA, "primary", 3)
		h.addRelationship(vmA, "extended", state)
		return h, "extended"
	}
	h.addRelationship(vmA, "primary", state)
	switch kind {
	case "middle":
		h.addRelationship(vmA, "extended", 3)
	case "replica": // a replica without an extended relationship has a row for it
		h.addRelationship(vmA, "extended", 0)
	}
	return h, "primary"
}

func TestActionsAreAcceptedInTheDocumentedStates(t *testing.T) {
	if len(accepted) != len(Actions()) {
		t.Errorf("the table has %d actions, want %d", len(accepted), len(Actions()))
	}
	for _, kind := range []string{"primary", "replica", "middle", "onward", "third", "none", "test"} {
		for state := range uint16(22) {
			h, link := hostOfKind(kind, state, 3)
			s := h.snapshot(t)
			r := find(t, s, vmA, link)
			for _, a := range Actions() {
				want := slices.Contains(accepted[a.Name][kind], state)
				if p := a.Check(s, r); (p == nil) != want || p != nil && p.Type.Slug != "invalid-state" {
					t.Errorf("%s of a %s in state %d: got problem %+v, want accepted: %v", a.Name, kind, state, p, want)
				}
			}
		}
	}
}

// Some actions need a VM that is off. A saved VM is not off: its memory is on disk. A VM whose power state is not known
// is not known to be off.
//
// Sources: MicrosoftDocs/win32, HyperV_v2, msvm-computersystem.md, property EnabledState, and
// requeststatechange-msvm-computersystem.md, parameter RequestedState, where 32782 is "off, critical".
func TestActionsThatNeedTheVMOff(t *testing.T) {
	tests := []struct {
		action, kind string
		state        uint16
		needsOff     bool
	}{
		{"prepare-failover", "primary", 3, true},
		{"prepare-failover", "onward", 3, true},
		{"failover", "replica", 3, true},
		{"failover", "third", 15, true},
		{"cancel-failover", "replica", 5, true},
		{"cancel-failover", "primary", 4, true},
		{"make-replica", "primary", 8, true},
		{"make-replica", "none", 0, true},
		{"suspend", "primary", 3, false},
		{"resume", "primary", 7, false},
		{"resynchronize", "primary", 9, false},
		{"test-failover", "replica", 3, false},
		{"commit-failover", "replica", 5, false},
		{"reverse", "replica", 5, false},
		{"continue-extended", "middle", 6, false},
		{"remove", "primary", 3, false},
		{"reset-statistics", "primary", 3, false},
	}
	off := map[uint16]bool{
		3: true, 32782: true, // disabled; off, critical
		// Unknown, other, enabled, shutting down, enabled but offline (saved), quiesce (paused), starting; the numbers of
		// old versions for paused, saved, starting, saving and stopping; fast saved; running, critical; saved, critical;
		// not documented.
		0: false, 1: false, 2: false, 4: false, 6: false, 9: false, 10: false, 32768: false, 32769: false, 32770: false,
		32773: false, 32774: false, 32779: false, 32781: false, 32784: false, 99: false, 32793: false,
	}
	for _, tt := range tests {
		for enabled, isOff := range off {
			h, link := hostOfKind(tt.kind, tt.state, enabled)
			s := h.snapshot(t)
			p := action(t, tt.action).Check(s, find(t, s, vmA, link))
			if want := isOff || !tt.needsOff; (p == nil) != want {
				t.Errorf("%s of a %s with EnabledState %d: got problem %+v, want accepted: %v",
					tt.action, tt.kind, enabled, p, want)
			}
			if p != nil && p.Member("needs_vm_off") != true {
				t.Errorf("%s of a %s with EnabledState %d: needs_vm_off is %v",
					tt.action, tt.kind, enabled, p.Member("needs_vm_off"))
			}
		}
	}
}

// If the host does not show a VM or its properties, no action that depends on its mode is accepted.
func TestUnknownModeIsRefused(t *testing.T) {
	without := func(h *fakeHost, systems []msvm.ComputerSystem) { h.show(systems) }
	for name, systems := range map[string][]msvm.ComputerSystem{
		"no VM":   nil,
		"null":    {{Name: vmA}},
		"no mode": {{Name: vmA, ReplicationMode: new(msvm.ReplicationMode(5))}},
	} {
		for state := range uint16(22) {
			h, _ := hostOfKind("primary", state, 3)
			without(h, systems)
			s := h.snapshot(t)
			r := find(t, s, vmA, "primary")
			for _, a := range Actions() {
				if p := a.Check(s, r); slugOf(p) != "invalid-state" {
					t.Errorf("%s in state %d, %s: got problem %+v, want invalid-state", a.Name, state, name, p)
				}
				if p := a.Check(s, r); a.Name == "suspend" && !strings.HasPrefix(p.Detail, "the mode of the VM is unknown") {
					t.Errorf("%s, %s: %s", a.Name, name, p.Detail)
				}
			}
		}
	}
}

// A null state is not disabled, and not any state in which something can be done to the disks.
func TestNullStateIsUnknown(t *testing.T) {
	h, _ := hostOfKind("primary", 3, 3)
	h.show([]msvm.ReplicationRelationship{{InstanceID: `Microsoft:` + vmA + `\HVR\0`}})
	s := h.snapshot(t)
	r := find(t, s, vmA, "primary")
	var allowed []string
	for _, a := range Actions() {
		if a.Check(s, r) == nil {
			allowed = append(allowed, a.Name)
		}
	}
	if want := []string{"reset-statistics", "remove", "test-connection"}; !slices.Equal(allowed, want) {
		t.Errorf("got %q, want %q", allowed, want)
	}
	if got := s.TargetState(r); got.State != "unknown" || got.Mode != "primary" || got.LagSeconds != nil {
		t.Errorf("the target state is %+v", got)
	}
}

// A refusal says in which modes and states the host accepts the action.
func TestRefusalNamesModesAndStates(t *testing.T) {
	h, _ := hostOfKind("replica", 7, 2)
	s := h.snapshot(t)
	p := action(t, "failover").Check(s, find(t, s, vmA, "primary"))
	if p == nil {
		t.Fatal("the failover is accepted")
	}
	modes, _ := p.Member("works_in_modes").([]string)
	states, _ := p.Member("works_in_states").([]string)
	if !slices.Equal(modes, []string{"replica", "extended_replica"}) ||
		!slices.Equal(states, []string{"replicating", "disk_update_in_progress"}) || p.Member("needs_vm_off") != true ||
		p.Detail != "the state is suspended; requires replicating or disk_update_in_progress" {
		t.Errorf("got %+v, modes %q, states %q", p, modes, states)
	}
}
