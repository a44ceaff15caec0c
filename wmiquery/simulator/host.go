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
	machines []*machine
	byID     map[string]*machine
	jobs     []*job // that run, are for later, or have ended; some may be gone

	// What administrators set on the host; see inventory.go.
	server         msvm.ReplicationServiceSettingData
	authorizations []msvm.ReplicationAuthorizationSettingData
	// failoverNetworks are the configurations of a VM's adapters, by the VM's GUID.
	failoverNetworks map[string][]msvm.FailoverNetworkAdapterSettingData
}

func newHost(name string) *host {
	h := &host{
		name: name, fqdn: name + domain, byID: map[string]*machine{},
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
func (h *host) add(m *machine) {
	m.host = h
	i := len(h.machines)
	for ; i > 0 && m.before(h.machines[i-1]); i-- {
	}
	h.machines = slices.Insert(h.machines, i, m)
	h.byID[m.id] = m
}

func (m *machine) before(o *machine) bool {
	return cmp.Or(m.came.Compare(o.came), cmp.Compare(m.guest.index, o.guest.index)) < 0 && !m.came.IsZero()
}

// remove takes a machine off the host.
func (h *host) remove(m *machine) {
	h.machines = slices.DeleteFunc(h.machines, func(x *machine) bool { return x == m })
	delete(h.byID, m.id)
	delete(h.failoverNetworks, m.id)
}

// machine is a VM as one host has it: a replica is another machine than its
// primary, on another host, with the same GUID.
type machine struct {
	host      *host
	guest     *guest
	index     int // of the VM in the world
	id        string
	name      string
	installed time.Time
	came      time.Time // zero for those that the world began with
	mode      msvm.ReplicationMode
	on        bool     // the VM runs
	test      *machine // the test replica of a replica, if any
	tests     *machine // the replica of a test replica
	// authorization is the entry of the replica server that the VM is bound to, ""
	// for any.
	authorization string
	// sides are the machine's ends of links, none when it does not replicate.
	sides map[msvm.Link]*side
}

// links are the relationships that the host shows of the machine, whether they
// replicate or not: a primary one for every VM, and for every replica also an
// extended one.
func (m *machine) links() []msvm.Link {
	if m.mode == msvm.ModeReplica {
		return replicaLinks
	}
	return replicaLinks[:1]
}

var replicaLinks = []msvm.Link{msvm.Primary, msvm.Extended}

// relationships are the host's relationships in the order of its rows. The side
// is nil where the machine does not replicate.
func (h *host) relationships() iter.Seq2[relationship, *side] {
	return func(yield func(relationship, *side) bool) {
		for _, m := range h.machines {
			for _, l := range m.links() {
				if !yield(relationship{m, l}, m.sides[l]) {
					return
				}
			}
		}
	}
}

// relationship names a relationship of a machine.
type relationship struct {
	machine *machine
	link    msvm.Link
}

func (r relationship) key() msvm.Key { return msvm.Key{VM: r.machine.id, Link: r.link} }
