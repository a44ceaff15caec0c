package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// action is what a host does when a method is called that has passed the checks
// that all have in common.
type action struct {
	// link is the relationship that it is about, "" for none.
	link func(*request) msvm.Link
	// beside: it may be called while a job about the VM is at work, and looks
	// itself at what it can do then.
	beside bool
	run    func(*request) wmiquery.Reply
}

// request is a call that is under way.
type request struct {
	view
	method  msvm.Method
	args    arguments
	machine *machine  // nil for what is about the host
	as      msvm.Link // which relationship of the machine
	side    *side     // nil if that does not replicate
}

// act is how a method of the table runs an action: with w.mu held, at the time of
// the call, and only if the rules of package msvm let it.
func act(a action) func(*session, wmiquery.Call, Faults) (wmiquery.Reply, error) {
	return func(s *session, c wmiquery.Call, faults Faults) (wmiquery.Reply, error) {
		var reply wmiquery.Reply
		var err error
		look(s.world, s.host, faults, func(v view) bool {
			r := &request{view: v}
			r.method, _ = msvm.FindMethod(className(relative(c.Object)), c.Method)
			reply, err = r.serve(a, c)
			return true
		})
		return reply, err
	}
}

func (r *request) serve(a action, c wmiquery.Call) (wmiquery.Reply, error) {
	object := relative(c.Object)
	if !r.exists(object) {
		return wmiquery.Reply{}, fmt.Errorf("%s: %w", object, wmiquery.ErrNotFound)
	}
	var code uint32
	if r.args, code = parseArguments(r.method, c.In); code != wmiquery.CodeCompleted {
		return refuse(code), nil
	}
	if !r.findMachine(object) {
		return refuse(wmiquery.CodeInvalidParam), nil
	}
	if code := r.check(a); code != wmiquery.CodeCompleted {
		return refuse(code), nil
	}
	reply := a.run(r)
	if reply.Err() == nil {
		for _, p := range r.method.Out {
			if _, ok := reply.Out[p.Name]; !ok && p.Name != "Job" {
				reply.Out[p.Name] = nil
			}
		}
	}
	return reply, nil
}

// exists tells whether the host has the object whose method is called.
func (r *request) exists(object wmiquery.Ref) bool {
	switch class := className(object); {
	case strings.EqualFold(class, "Msvm_ReplicationService"):
		return strings.EqualFold(string(object), string(r.host.service().Ref()))
	case strings.EqualFold(class, "Msvm_ComputerSystem"):
		return strings.EqualFold(string(object), string(msvm.VMRef(r.host.name))) || r.host.machineAt(object) != nil
	}
	return true // the service that manages VMs; jobs are looked for later
}

// findMachine finds the VM that the call is about, if it is about one; false if
// the host has none such.
func (r *request) findMachine(object wmiquery.Ref) bool {
	for _, p := range r.method.In {
		if p.Type == msvm.TypeReference && p.Class == "Msvm_ComputerSystem" {
			object = r.args.ref(p.Name)
			r.machine = r.host.machineAt(object)
			return r.machine != nil
		}
	}
	r.machine = r.host.machineAt(object)
	return true
}

// machineAt is the VM with that path, nil if there is none.
func (h *host) machineAt(path wmiquery.Ref) *machine {
	m := h.byID[msvm.VMOf(path)]
	if m == nil || !strings.EqualFold(string(path), string(msvm.VMRef(m.id))) {
		return nil
	}
	return m
}

// check is what all methods have in common: the VM, its mode, whether it is at
// work, its state and its power, in this order.
func (r *request) check(a action) uint32 {
	if r.machine == nil {
		return wmiquery.CodeCompleted
	}
	r.machine.guest.advance(r.at)
	if a.link != nil {
		if r.as = a.link(r); !slices.Contains(r.machine.links(), r.as) {
			return wmiquery.CodeInvalidParam
		}
		r.side = r.machine.sides[r.as]
	}
	m := r.method
	switch {
	case len(m.Modes) > 0 && !slices.Contains(m.Modes, r.machine.mode):
		return wmiquery.CodeInvalidState
	case !a.beside && !m.Reads && r.blocked():
		return wmiquery.CodeInUse
	case len(m.States) > 0 && !slices.Contains(m.States, r.state()):
		return wmiquery.CodeInvalidState
	case m.RequiresOff && r.machine.on:
		return wmiquery.CodeInvalidState
	}
	return wmiquery.CodeCompleted
}

// state is the state of the relationship.
func (r *request) state() msvm.ReplicationState {
	if r.side == nil {
		return msvm.Disabled
	}
	return r.side.state
}

// blocked tells whether a job about the VM is at work: there is one replication
// operation per VM at a time.
func (r *request) blocked() bool { return r.machine.busy() || r.machine.sendsDisks(r.at) }

// sendsDisks tells whether a transfer of the machine is at work.
func (m *machine) sendsDisks(at time.Time) bool {
	for _, j := range m.guest.jobs {
		if j.machine == m && j.transfer != nil && j.state(at) == msvm.JobRunning {
			return true
		}
	}
	return false
}

// Which relationship a method is about.

// named is the one that is given, the primary one if none is.
func named(r *request) msvm.Link {
	if r.args["ReplicationRelationship"] == nil {
		return msvm.Primary
	}
	var given msvm.ReplicationRelationship
	if !r.args.instance("ReplicationRelationship", &given) {
		return ""
	}
	key, err := msvm.ParseKey(given.InstanceID) // of the text only the key counts
	if err != nil || key.VM != r.machine.id {
		return ""
	}
	return key.Link
}

// primary is the primary one: of a replica, the one that it receives on.
func primary(*request) msvm.Link { return msvm.Primary }

// outbound is the one that the VM sends on: of a replica, the extended one.
func outbound(r *request) msvm.Link {
	if r.machine.mode == msvm.ModeReplica {
		return msvm.Extended
	}
	return msvm.Primary
}

// refuse is an answer with a code that is no success.
func refuse(code uint32) wmiquery.Reply { return wmiquery.Reply{Code: code} }

// done is the answer of a method that has completed.
func done() wmiquery.Reply { return wmiquery.Reply{Out: map[string]any{}} }

// started is the answer of a method that started a job.
func started(j *job) wmiquery.Reply {
	return wmiquery.Reply{Code: wmiquery.CodeJobStarted, Job: msvm.JobRef(j.id), Out: map[string]any{}}
}

// post starts a job about the machine, which fails if a fault says so.
func (r *request) post(j *job) *job {
	if j.failure == nil {
		j.failure = r.faults.jobFailure()
	}
	return r.machine.post(r.at, j)
}

// between draws how long a job takes, in whole seconds.
func (r *request) between(least, most int) time.Duration {
	return time.Duration(least+r.machine.guest.rand().IntN(most-least+1)) * time.Second
}
