package simulator

import (
	"iter"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The hosts, by NetBIOS name. Most VMs replicate from the first to the second
// and some the other way; some go on from there to the third.
var hostNames = []string{"HV01", "HV02", "HV03"}

const domain = ".contoso.com"

// host is a Hyper-V host.
type host struct {
	name     string // NetBIOS
	fqdn     string
	provider string // full object path of the built-in replication provider
	vms      []*hostVM
	byID     map[string]*hostVM
	jobs     []*job // that run, are for later, or have ended; some may be gone

	// What administrators set on the host; see inventory.go.
	settings       msvm.ReplicationServiceSettingData
	authorizations []msvm.ReplicationAuthorizationSettingData
	// failoverNetworks are the configurations of a VM's adapters, by the VM's GUID.
	failoverNetworks map[string][]msvm.FailoverNetworkAdapterSettingData
}

func newHost(name string) *host {
	h := &host{
		name: name, fqdn: name + domain, byID: map[string]*hostVM{},
		failoverNetworks: map[string][]msvm.FailoverNetworkAdapterSettingData{},
	}
	h.provider = h.path(msvm.ProviderRef(msvm.BuiltinProvider))
	return h
}

// path is the full path of an object of this host.
func (h *host) path(r wmiquery.Ref) string {
	return `\\` + h.name + `\` + wmiquery.Virtualization + ":" + string(r)
}

// add puts a machine on the host. Those that come while the world lives stand in
// the order of their coming, whenever that is noticed.
func (h *host) add(vm *hostVM) {
	vm.host = h
	i := len(h.vms)
	for ; i > 0 && vm.addedBefore(h.vms[i-1]); i-- {
	}
	h.vms = slices.Insert(h.vms, i, vm)
	h.byID[vm.id] = vm
}

// remove takes a machine off the host.
func (h *host) remove(vm *hostVM) {
	h.vms = slices.DeleteFunc(h.vms, func(x *hostVM) bool { return x == vm })
	delete(h.byID, vm.id)
	delete(h.failoverNetworks, vm.id)
}

// relationships are the host's relationships in the order of its rows. The side
// is nil where the machine does not replicate.
func (h *host) relationships() iter.Seq2[relationship, *endpoint] {
	return func(yield func(relationship, *endpoint) bool) {
		for _, vm := range h.vms {
			for _, l := range vm.linkTypes() {
				if !yield(relationship{vm, l}, vm.endpoints[l]) {
					return
				}
			}
		}
	}
}

// machineAt is the VM with that path, nil if there is none.
func (h *host) vmAt(path wmiquery.Ref) *hostVM {
	vm := h.byID[msvm.VMOf(path)]
	if vm == nil || !strings.EqualFold(string(path), string(msvm.VMRef(vm.id))) {
		return nil
	}
	return vm
}

// advance brings all VMs of the host up to a time that the world has settled to.
func (h *host) advance(at time.Time) {
	for _, vm := range h.vms {
		vm.logical.advance(at)
	}
}

// service is the replication service, with its keys only.
func (h *host) service() msvm.ReplicationService {
	return msvm.ReplicationService{
		Name:                    "replicasvc",
		CreationClassName:       "Msvm_ReplicationService",
		SystemName:              h.name,
		SystemCreationClassName: "Msvm_ComputerSystem",
	}
}

// monitoring is how long the host's monitoring windows are, and the time of day
// that they are counted from.
func (h *host) monitoring() (length, start time.Duration) {
	return time.Duration(*h.settings.MonitoringInterval) * time.Second, *h.settings.MonitoringStartTime
}
