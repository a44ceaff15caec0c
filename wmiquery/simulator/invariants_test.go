package simulator

import (
	"errors"
	"fmt"
	"slices"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// allowed are the states that Microsoft's client knows for each mode, and 17, unknown, for a primary. The states of the extended
// relationship of a replica are in allowedExtended. They include 4, because a failover of it can be
// prepared.
var allowed = map[msvm.ReplicationMode][]msvm.ReplicationState{
	msvm.ModeNone:            {0},
	msvm.ModeTestReplica:     {0},
	msvm.ModePrimary:         {1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 15, 16, 17, 18, 19, 20},
	msvm.ModeReplica:         {2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18, 21},
	msvm.ModeExtendedReplica: {2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18, 21},
}

var allowedExtended = []msvm.ReplicationState{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 21}

// Invariants returns an error if the state of the hosts is inconsistent.
func (w *World) Invariants() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advanceAll(w.now())
	if err := w.twoPrimaries(); err != nil {
		return err
	}
	for _, h := range w.hosts {
		for _, vm := range h.vms {
			if err := vm.invariants(); err != nil {
				return fmt.Errorf("%s on %s: %w", vm.id, h.name, err)
			}
			running := 0
			for _, j := range h.jobs {
				if j.vm == vm && j.running(w.lastNow) {
					running++
				}
			}
			if running > 1 {
				return fmt.Errorf("%s on %s: %d running jobs", vm.id, h.name, running)
			}
		}
	}
	return nil
}

// twoPrimaries returns an error if two hosts replicate a VM to each other.
func (w *World) twoPrimaries() error {
	to := map[string]bool{} // keys are VM, from, to
	for _, h := range w.hosts {
		for _, vm := range h.vms {
			if e := vm.endpoints[msvm.Primary]; vm.mode == msvm.ModePrimary && e.state == msvm.Replicating &&
				e.link.receiver.state == msvm.Replicating {
				other := e.link.receiver.vm.host
				to[vm.id+h.name+other.name] = true
				if to[vm.id+other.name+h.name] {
					return fmt.Errorf("%s: %s and %s replicate to each other", vm.id, h.name, other.name)
				}
			}
		}
	}
	return nil
}

func (vm *hostVM) invariants() error {
	if vm.host.byID[vm.id] != vm || vm.testReplica != nil && vm.host.byID[vm.testReplica.id] != vm.testReplica {
		return errors.New("not registered on its host, or its test replica is not")
	}
	for _, linkType := range vm.linkTypes() {
		e := vm.endpoints[linkType]
		state := msvm.Disabled
		if e != nil {
			state = e.state
		}
		if linkType == msvm.Primary && !slices.Contains(allowed[vm.mode], state) ||
			linkType == msvm.Extended && !slices.Contains(allowedExtended, state) {
			return fmt.Errorf("%s relationship is %s, which is impossible in mode %s", linkType, state, vm.mode)
		}
		if e == nil {
			continue
		}
		if err := e.invariants(vm, linkType); err != nil {
			return fmt.Errorf("%s relationship: %w", linkType, err)
		}
	}
	for _, l := range vm.logical.links {
		if l.sender.state == msvm.Disabled && l.receiver.state == msvm.Disabled ||
			l.sender.vm.endpoints[l.linkType] != &l.sender && l.receiver.vm.endpoints[msvm.Primary] != &l.receiver {
			return errors.New("link without endpoints")
		}
	}
	for linkType := range vm.endpoints {
		if !slices.Contains(vm.linkTypes(), linkType) {
			return fmt.Errorf("VM in mode %s has a %s relationship", vm.mode, linkType)
		}
	}
	if vm.on && vm.startBlocked() && !vm.hasRunningJob() {
		return errors.New("running although replication prevents it")
	}
	return nil
}

func (e *endpoint) invariants(vm *hostVM, linkType msvm.Link) error {
	l := e.link
	sends := vm.mode == msvm.ModePrimary || linkType == msvm.Extended
	planned := 0
	for i, p := range e.recoveryPoints {
		if p.kind == pointPlanned {
			planned++
		}
		if i > 0 && p.at < e.recoveryPoints[i-1].at {
			return fmt.Errorf("recovery points are not sorted: %v", e.recoveryPoints)
		}
	}
	a, b := l.sender.totals, l.receiver.totals
	switch {
	case e.vm != vm || !slices.Contains(vm.logical.links, l):
		return errors.New("link belongs to another VM")
	case e.sends() != sends:
		return errors.New("link has the wrong direction")
	case e.pointsMade-e.pointsMerged != len(e.recoveryPoints):
		return fmt.Errorf("%d recovery points were created and %d merged, but %d remain",
			e.pointsMade, e.pointsMerged, len(e.recoveryPoints))
	case len(e.recoveryPoints)-planned > int(*l.settings.RecoveryHistory):
		return fmt.Errorf("%d recovery points, at most %d allowed", len(e.recoveryPoints), *l.settings.RecoveryHistory)
	case a.Cycles != b.Cycles || a.Bytes != b.Bytes || a.Missed != b.Missed || a.Seconds != b.Seconds:
		return fmt.Errorf("endpoints disagree: %+v and %+v", a, b)
	case l.transfer != nil && (!slices.Contains(vm.logical.jobs, l.transfer)):
		return errors.New("transfer without a job")
	case e.state == msvm.Resynchronizing && e.sends() && l.transfer == nil:
		return errors.New("resynchronizing without a job")
	case e.state == msvm.FailoverInProgress && !vm.hasRunningJob():
		return errors.New("failing over without a job")
	}
	return nil
}
