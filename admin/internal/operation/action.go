package operation

import (
	"fmt"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Action is an operation on a relationship, under a name that administrators know. The tables of package msvm have the
// modes and states in which the host accepts its method. The fields here add what those tables lack.
type Action struct {
	Name   string
	Method string
	Class  string // of the method, "" if only one class has a method of that name
	// State is the state that the method requests: see msvm.StateRequests and msvm.PowerRequests. Methods that request no
	// state do not use it.
	State uint16
	Role  authz.Role
	// Parameters are the parameters of the method that a request can give. All others get default values.
	Parameters []string
	// AllowedDuringJob reports whether the action can run while a job of the VM runs, to pause or cancel it.
	AllowedDuringJob bool

	appliesTo func(*Relationship) bool // nil for every relationship
	check     func(*Snapshot, *Relationship) *problem.Problem
}

// FindAction returns the action with a name.
func FindAction(name string) (Action, bool) {
	for _, a := range Actions() {
		if a.Name == name {
			return a, true
		}
	}
	return Action{}, false
}

// matchingAction returns the action that does the same as a call of a method, so that the checks of the action apply
// to the call. A deprecated method counts as the one that replaced it.
func matchingAction(m msvm.Method, state uint16) (Action, bool) {
	for _, a := range Actions() {
		d := a.Definition()
		if d.Class != m.Class || d.Name != m.Name && d.Name != m.ReplacedBy {
			continue
		}
		if requests := d.RequestsState() || d.RequestsPower(); !requests || a.State == state {
			return a, true
		}
	}
	return Action{}, false
}

// Definition returns the method of the action.
func (a Action) Definition() msvm.Method {
	if a.Class == "" {
		return methodNamed(a.Method)
	}
	m, _ := msvm.FindMethod(a.Class, a.Method)
	return m
}

// Summary describes the action in one sentence.
func (a Action) Summary() string { return summaryOf(a.Definition(), a.State) }

// Destroys returns what the action destroys in the current state of a relationship, "" for nothing. For nil, it returns
// what the action can destroy.
func (a Action) Destroys(r *Relationship) string { return destroyedBy(a.Definition(), a.State, r) }

// Attributes returns the attributes that the policy decides on. Whoever may start a test failover may end it.
func (a Action) Attributes(r *Relationship) authz.Attributes {
	return authz.Attributes{
		Role: a.Role, Names: policyNames(a.Definition(), a.Name), VM: r.Key.VM, VMName: r.VMName(),
		Destroys: a.Destroys(r) != "" && !a.endsOwnTest(r),
	}
}

// policyNames returns the names by which a policy can allow a call: the method, and the action that does the same. The
// requests for power states have the names of their actions only: two other classes have a RequestStateChange.
func policyNames(m msvm.Method, action string) []string {
	switch {
	case m.RequestsPower():
		return []string{action}
	case action == m.Name:
		return []string{m.Name}
	}
	return []string{m.Name, action}
}

// endsOwnTest reports whether the action ends a test failover that this program started.
func (a Action) endsOwnTest(r *Relationship) bool {
	return a.Method == msvm.MethodDestroySystem && r.testStartedHere()
}

// Check returns nil if the host accepts the action on a relationship now, otherwise the reason why not.
func (a Action) Check(s *Snapshot, r *Relationship) *problem.Problem {
	if p := a.checkApplies(r); p != nil {
		return p
	}
	if a.Method == msvm.MethodDestroySystem { // the preconditions are those of the test VM
		_, p := s.testVM(r.Key.VM)
		return p
	}
	c, _ := preconditionsOf(a.Definition(), a.State, r)
	if p := c.check(r); p != nil {
		return p
	}
	if a.check != nil {
		return a.check(s, r)
	}
	return nil
}

// checkApplies returns a problem if the action is not for this kind of relationship.
func (a Action) checkApplies(r *Relationship) *problem.Problem {
	if a.appliesTo == nil || a.appliesTo(r) {
		return nil
	}
	name := "unknown"
	if mode, known := r.VM.Mode(); known {
		name = mode.String()
	}
	return problem.New(problem.InvalidState, "does not apply to the %s relationship of a VM of mode %s", r.Key.Link, name)
}

// methodNamed returns the first method with a name. Only RequestStateChange is a method of several classes.
func methodNamed(name string) msvm.Method {
	for _, m := range msvm.Methods() {
		if m.Name == name {
			return m
		}
	}
	return msvm.Method{}
}

// summaryOf returns the summary of a method, or of the state that the method requests.
func summaryOf(m msvm.Method, state uint16) string {
	if request, ok := msvm.FindStateRequest(msvm.ReplicationState(state)); ok && m.RequestsState() {
		return request.Summary
	}
	if request, ok := msvm.FindPowerRequest(msvm.EnabledState(state)); ok && m.RequestsPower() {
		return request.Summary
	}
	return m.Summary
}

// twoCopies is what the start of a failed-over replica can destroy.
const twoCopies = "the data of the VM if the old primary VM still runs: " +
	"both copies would change, and only one can be kept"

// destroyedBy returns what a method, or the state that it requests, destroys in the current state of a relationship, ""
// for nothing. Cancelling a failover that is only prepared destroys nothing.
func destroyedBy(m msvm.Method, state uint16, r *Relationship) string {
	if m.RequestsPower() {
		request, _ := msvm.FindPowerRequest(msvm.EnabledState(state))
		if request.State == msvm.EnabledOn && (r == nil || r.IsFailedOver()) {
			return twoCopies
		}
		return request.Destroys
	}
	if m.RequestsState() {
		request, _ := msvm.FindStateRequest(msvm.ReplicationState(state))
		if r != nil && !slices.Contains(request.DestroysFrom, r.State()) {
			return ""
		}
		return request.Destroys
	}
	if m.Name == msvm.MethodDestroySystem { // only a test VM can be deleted
		return "the test VM"
	}
	if m.Name == msvm.MethodRevertFailover && r != nil && r.Sends() && r.prepared() {
		return ""
	}
	return m.Destroys
}

// preconditions say when the host accepts a call: those of the method, or of the state that the method requests.
type preconditions struct {
	modes       []msvm.ReplicationMode
	states      []msvm.ReplicationState
	power       []msvm.PowerState // of the VM
	sendingSide bool
}

// off are the power states of a method that needs a VM that is turned off.
var off = []msvm.PowerState{msvm.PowerOff}

// preconditionsOf returns the preconditions of a method. It returns false if the state cannot be requested.
func preconditionsOf(m msvm.Method, state uint16, r *Relationship) (preconditions, bool) {
	if m.RequestsPower() {
		request, ok := msvm.FindPowerRequest(msvm.EnabledState(state))
		return preconditions{power: request.Power}, ok
	}
	c, requiresOff, ok := preconditions{m.Modes, m.States, nil, false}, m.RequiresOff, true
	if m.RequestsState() {
		var request msvm.StateRequest
		request, ok = msvm.FindStateRequest(msvm.ReplicationState(state))
		var mode msvm.ReplicationMode
		if r != nil {
			mode, _ = r.VM.Mode()
		}
		c = preconditions{request.Modes, request.StatesIn(mode), nil, request.SendingSide}
		requiresOff = request.RequiresOff
	}
	if requiresOff {
		c.power = off
	}
	return c, ok
}

// check returns nil if the host accepts the call for the relationship now. Otherwise it returns the reason, with the
// modes and states in which the host accepts the call.
func (c preconditions) check(r *Relationship) *problem.Problem {
	mode, known := r.VM.Mode()
	state, power := r.State(), r.VM.Power()
	reason := ""
	switch {
	case r.otherVM != "":
		return problem.New(problem.InvalidState, "the host associates the relationship with another VM: %.80s", r.otherVM)
	case len(c.modes) > 0 && !known:
		reason = "the mode of the VM is unknown"
	case len(c.modes) > 0 && !slices.Contains(c.modes, mode):
		reason = fmt.Sprintf("the mode of the VM is %s; requires %s", mode, strings.Join(names(c.modes), " or "))
	case c.sendingSide && !r.Sends():
		reason = "only possible on the sending side"
	case len(c.states) > 0 && !slices.Contains(c.states, state):
		reason = fmt.Sprintf("the state is %s; requires %s", state, c.statesThatMatter())
	case c.needsOff() && power == msvm.PowerUnknown:
		reason = "the VM must be turned off; its power state is unknown"
	case c.needsOff() && power != msvm.PowerOff:
		reason = "the VM must be turned off"
	case len(c.power) > 0 && !slices.Contains(c.power, power):
		reason = fmt.Sprintf("the power state of the VM is %s; requires %s", power, strings.Join(texts(c.power), " or "))
	}
	if reason == "" {
		return nil
	}
	return c.describe(problem.New(problem.InvalidState, "%s", reason))
}

// maxStates is the maximum number of states that a problem lists. The preconditions have either at most seven states,
// or almost all.
const maxStates = 8

// statesThatMatter returns the states in which the host accepts the call. If there are many, it names the others.
func (c preconditions) statesThatMatter() string {
	if len(c.states) <= maxStates {
		return strings.Join(names(c.states), " or ")
	}
	others := slices.DeleteFunc(slices.Clone(msvm.ReplicationStates()), func(name string) bool {
		return slices.Contains(names(c.states), name)
	})
	return "any state but " + strings.Join(others, " and ")
}

// describe adds the preconditions to a problem.
func (c preconditions) describe(p *problem.Problem) *problem.Problem {
	if len(c.modes) > 0 {
		p.With("works_in_modes", names(c.modes))
	}
	if len(c.states) > 0 && len(c.states) <= maxStates {
		p.With("works_in_states", names(c.states))
	}
	if c.needsOff() {
		p.With("needs_vm_off", true)
	}
	return p
}

// needsOff reports whether the VM must be turned off.
func (c preconditions) needsOff() bool { return slices.Equal(c.power, off) }

func texts[T ~string](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}

func names[T fmt.Stringer](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = v.String()
	}
	return all
}
