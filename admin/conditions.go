package admin

import (
	"fmt"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// conditions are when the host accepts a call: those of the method, or of the
// state that is requested.
type conditions struct {
	modes   []msvm.ReplicationMode
	states  []msvm.ReplicationState
	off     bool
	sending bool
}

// conditionsOf gives what package msvm says.
func conditionsOf(m msvm.Method, request msvm.ReplicationState) (conditions, bool) {
	if !takesState(m) {
		return conditions{m.Modes, m.States, m.RequiresOff, false}, true
	}
	for _, q := range msvm.StateRequests() {
		if q.State == request {
			return conditions{q.Modes, q.States, q.RequiresOff, q.SendingSide}, true
		}
	}
	return conditions{}, false
}

// takesState tells the methods that ask a VM for a state.
func takesState(m msvm.Method) bool {
	return m.Name == requestState || m.ReplacedBy == requestState
}

// refuses tells why the host would refuse for the relationship now, with the modes
// and the states in which it would not.
func (c conditions) refuses(r *replica) *problem {
	mode, known := r.mode()
	state := r.state()
	reason := ""
	switch {
	case len(c.modes) > 0 && !known:
		reason = "the mode of the VM is not known"
	case len(c.modes) > 0 && !slices.Contains(c.modes, mode):
		reason = fmt.Sprintf("the mode of the VM is %s; it needs %s", mode, list(c.modes))
	case c.sending && !r.sends():
		reason = "it is for the side that sends"
	case len(c.states) > 0 && !slices.Contains(c.states, state):
		reason = fmt.Sprintf("the state is %s; it needs %s", state, list(c.states))
	case c.off && powerOf(r.system) != "off" && powerOf(r.system) != "unknown": // what is not known the host decides
		reason = "the VM must be turned off first"
	}
	if reason == "" {
		return nil
	}
	return c.explain(refuse(kindState, "%s", reason))
}

// explain adds to a problem in which modes and states it works.
func (c conditions) explain(p *problem) *problem {
	if len(c.modes) > 0 {
		p.with("works_in_modes", names(c.modes))
	}
	if len(c.states) > 0 {
		p.with("works_in_states", names(c.states))
	}
	if c.off {
		p.with("needs_vm_off", true)
	}
	return p
}

func names[T fmt.Stringer](of []T) []string {
	all := make([]string, len(of))
	for i, x := range of {
		all[i] = x.String()
	}
	return all
}

func list[T fmt.Stringer](of []T) string { return strings.Join(names(of), " or ") }

// refuses tells why the verb cannot be done to the relationship now, nil if it
// can.
func (v verb) refuses(view *hostView, r *replica) *problem {
	if p := v.isFor(r); p != nil {
		return p
	}
	m := findMethod(v.method)
	c, _ := conditionsOf(m, v.request)
	if v.method == destroySystem { // its modes are those of the test VM
		_, p := view.testVM(r)
		return p
	}
	if p := c.refuses(r); p != nil {
		return p
	}
	if v.check != nil {
		return v.check(view, r)
	}
	return nil
}

// isFor tells why the verb is not for such a relationship, nil if it is.
func (v verb) isFor(r *replica) *problem {
	if v.link == nil || v.link(r) {
		return nil
	}
	return refuse(kindState, "it is not for the %s relationship of a VM in this mode", r.key.Link)
}

// findMethod finds a method of the service, of VMs, or of the service that manages
// VMs; and those of jobs that only jobs have.
func findMethod(name string) msvm.Method {
	for _, m := range msvm.Methods() {
		if m.Name == name {
			return m
		}
	}
	return msvm.Method{}
}

const destroySystem = "DestroySystem"

// testVM is the test VM of a replica, which is the only VM that may be deleted:
// one that the host says is the test VM of this replica, and whose mode says the
// same.
func (v *hostView) testVM(r *replica) (string, *problem) {
	tests := v.tests[r.key.VM]
	if len(tests) != 1 {
		return "", refuse(kindState, "the VM has %d test VMs; it needs one", len(tests))
	}
	return tests[0], v.deletable(tests[0])
}

// deletable refuses to delete anything but a test VM that is off.
func (v *hostView) deletable(vm string) *problem {
	m := findMethod(destroySystem)
	c, _ := conditionsOf(m, 0)
	s, ok := v.systems[vm]
	if !ok {
		return refuse(kindNotFound, "this host has no VM %s", vm)
	}
	if mode, known := modeOf(s); !known || mode != msvm.ModeTestReplica {
		return c.explain(refuse(kindState, "the mode of the VM %s is %s; only a test_replica is deleted", vm, mode))
	}
	return c.refuses(&replica{key: msvm.Key{VM: vm, Link: msvm.Primary}, system: s})
}
