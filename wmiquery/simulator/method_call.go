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
type handler struct {
	// link is the relationship that it is about, "" for none.
	linkType func(*request) msvm.Link
	// beside: it may be called while a job about the VM is at work, and looks
	// itself at what it can do then.
	allowedDuringJob bool
	run              func(*request) wmiquery.Reply
}

// request is a call that is under way.
type request struct {
	view
	method   msvm.Method
	args     arguments
	vm       *hostVM   // nil for what is about the host
	linkType msvm.Link // which relationship of the machine
	endpoint *endpoint // nil if that does not replicate
}

// act is how a method of the table runs an action: with w.mu held, at the time of
// the call, and only if the rules of package msvm let it.
func handle(a handler) func(*session, wmiquery.Call, Faults) (wmiquery.Reply, error) {
	return func(s *session, c wmiquery.Call, faults Faults) (wmiquery.Reply, error) {
		var reply wmiquery.Reply
		var err error
		withView(s.world, s.host, faults, func(v view) bool {
			r := &request{view: v}
			r.method, _ = msvm.FindMethod(className(relativePath(c.Object)), c.Method)
			reply, err = r.execute(a, c)
			return true
		})
		return reply, err
	}
}

func (r *request) execute(a handler, c wmiquery.Call) (wmiquery.Reply, error) {
	object := relativePath(c.Object)
	if !r.hasObject(object) {
		return wmiquery.Reply{}, fmt.Errorf("%s: %w", object, wmiquery.ErrNotFound)
	}
	var code uint32
	if r.args, code = parseArguments(r.method, c.In); code != wmiquery.CodeCompleted {
		return errorReply(code), nil
	}
	if !r.findVM(object) {
		return errorReply(wmiquery.CodeInvalidParam), nil
	}
	if code := r.checkPreconditions(a); code != wmiquery.CodeCompleted {
		return errorReply(code), nil
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
func (r *request) hasObject(object wmiquery.Ref) bool {
	switch class := className(object); {
	case strings.EqualFold(class, "Msvm_ReplicationService"):
		return strings.EqualFold(string(object), string(r.host.service().Ref()))
	case strings.EqualFold(class, "Msvm_ComputerSystem"):
		return strings.EqualFold(string(object), string(msvm.VMRef(r.host.name))) || r.host.vmAt(object) != nil
	}
	return true // the service that manages VMs; jobs are looked for later
}

// findMachine finds the VM that the call is about, if it is about one; false if
// the host has none such.
func (r *request) findVM(object wmiquery.Ref) bool {
	for _, p := range r.method.In {
		if p.Type == msvm.TypeReference && p.Class == "Msvm_ComputerSystem" {
			object = r.args.ref(p.Name)
			r.vm = r.host.vmAt(object)
			return r.vm != nil
		}
	}
	r.vm = r.host.vmAt(object)
	return true
}

// check is what all methods have in common: the VM, its mode, whether it is at
// work, its state and its power, in this order.
func (r *request) checkPreconditions(a handler) uint32 {
	if r.vm == nil {
		return wmiquery.CodeCompleted
	}
	r.vm.logical.advance(r.at)
	if a.linkType != nil {
		if r.linkType = a.linkType(r); !slices.Contains(r.vm.linkTypes(), r.linkType) {
			return wmiquery.CodeInvalidParam
		}
		r.endpoint = r.vm.endpoints[r.linkType]
	}
	m := r.method
	switch {
	case len(m.Modes) > 0 && !slices.Contains(m.Modes, r.vm.mode):
		return wmiquery.CodeInvalidState
	case !a.allowedDuringJob && !m.Reads && r.operationRunning():
		return wmiquery.CodeInUse
	case len(m.States) > 0 && !slices.Contains(m.States, r.state()):
		return wmiquery.CodeInvalidState
	case m.RequiresOff && r.vm.on:
		return wmiquery.CodeInvalidState
	}
	return wmiquery.CodeCompleted
}

// state is the state of the relationship.
func (r *request) state() msvm.ReplicationState {
	if r.endpoint == nil {
		return msvm.Disabled
	}
	return r.endpoint.state
}

// blocked tells whether a job about the VM is at work: there is one replication
// operation per VM at a time.
func (r *request) operationRunning() bool {
	return r.vm.hasRunningJob() || r.vm.hasRunningTransfer(r.at)
}

// Which relationship a method is about.

// named is the one that is given, the primary one if none is.
func givenLink(r *request) msvm.Link {
	if r.args["ReplicationRelationship"] == nil {
		return msvm.Primary
	}
	var given msvm.ReplicationRelationship
	if !r.args.instance("ReplicationRelationship", &given) {
		return ""
	}
	key, err := msvm.ParseKey(given.InstanceID) // of the text only the key counts
	if err != nil || key.VM != r.vm.id {
		return ""
	}
	return key.Link
}

// primary is the primary one: of a replica, the one that it receives on.
func primaryLink(*request) msvm.Link { return msvm.Primary }

// outbound is the one that the VM sends on: of a replica, the extended one.
func sendingLink(r *request) msvm.Link {
	if r.vm.mode == msvm.ModeReplica {
		return msvm.Extended
	}
	return msvm.Primary
}

// refuse is an answer with a code that is no success.
func errorReply(code uint32) wmiquery.Reply { return wmiquery.Reply{Code: code} }

// done is the answer of a method that has completed.
func completedReply() wmiquery.Reply { return wmiquery.Reply{Out: map[string]any{}} }

// started is the answer of a method that started a job.
func jobReply(j *job) wmiquery.Reply {
	return wmiquery.Reply{Code: wmiquery.CodeJobStarted, Job: msvm.JobRef(j.id), Out: map[string]any{}}
}

// post starts a job about the machine, which fails if a fault says so.
func (r *request) submitJob(j *job) *job {
	if j.failure == nil {
		j.failure = r.faults.jobFailure()
	}
	return r.vm.submitJob(r.at, j)
}

// between draws how long a job takes, in whole seconds.
func (r *request) drawDuration(least, most int) time.Duration {
	return time.Duration(least+r.vm.logical.rand().IntN(most-least+1)) * time.Second
}
