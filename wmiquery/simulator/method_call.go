package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// request is a call of a method that a host is processing.
type request struct {
	view
	method   *method
	args     arguments
	job      *job      // the job whose method is called, nil for other methods
	vm       *hostVM   // nil if the call is about the host or a job
	linkType msvm.Link // the relationship of the VM that the call is about
	endpoint *endpoint // nil if that relationship does not replicate
	// encode, if set, writes the out parameters after World.mu is released. Embedded instances are the most expensive
	// part of a call for statistics.
	encode func(out map[string]any) error
}

// call runs a method on the host of the session.
func (s *session) call(m *method, c wmiquery.Call, f Faults) (wmiquery.Reply, error) {
	f = s.waitWhileRelationshipHung(m, c, f)
	r := &request{method: m}
	var reply wmiquery.Reply
	var err error
	withView(s.world, s.host, f, func(v view) bool {
		r.view = v
		reply, err = r.execute(c)
		return true
	})
	if err == nil && r.encode != nil {
		err = r.encode(reply.Out)
	}
	return reply, err
}

// execute checks the call and runs the handler of its method.
func (r *request) execute(c wmiquery.Call) (wmiquery.Reply, error) {
	code, err := r.resolve(c)
	if err != nil {
		return wmiquery.Reply{}, err
	}
	if code == wmiquery.CodeCompleted {
		code = r.checkPreconditions()
	}
	if code != wmiquery.CodeCompleted {
		return errorReply(code), nil
	}
	reply := r.method.run(r)
	if reply.Err() == nil {
		for _, p := range r.method.Out {
			if _, ok := reply.Out[p.Name]; !ok && p.Name != "Job" {
				reply.Out[p.Name] = nil
			}
		}
	}
	return reply, nil
}

// resolve finds the object, the VM and the relationship of the call, and parses its arguments. It returns an error if
// the object does not exist, and a code other than CodeCompleted if an argument is not valid.
func (r *request) resolve(c wmiquery.Call) (code uint32, err error) {
	object := relativePath(c.Object)
	if !r.findObject(object) {
		return 0, fmt.Errorf("%s: %w", object, wmiquery.ErrNotFound)
	}
	if r.args, code = parseArguments(r.method.Method, c.In); code != wmiquery.CodeCompleted {
		return code, nil
	}
	if !r.findVM(object) {
		return wmiquery.CodeInvalidParam, nil
	}
	if r.vm == nil {
		return wmiquery.CodeCompleted, nil
	}
	r.vm.logical.advance(r.at)
	link := r.method.linkType
	if link == nil {
		link = (*request).defaultLink
	}
	if r.linkType = link(r); !slices.Contains(r.vm.linkTypes(), r.linkType) {
		return wmiquery.CodeInvalidParam, nil
	}
	r.endpoint = r.vm.endpoints[r.linkType]
	return wmiquery.CodeCompleted, nil
}

// findObject reports whether the host has the object whose method is called. It sets r.job if that is a job, and r.vm
// if it is the shutdown service of a VM.
func (r *request) findObject(object wmiquery.Ref) bool {
	switch r.method.Class {
	case msvm.ClassReplicationService:
		return strings.EqualFold(string(object), string(r.host.service().Ref()))
	case msvm.ClassComputerSystem:
		return strings.EqualFold(string(object), string(msvm.VMRef(r.host.name))) || r.host.vmAt(object) != nil
	case msvm.ClassShutdownComponent:
		r.host.advance(r.at) // the guest operating system may have shut down
		r.vm = r.host.vmOfShutdownComponent(object)
		return r.vm != nil
	case msvm.ClassConcreteJob:
		r.job = r.jobAt(object)
		return r.job != nil
	}
	return true // the service that manages VMs
}

// findVM sets r.vm to the VM that a parameter refers to, or whose method is called. It returns false if a parameter
// refers to a VM that the host does not have.
func (r *request) findVM(object wmiquery.Ref) bool {
	for _, p := range r.method.In {
		if p.Type == msvm.TypeReference && p.Class == msvm.ClassComputerSystem {
			r.vm = r.host.vmAt(r.args.ref(p.Name))
			return r.vm != nil
		}
	}
	if r.vm == nil {
		r.vm = r.host.vmAt(object)
	}
	return true
}

// checkPreconditions checks what all methods have in common, in this order: the mode of the VM, whether a job is
// running, the state of the relationship, and the power state.
func (r *request) checkPreconditions() uint32 {
	if r.vm == nil {
		return wmiquery.CodeCompleted
	}
	m := r.method
	switch {
	case len(m.Modes) > 0 && !slices.Contains(m.Modes, r.vm.mode):
		return wmiquery.CodeInvalidState
	case !m.allowedDuringJob && !m.Reads && r.operationRunning():
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

// operationRunning reports whether a job for the VM is running. A VM has one replication operation at a time.
func (r *request) operationRunning() bool {
	return r.vm.hasRunningJob() || r.vm.hasRunningTransfer(r.at)
}

// defaultLink is the given relationship. If the method has no such parameter, or it is null, it is the one that the
// host chooses for the VM.
func (r *request) defaultLink() msvm.Link {
	if r.args.has("ReplicationRelationship") {
		return r.givenLink()
	}
	return r.method.DefaultLink(r.vm.mode)
}

// givenLink is the relationship that the parameter ReplicationRelationship names. It is "" if that is a relationship
// of another VM. Only the key of the instance is used.
func (r *request) givenLink() msvm.Link {
	key, err := msvm.ParseKey(r.args.instanceID("ReplicationRelationship"))
	if err != nil || key.VM != r.vm.id {
		return ""
	}
	return key.Link
}

// primaryLink is the primary relationship, on which a replica receives.
func primaryLink(*request) msvm.Link { return msvm.Primary }

// submitJob starts a job for the VM. The job fails if the faults say so.
func (r *request) submitJob(j *job) *job {
	if j.failure == nil {
		j.failure = r.faults.jobFailure()
	}
	return r.vm.submitJob(r.at, j)
}

// drawDuration draws how long a job takes, in whole seconds from least to most.
func (r *request) drawDuration(least, most int) time.Duration {
	return time.Duration(least+r.vm.logical.rand().IntN(most-least+1)) * time.Second
}
