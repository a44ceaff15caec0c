package simulator

import (
	"fmt"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// SetPower turns a VM on a host on or off, as Msvm_ComputerSystem's
// RequestStateChange does. A replica cannot be turned on before it has failed
// over, and a primary that is prepared for a failover not at all:
// wmiquery.ErrInvalidState. wmiquery.ErrNotFound if the host has no such VM.
func (w *World) SetPower(vm, host string, on bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.find(vm, host)
	if err != nil {
		return err
	}
	if on && m.locked() {
		return fmt.Errorf("turn on %s on %s: %w", vm, host, wmiquery.ErrInvalidState)
	}
	m.on = on
	for _, s := range m.sides {
		if s.sends() {
			s.link.track(w.latest)
		}
	}
	return nil
}

// IsOn tells whether a VM on a host runs.
func (w *World) IsOn(vm, host string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.find(vm, host)
	return err == nil && m.on, err
}

// enabledState is on or off: simulated VMs are neither saved nor on the way.
func (m *machine) enabledState() msvm.EnabledState {
	if m.on {
		return msvm.EnabledOn
	}
	return msvm.EnabledOff
}

// ModifyDisk changes a virtual disk of a VM that is off, behind Hyper-V's back:
// what replicates it then requires a resynchronization. The error is as that of
// SetPower.
func (w *World) ModifyDisk(vm, host string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.find(vm, host)
	if err != nil {
		return err
	}
	if m.on || m.busy() {
		return fmt.Errorf("modify a disk of %s on %s: %w", vm, host, wmiquery.ErrInvalidState)
	}
	for _, s := range m.sides {
		if s.sends() && s.state == msvm.Replicating {
			s.link.loseTrack(w.latest)
		}
	}
	return nil
}

// SetState puts a relationship on a host into any state, as no method does: for
// those that only external providers and groups of VMs reach. Nothing else
// changes, and no job goes about it. The error is as that of SetPower.
func (w *World) SetState(host string, key msvm.Key, state msvm.ReplicationState) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.find(key.VM, host)
	if err != nil {
		return err
	}
	s := m.sides[key.Link]
	if s == nil || state == msvm.Disabled {
		return fmt.Errorf("state %s of %s on %s: %w", state, key.InstanceID(), host, wmiquery.ErrInvalidState)
	}
	s.link.drop(w.latest)
	s.enter(state, w.latest)
	return nil
}

// find brings a VM on a host up to now; w.mu is held.
func (w *World) find(vm, host string) (*machine, error) {
	w.settle(w.now())
	h, ok := w.hosts[host]
	if !ok {
		return nil, fmt.Errorf("host %s: %w", host, wmiquery.ErrNotFound)
	}
	m, ok := h.byID[vm]
	if !ok {
		return nil, fmt.Errorf("VM %s on %s: %w", vm, host, wmiquery.ErrNotFound)
	}
	m.guest.advance(w.latest)
	return m, nil
}

// locked tells whether replication keeps the VM from being turned on.
func (m *machine) locked() bool {
	for link, s := range m.sides {
		switch {
		case s.sends():
			if s.state == msvm.SyncedReplicationComplete && link == msvm.Primary {
				return true
			}
		case s.state != msvm.Recovered && s.state != msvm.Committed && s.state != msvm.Disabled:
			return true
		}
	}
	return false
}
