package simulator

import (
	"cmp"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// hostVM is a VM on one host. The primary VM and its replica are two hostVMs with the same GUID on
// different hosts.
type hostVM struct {
	host        *host
	logical     *logicalVM
	id          string
	name        string
	installed   time.Time
	added       time.Time // zero for VMs that New created
	mode        msvm.ReplicationMode
	on          bool    // the VM is running
	shutdown    *job    // the shutdown of the guest operating system that is running, or nil; it is not visible
	testReplica *hostVM // the test replica of a replica, or nil
	testOf      *hostVM // the replica that a test replica belongs to
	// authorization is the authorization entry that the VM is bound to. "" means any entry.
	authorization string
	// endpoints are the ends of links that the VM has. They are empty if it does not replicate.
	endpoints map[msvm.Link]*endpoint
}

// skipsSimpleJobs reports whether the host completes simple changes of the VM at once, without a job. It is
// not known what Windows does. The simulator does it for every other VM, so that clients meet both cases.
func (vm *hostVM) skipsSimpleJobs() bool { return vm.logical.index%2 == 1 }

// enabledState is the power state. Simulated VMs are never saved or starting.
func (vm *hostVM) enabledState() msvm.EnabledState {
	switch {
	case vm.shutdown != nil:
		return msvm.ShuttingDown
	case vm.on:
		return msvm.EnabledOn
	}
	return msvm.EnabledOff
}

// linkTypes are the relationships that the host reports for the VM, whether they replicate or not. Every
// VM has a primary one, and a replica also has an extended one.
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

// startBlocked reports whether replication prevents the VM from being turned on.
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

// newTestReplica creates a test replica of the VM. It is off.
func (vm *hostVM) newTestReplica(id string, at time.Time) *hostVM {
	vm.testReplica = &hostVM{
		logical: vm.logical, id: id, name: vm.name + " - Test",
		installed: at.Truncate(time.Second), mode: msvm.ModeTestReplica, testOf: vm,
	}
	return vm.testReplica
}

// newReplicaVM returns the VM that is to receive on a host: a new one, or an existing one that was made
// a replica before.
func (vm *hostVM) newReplicaVM(h *host, at time.Time) (*hostVM, *failure) {
	mode := msvm.ModeReplica
	if vm.mode == msvm.ModeReplica {
		mode = msvm.ModeExtendedReplica
	}
	if existing := h.byID[vm.id]; existing != nil {
		if !existing.waitsForSender() || existing.hasRunningJob() {
			return nil, errVMExists
		}
		vm.logical.removeLink(existing.endpoints[msvm.Primary].link)
		existing.mode = mode
		return existing, nil
	}
	to := &hostVM{
		logical: vm.logical, id: vm.id, name: vm.name, installed: at.Truncate(time.Second), added: at,
		mode: mode, endpoints: map[msvm.Link]*endpoint{},
	}
	h.addVM(to)
	return to, nil
}

// waitForSender makes the VM a replica that waits for the initial replication, from a sender that is not
// known yet.
func (vm *hostVM) waitForSender(at time.Time) {
	noSender := &hostVM{logical: vm.logical, host: vm.host, id: vm.id, endpoints: map[msvm.Link]*endpoint{}}
	l := vm.logical.connect(noSender, msvm.Primary, vm, linkSettings{ReplicationSettingData: unsetSettings()})
	l.settings.PrimaryHostSystem, l.settings.PrimaryConnectionPoint = nil, nil
	l.start(at)
	l.receiver.state, vm.mode = msvm.WaitingToCompleteInitialReplication, msvm.ModeReplica
}

// waitsForSender reports whether the VM is a replica that has no sender. Such a replica may also remain
// when the relationship was removed on the primary server.
func (vm *hostVM) waitsForSender() bool {
	e := vm.endpoints[msvm.Primary]
	return e != nil && !e.sends() && e.state == msvm.WaitingToCompleteInitialReplication &&
		e.link.sender.state == msvm.Disabled
}

// leaveLink detaches the VM from a link. The VM and its disks remain. The recovery points are removed
// with the endpoint.
func (vm *hostVM) leaveLink(linkType msvm.Link, at time.Time) {
	e := vm.endpoints[linkType]
	if e.sends() {
		e.link.stopSending(at)
	} else {
		e.link.currentCycle = nil // the sender notices when it sends the next time
	}
	e.setState(msvm.Disabled, at)
	delete(vm.endpoints, linkType)
	if linkType == msvm.Primary {
		vm.mode = msvm.ModeNone
		delete(vm.host.failoverNetworks, vm.id)
	}
	if e.link.sender.state == msvm.Disabled && e.link.receiver.state == msvm.Disabled {
		vm.logical.removeLink(e.link)
	}
}

// submitJob starts a job for the VM on its host.
func (vm *hostVM) submitJob(at time.Time, j *job) *job {
	j.host, j.vm = vm.host, vm
	vm.logical.world.submitJob(j, at)
	return j
}

// hasRunningJob reports whether a job for the VM is running. Transfers and shutdowns do not count.
func (vm *hostVM) hasRunningJob() bool { return vm.runningJob() != nil }

// runningJob is the job for the VM that is running, or nil. Transfers and shutdowns do not count.
func (vm *hostVM) runningJob() *job {
	for _, j := range vm.logical.jobs {
		if j.vm == vm && j.started && j.transfer == nil && j != vm.shutdown {
			return j
		}
	}
	return nil
}

// hasRunningTransfer reports whether a transfer from the VM is running.
func (vm *hostVM) hasRunningTransfer(at time.Time) bool {
	for _, j := range vm.logical.jobs {
		if j.vm == vm && j.transfer != nil && j.state(at) == msvm.JobRunning {
			return true
		}
	}
	return false
}

// relationship identifies a relationship of a VM.
type relationship struct {
	vm       *hostVM
	linkType msvm.Link
}

func (r relationship) key() msvm.Key { return msvm.Key{VM: r.vm.id, Link: r.linkType} }
