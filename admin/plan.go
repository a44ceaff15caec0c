package admin

import (
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// plan is a call that somebody asks for, looked at from all sides and not made
// yet.
type plan struct {
	action  string // name of the verb, or of the method
	verb    *verb  // what it amounts to, nil if there is none
	method  msvm.Method
	request msvm.ReplicationState
	needs   role
	// destroys is what it destroys as things are now, "" for nothing.
	destroys string
	// target is the relationship that it is about, nil if it is about none.
	target *replica
	// vm is the VM that it is about, "" for none: of a test VM that is deleted, the
	// replica.
	vm, name string
	// claimed is the VM about which nothing else is done meanwhile, if it is not vm.
	claimed string
	// confirmed is the name that must be told to confirm: the VM's, or the host's.
	confirmed string
	point     *msvm.VirtualSystemSettingData // the recovery point that is asked for
	object    wmiquery.Ref
	in        []wmiquery.Param
	shown     map[string]any // parameters as they are shown
	tested    bool           // it deletes a test VM, and that one was found fit for it
	raw       bool           // every parameter must be given
	material
}

// plannedCall is a plan as it is shown.
type plannedCall struct {
	Action     string         `json:"action"`
	Does       string         `json:"does"`
	Destroys   string         `json:"destroys,omitempty"`
	Role       string         `json:"role"`
	Object     string         `json:"object"`
	Class      string         `json:"class"`
	Method     string         `json:"method"`
	Parameters map[string]any `json:"parameters"`
	// Becomes is the state that is asked for, "" if the method tells none.
	Becomes string `json:"expected_state_after,omitempty"`
	// Job is the kind of job that it may start.
	Job string `json:"job_type,omitempty"`
}

func (p *plan) show() plannedCall {
	c := plannedCall{
		Action: p.action, Does: doesOf(p.method, p.request), Destroys: p.destroys, Role: p.needs.String(),
		Object: string(p.object), Class: p.method.Class, Method: p.method.Name, Parameters: p.shown,
	}
	if takesState(p.method) {
		c.Becomes = p.request.String()
	} else if p.method.Becomes != 0 {
		c.Becomes = p.method.Becomes.String()
	}
	if p.method.Job != 0 {
		c.Job = p.method.Job.String()
	}
	return c
}

func (p *plan) native() wmiquery.Call {
	return wmiquery.Call{Namespace: wmiquery.Virtualization, Object: p.object, Method: p.method.Name, In: p.in}
}

// deed is what the policy is asked for.
func (p *plan) deed() deed {
	d := deed{needs: p.needs, names: []string{p.method.Name}, vm: p.vm, name: p.name, destroys: p.destroys != ""}
	if p.action != p.method.Name {
		d.names = append(d.names, p.action)
	}
	return d
}

// beside: it may be called while a job about the VM runs.
func (p *plan) beside() bool { return p.verb != nil && p.verb.beside }

// resynchronizes: it reads all disks.
func (p *plan) resynchronizes() bool {
	return p.method.Name == "Resynchronize" || p.target != nil && takesState(p.method) && p.request == msvm.Replicating && p.target.resumesResync()
}

// resumesResync: to go on is to resynchronize, or may be.
func (r *replica) resumesResync() bool {
	return r.sends() && (r.state() == msvm.WaitingToStartResynchronization || r.state() == msvm.ResynchronizationSuspended)
}

// destroys is what a method destroys as things are now, "" for nothing: what was only
// prepared is taken back without a loss.
func destroys(m msvm.Method, r *replica) string {
	if m.Name == destroySystem { // no other is deleted
		return "the test VM"
	}
	if m.Name == "RevertFailover" && r != nil && r.sends() && r.state() == msvm.SyncedReplicationComplete {
		return ""
	}
	return m.Destroys
}

// scheduled: it is to begin at a time.
func (p *plan) scheduled() bool { return p.shown["StartTime"] != nil }

// refuses tells why the call would be refused now.
func (p *plan) refuses(v *hostView) *problem {
	switch {
	case p.method.Name == destroySystem:
		if !p.tested {
			return refuse(kindState, "only a test VM is deleted")
		}
		return nil
	case p.target == nil && p.vm != "" && len(p.method.States) > 0:
		return refuse(kindState, "the VM has no such relationship")
	case p.target == nil:
		return nil
	case p.verb != nil:
		return p.verb.refuses(v, p.target)
	}
	c, ok := conditionsOf(p.method, p.request)
	if !ok {
		return refuse(kindParameter, "RequestedState is none of those that can be requested")
	}
	return c.refuses(p.target)
}

// planVerb makes the plan for a verb and a relationship.
func (v *hostView) planVerb(verb verb, r *replica, b *body, with material) (*plan, *problem) {
	m := findMethod(verb.method)
	p := &plan{
		action: verb.name, verb: &verb, method: m, request: verb.request, needs: verb.needs,
		destroys: destroys(m, r), target: r, vm: r.key.VM, name: r.name(), confirmed: r.name(), shown: map[string]any{}, material: with,
	}
	if p := verb.isFor(r); p != nil { // before what it needs of parameters is looked for
		return nil, p
	}
	for name := range b.Parameters {
		if !slices.Contains(verb.takes, name) {
			return nil, refuse(kindParameter, "%s takes no parameter %q; it takes %s", verb.name, name, orNone(verb.takes))
		}
	}
	return p, v.fill(p, b)
}

func orNone(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// object is what the method is called at: the service, the VM, or the service that
// manages VMs.
func (v *hostView) object(m msvm.Method, vm string) wmiquery.Ref {
	switch m.Class {
	case "Msvm_ComputerSystem":
		return msvm.VMRef(vm)
	case "Msvm_VirtualSystemManagementService":
		return msvm.ManagementServiceRef(v.service.SystemName)
	}
	return v.service.Ref()
}

// linkOf is the relationship that the host takes a method to be about when it is
// told the VM alone.
func (v *hostView) linkOf(m msvm.Method, vm string) msvm.Link {
	mode, _ := modeOf(v.systems[vm])
	if mode != msvm.ModeReplica {
		return msvm.Primary
	}
	if m.SendingSide {
		return msvm.Extended
	}
	if m.Name == "RevertFailover" {
		inbound := v.replicas[msvm.Key{VM: vm, Link: msvm.Primary}]
		if inbound != nil && inbound.state() != msvm.Recovered && inbound.state() != msvm.FailoverInProgress {
			if e := v.replicas[msvm.Key{VM: vm, Link: msvm.Extended}]; e != nil && e.state() == msvm.SyncedReplicationComplete {
				return msvm.Extended
			}
		}
	}
	return msvm.Primary
}
