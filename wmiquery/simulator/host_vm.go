package simulator

import (
	"cmp"
	"hyperv_replica_exporter/wmiquery/msvm"
	"time"
)

// machine is a VM as one host has it: a replica is another machine than its
// primary, on another host, with the same GUID.
type hostVM struct {
	host        *host
	logical     *logicalVM
	index       int // of the VM in the world
	id          string
	name        string
	installed   time.Time
	added       time.Time // zero for those that the world began with
	mode        msvm.ReplicationMode
	on          bool    // the VM runs
	testReplica *hostVM // the test replica of a replica, if any
	testOf      *hostVM // the replica of a test replica
	// authorization is the entry of the replica server that the VM is bound to, ""
	// for any.
	authorization string
	// sides are the machine's ends of links, none when it does not replicate.
	endpoints map[msvm.Link]*endpoint
}

// enabledState is on or off: simulated VMs are neither saved nor on the way.
func (vm *hostVM) enabledState() msvm.EnabledState {
	if vm.on {
		return msvm.EnabledOn
	}
	return msvm.EnabledOff
}

// links are the relationships that the host shows of the machine, whether they
// replicate or not: a primary one for every VM, and for every replica also an
// extended one.
func (vm *hostVM) linkTypes() []msvm.Link {
	if vm.mode == msvm.ModeReplica {
		return replicaLinkTypes
	}
	return replicaLinkTypes[:1]
}

var replicaLinkTypes = []msvm.Link{msvm.Primary, msvm.Extended}

func (vm *hostVM) addedBefore(o *hostVM) bool {
	return cmp.Or(vm.added.Compare(o.added), cmp.Compare(vm.logical.index, o.logical.index)) < 0 && !vm.added.IsZero()
}

// locked tells whether replication keeps the VM from being turned on.
func (vm *hostVM) startBlocked() bool {
	for link, e := range vm.endpoints {
		switch {
		case e.sends():
			if e.state == msvm.SyncedReplicationComplete && link == msvm.Primary {
				return true
			}
		case e.state != msvm.Recovered && e.state != msvm.Committed && e.state != msvm.Disabled:
			return true
		}
	}
	return false
}

// newTest is a test replica of the machine, turned off.
func (vm *hostVM) newTestReplica(id string, at time.Time) *hostVM {
	vm.testReplica = &hostVM{
		logical: vm.logical, index: vm.index, id: id, name: vm.name + " - Test",
		installed: at.Truncate(time.Second), mode: msvm.ModeTestReplica, testOf: vm,
	}
	return vm.testReplica
}

// shell is the machine that is to receive on a host: a new one, or the VM that was
// made a replica there before.
func (vm *hostVM) newReplicaVM(h *host, at time.Time) (*hostVM, *failure) {
	mode := msvm.ModeReplica
	if vm.mode == msvm.ModeReplica {
		mode = msvm.ModeExtendedReplica
	}
	if there := h.byID[vm.id]; there != nil {
		e := there.endpoints[msvm.Primary]
		if e == nil || e.sends() || e.state != msvm.WaitingToCompleteInitialReplication || e.link.sender.state != msvm.Disabled || there.hasRunningJob() {
			return nil, errVMExists
		}
		vm.logical.removeLink(e.link)
		there.mode = mode
		return there, nil
	}
	to := &hostVM{
		logical: vm.logical, index: vm.index, id: vm.id, name: vm.name, installed: at.Truncate(time.Second), added: at,
		mode: mode, endpoints: map[msvm.Link]*endpoint{},
	}
	h.add(to)
	return to, nil
}

// part takes a machine off a link. The VM and its disks stay, its recovery points
// go with the link's side.
func (vm *hostVM) leaveLink(from msvm.Link, at time.Time) {
	e := vm.endpoints[from]
	e.link.stopSending(at)
	e.setState(msvm.Disabled, at)
	delete(vm.endpoints, from)
	if from == msvm.Primary {
		vm.mode = msvm.ModeNone
		delete(vm.host.failoverNetworks, vm.id)
	}
	if e.link.sender.state == msvm.Disabled && e.link.receiver.state == msvm.Disabled {
		vm.logical.removeLink(e.link)
	}
}

// post puts a job about the machine on its host.
func (vm *hostVM) submitJob(at time.Time, j *job) *job {
	j.host, j.vm = vm.host, vm
	vm.logical.world.submitJob(j, at)
	return j
}

// busy tells whether a job about the machine is at work, other than a transfer.
func (vm *hostVM) hasRunningJob() bool { return vm.runningJob() != nil }

// job is the job about the machine that is at work, other than a transfer.
func (vm *hostVM) runningJob() *job {
	for _, j := range vm.logical.jobs {
		if j.vm == vm && j.started && j.transfer == nil {
			return j
		}
	}
	return nil
}

// sendsDisks tells whether a transfer of the machine is at work.
func (vm *hostVM) hasRunningTransfer(at time.Time) bool {
	for _, j := range vm.logical.jobs {
		if j.vm == vm && j.transfer != nil && j.state(at) == msvm.JobRunning {
			return true
		}
	}
	return false
}

// relationship names a relationship of a machine.
type relationship struct {
	vm       *hostVM
	linkType msvm.Link
}

func (r relationship) key() msvm.Key { return msvm.Key{VM: r.vm.id, Link: r.linkType} }
