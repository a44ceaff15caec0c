package simulator

import (
	"fmt"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// SetPower turns a VM on a host on or off, like RequestStateChange of Msvm_ComputerSystem. It returns
// wmiquery.ErrNotFound if the host has no such VM. It returns wmiquery.ErrInvalidState when turning on a
// replica that has not failed over, or a primary that is prepared for a failover.
func (w *World) SetPower(id, host string, on bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	vm, err := w.findVM(id, host)
	if err != nil {
		return err
	}
	if on && vm.startBlocked() {
		return fmt.Errorf("turn on %s on %s: %w", id, host, wmiquery.ErrInvalidState)
	}
	vm.setPower(on, w.lastNow)
	return nil
}

// IsOn reports whether a VM on a host is running.
func (w *World) IsOn(id, host string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	vm, err := w.findVM(id, host)
	return err == nil && vm.on, err
}

// ModifyDisk changes a virtual disk of a VM that is off, outside of Hyper-V. Its replication requires a
// resynchronization when the VM is turned on again. Source: Microsoft's virtualization blog, 2013-11-14.
// Errors are as for SetPower.
func (w *World) ModifyDisk(id, host string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	vm, err := w.findVM(id, host)
	if err != nil {
		return err
	}
	if vm.on || vm.hasRunningJob() {
		return fmt.Errorf("modify a disk of %s on %s: %w", id, host, wmiquery.ErrInvalidState)
	}
	for _, e := range vm.endpoints {
		if e.sends() && e.state == msvm.Replicating {
			e.link.disksModified = true
		}
	}
	return nil
}

// SetNetworkDown cuts the network between all hosts, or restores it. An outage of the scenario is independent of it.
func (w *World) SetNetworkDown(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advanceAll(w.now())
	if down == w.networkCut {
		return
	}
	w.networkCut = down
	if !down {
		return // the senders find out when they try again
	}
	for _, h := range w.hosts {
		for _, vm := range h.vms {
			for _, e := range vm.endpoints {
				if e.sends() {
					e.link.loseNetwork(w.lastNow.Truncate(time.Second))
				}
			}
		}
	}
}

// SetState sets the state of a relationship on a host. Use it for states that no method leads to, such
// as those of external providers and of groups of VMs. Nothing else changes, and no job starts. Errors
// are as for SetPower.
func (w *World) SetState(host string, key msvm.Key, state msvm.ReplicationState) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	vm, err := w.findVM(key.VM, host)
	if err != nil {
		return err
	}
	e := vm.endpoints[key.Link]
	if e == nil || state == msvm.Disabled {
		return fmt.Errorf("set the state of %s on %s to %s: %w", key.InstanceID(), host, state, wmiquery.ErrInvalidState)
	}
	e.link.stopSending(w.lastNow)
	e.setState(state, w.lastNow)
	return nil
}

// findVM finds a VM on a host and advances it to the current time. The caller must hold w.mu.
func (w *World) findVM(id, host string) (*hostVM, error) {
	w.advanceVMsWithJobs(w.now())
	h, ok := w.hosts[host]
	if !ok {
		return nil, fmt.Errorf("host %s: %w", host, wmiquery.ErrNotFound)
	}
	vm, ok := h.byID[id]
	if !ok {
		return nil, fmt.Errorf("VM %s on %s: %w", id, host, wmiquery.ErrNotFound)
	}
	vm.logical.advance(w.lastNow)
	return vm, nil
}
