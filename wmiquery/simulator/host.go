package simulator

import (
	"iter"
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
}

func newHost(name string) *host {
	h := &host{name: name, fqdn: name + domain, byID: map[string]*machine{}}
	h.provider = h.path(msvm.ProviderRef(msvm.BuiltinProvider))
	return h
}

// path is the full path of an object of this host.
func (h *host) path(r wmiquery.Ref) string {
	return `\\` + h.name + `\` + wmiquery.Virtualization + ":" + string(r)
}

func (h *host) add(m *machine) {
	m.host = h
	h.machines = append(h.machines, m)
	h.byID[m.id] = m
}

// machine is a VM as one host has it: a replica is another machine than its
// primary, on another host, with the same GUID.
type machine struct {
	host      *host
	index     int // of the VM in the world
	id        string
	name      string
	installed time.Time
	mode      msvm.ReplicationMode
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
