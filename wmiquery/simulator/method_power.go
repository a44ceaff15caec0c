package simulator

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// requestPower is Msvm_ComputerSystem.RequestStateChange. The change is complete when it returns; a real host probably
// starts a job. What it returns for a VM that replication keeps off is not documented.
func requestPower(r *request) wmiquery.Reply {
	if r.vm == nil { // the row of the host itself
		return errorReply(wmiquery.CodeNotSupported)
	}
	q, ok := msvm.FindPowerRequest(msvm.EnabledState(r.args.number("RequestedState")))
	on := q.State == msvm.EnabledOn
	switch {
	case !ok:
		return errorReply(wmiquery.CodeNotSupported)
	case on == r.vm.on, on && r.vm.startBlocked():
		return errorReply(wmiquery.CodeInvalidState)
	}
	r.vm.setPower(on, r.at)
	return completedReply()
}

// initiateShutdown is Msvm_ShutdownComponent.InitiateShutdown. It returns before the guest operating system has shut
// down.
func initiateShutdown(r *request) wmiquery.Reply {
	vm := r.vm
	switch {
	case r.args["Reason"] == "":
		return errorReply(wmiquery.CodeInvalidParam)
	case vm.shutdown != nil:
		return errorReply(wmiquery.CodeShuttingDown)
	case !vm.guestResponds():
		return errorReply(wmiquery.CodeNotReady)
	}
	vm.shutdown = &job{
		host: vm.host, vm: vm, submitted: r.at, begin: r.at, started: true,
		end: r.at.Add(r.drawDuration(20, 90)),
		onEnd: func(at time.Time) *failure {
			vm.setPower(false, at)
			return nil
		},
	}
	vm.logical.addJob(vm.shutdown)
	return completedReply()
}

// setPower turns the VM on or off, whatever its state.
func (vm *hostVM) setPower(on bool, at time.Time) {
	if j := vm.shutdown; j != nil {
		vm.shutdown = nil
		j.finish(at)
	}
	vm.on = on
	for _, e := range vm.endpoints {
		if !e.sends() {
			continue
		}
		e.link.updateBacklog(at)
		if on && e.link.disksModified && e.state == msvm.Replicating {
			e.link.disksModified = false
			e.link.requireResync(at)
		}
	}
}

// guestResponds reports whether the shutdown service in the guest operating system responds. In one of eight VMs it is
// not installed.
func (vm *hostVM) guestResponds() bool { return vm.logical.index%8 != 7 }

// shutdownComponents are the shutdown services of the VMs that run.
func (v view) shutdownComponents() []msvm.ShutdownComponent {
	v.host.advance(v.at)
	var rows []msvm.ShutdownComponent
	for _, vm := range v.host.vms {
		if vm.on {
			rows = append(rows, vm.shutdownComponent())
		}
	}
	return rows
}

func (vm *hostVM) shutdownComponent() msvm.ShutdownComponent {
	status := []uint16{msvm.StatusOK}
	if !vm.guestResponds() {
		status = []uint16{12} // no contact
	}
	return msvm.ShutdownComponent{
		CreationClassName: msvm.ClassShutdownComponent,
		// The second GUID is that of the integration service on every host.
		DeviceID:                "Microsoft:" + vm.id + `\9F8233AC-BE49-4C79-8EE3-E7E1985B2077`,
		SystemCreationClassName: msvm.ClassComputerSystem, SystemName: vm.id, OperationalStatus: status,
	}
}

// vmOfShutdownComponent is the running VM whose shutdown service has an object path, or nil.
func (h *host) vmOfShutdownComponent(path wmiquery.Ref) *hostVM {
	for _, vm := range h.vms {
		if vm.on && strings.EqualFold(string(path), string(vm.shutdownComponent().Ref())) {
			return vm
		}
	}
	return nil
}
