package simulator

import (
	"iter"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// hostNames are the NetBIOS names of the hosts. Most VMs replicate from the first host to the second,
// some the other way. Some have extended replication to the third.
var hostNames = []string{"HV01", "HV02", "HV03"}

const domain = ".contoso.com"

// host is a Hyper-V host.
type host struct {
	name string // NetBIOS name
	fqdn string
	// providers are the full object paths of the replication providers, by their GUIDs.
	providers map[string]*string
	vms       []*hostVM
	byID      map[string]*hostVM
	jobs      []*job // scheduled, running and finished jobs; some may have expired

	// Configuration that administrators can change. applyDefaults sets the initial values.
	settings       serverSettings
	authorizations []msvm.ReplicationAuthorizationSettingData
	// failoverNetworks are the failover configurations of the network adapters, by the GUID of the VM.
	failoverNetworks map[string][]msvm.FailoverNetworkAdapterSettingData
}

func newHost(name string) *host {
	h := &host{
		name: name, fqdn: name + domain, byID: map[string]*hostVM{}, providers: map[string]*string{},
		failoverNetworks: map[string][]msvm.FailoverNetworkAdapterSettingData{},
	}
	for _, id := range []string{msvm.BuiltinProvider, externalProvider} {
		h.providers[id] = new(h.path(msvm.ProviderRef(id)))
	}
	return h
}

// path is the full path of an object of this host.
func (h *host) path(r wmiquery.Ref) string {
	return `\\` + h.name + `\` + wmiquery.Virtualization + ":" + string(r)
}

// addVM adds a VM to the host. VMs that are created after New are sorted by the time of their creation,
// no matter when the simulation reaches that time.
func (h *host) addVM(vm *hostVM) {
	vm.host = h
	i := len(h.vms)
	for ; i > 0 && vm.addedBefore(h.vms[i-1]); i-- {
	}
	h.vms = slices.Insert(h.vms, i, vm)
	h.byID[vm.id] = vm
}

// removeVM removes a VM from the host.
func (h *host) removeVM(vm *hostVM) {
	h.vms = slices.DeleteFunc(h.vms, func(x *hostVM) bool { return x == vm })
	delete(h.byID, vm.id)
	delete(h.failoverNetworks, vm.id)
}

// relationships iterates over the relationships of the host in the order of its rows. The endpoint is
// nil if the relationship does not replicate.
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

// vmAt is the VM with that object path, or nil.
func (h *host) vmAt(path wmiquery.Ref) *hostVM {
	vm := h.byID[msvm.VMOf(path)]
	if vm == nil || !strings.EqualFold(string(path), string(msvm.VMRef(vm.id))) {
		return nil
	}
	return vm
}

// advance advances all VMs of the host to a time. World.advanceVMsWithJobs must have run for that time.
func (h *host) advance(at time.Time) {
	for _, vm := range h.vms {
		vm.logical.advance(at)
	}
}

// service is the replication service with its key properties only.
func (h *host) service() msvm.ReplicationService {
	return msvm.ReplicationService{
		Name:                    "replicasvc",
		CreationClassName:       msvm.ClassReplicationService,
		SystemName:              h.name,
		SystemCreationClassName: msvm.ClassComputerSystem,
	}
}

// monitoringWindow is the length of the monitoring windows of the host, and the time of day from which
// they are counted.
func (h *host) monitoringWindow() (length, start time.Duration) {
	return time.Duration(*h.settings.MonitoringInterval) * time.Second, *h.settings.MonitoringStartTime
}
