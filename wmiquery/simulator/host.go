package simulator

import (
	"cmp"
	"iter"
	"slices"
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

func (vm *hostVM) addedBefore(o *hostVM) bool {
	return cmp.Or(vm.added.Compare(o.added), cmp.Compare(vm.logical.index, o.logical.index)) < 0 && !vm.added.IsZero()
}

// remove takes a machine off the host.
func (h *host) remove(vm *hostVM) {
	h.vms = slices.DeleteFunc(h.vms, func(x *hostVM) bool { return x == vm })
	delete(h.byID, vm.id)
	delete(h.failoverNetworks, vm.id)
}

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

// relationship names a relationship of a machine.
type relationship struct {
	vm       *hostVM
	linkType msvm.Link
}

func (r relationship) key() msvm.Key { return msvm.Key{VM: r.vm.id, Link: r.linkType} }
