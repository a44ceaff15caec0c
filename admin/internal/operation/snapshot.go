package operation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Snapshot is the state of the host at the time of a request. It is never reused for another request: an action reads
// the host again.
type Snapshot struct {
	Time    time.Time // by the host's clock
	Service msvm.ReplicationService

	vms           map[string]msvm.ComputerSystem // by GUID in upper case
	relationships map[msvm.Key]*Relationship
	keys          []msvm.Key          // of relationships, sorted
	testVMs       map[string][]string // GUIDs of test VMs by the GUID of the replica
	settings      rows[msvm.ReplicationSettingData]
	associations  rows[msvm.SystemReplicationRelationship]
	// errTestVMs means that the host may have more test VMs than testVMs has.
	errTestVMs error
}

// ReadSnapshot reads the state of the host.
func ReadSnapshot(ctx context.Context, r wmiquery.Reader) (*Snapshot, *problem.Problem) {
	s := &Snapshot{
		Time:          r.Now(),
		vms:           map[string]msvm.ComputerSystem{},
		relationships: map[msvm.Key]*Relationship{},
		testVMs:       map[string][]string{},
	}
	// The classes are read concurrently. A slow host can take seconds for each.
	reads := []func(context.Context, wmiquery.Reader) error{
		s.readService, s.readVMs, s.readRelationships, s.readSettings, s.readTestVMs, s.readAssociations,
	}
	errs := make([]error, len(reads))
	var wg sync.WaitGroup
	for i, read := range reads {
		wg.Go(func() { errs[i] = read(ctx, r) })
	}
	wg.Wait()
	if p := readProblem(errs...); p != nil {
		return nil, p
	}
	s.join()
	return s, nil
}

// readProblem returns the problem of the first error of a read, nil if all are nil.
func readProblem(errs ...error) *problem.Problem {
	for _, err := range errs {
		if p, ok := problem.FromError(err); ok {
			return p
		}
		if err != nil {
			return problem.FromHost("read", err)
		}
	}
	return nil
}

// AuthorizationEntries returns the authorization entries of the host. Invalid values are null.
func AuthorizationEntries(
	ctx context.Context, r wmiquery.Reader,
) ([]msvm.ReplicationAuthorizationSettingData, *problem.Problem) {
	if p := readProblem(new(Snapshot).readService(ctx, r)); p != nil { // without rights there are no entries
		return nil, p
	}
	entries, err := readRows[msvm.ReplicationAuthorizationSettingData](ctx, r)
	return entries.all, readProblem(err)
}

func (s *Snapshot) readService(ctx context.Context, r wmiquery.Reader) error {
	services, err := readRows[msvm.ReplicationService](ctx, r)
	switch {
	case err != nil:
		return err
	case len(services.all) > 0:
		s.Service = services.all[0]
		return nil
	}
	if err := services.checkUnreadable(); err != nil {
		return err
	}
	// Without rights Hyper-V returns no rows instead of an error.
	return problem.AsError(problem.New(problem.AccessDenied,
		"Hyper-V returns no objects: the account of the exporter has no rights, or the service vmms is not running"))
}

func (s *Snapshot) readVMs(ctx context.Context, r wmiquery.Reader) error {
	systems, err := readRows[msvm.ComputerSystem](ctx, r)
	for _, c := range systems.all {
		if !c.IsVM() {
			continue
		}
		id := strings.ToUpper(c.Name)
		if _, duplicate := s.vms[id]; duplicate {
			c = msvm.ComputerSystem{} // it is not known which one is right
		}
		s.vms[id] = c
	}
	return err
}

func (s *Snapshot) readRelationships(ctx context.Context, r wmiquery.Reader) error {
	rows, err := readRows[msvm.ReplicationRelationship](ctx, r)
	for _, row := range rows.all {
		key, err := msvm.ParseKey(row.InstanceID)
		if err != nil {
			continue
		}
		if _, duplicate := s.relationships[key]; duplicate {
			s.relationships[key] = nil
			continue
		}
		s.relationships[key] = &Relationship{Key: key, Row: row}
	}
	// Without a unique key no action can address the relationship.
	maps.DeleteFunc(s.relationships, func(_ msvm.Key, r *Relationship) bool { return r == nil })
	s.keys = slices.Collect(maps.Keys(s.relationships))
	slices.SortFunc(s.keys, func(a, b msvm.Key) int {
		return strings.Compare(a.VM+string(b.Link), b.VM+string(a.Link)) // primary before extended
	})
	return err
}

func (s *Snapshot) readSettings(ctx context.Context, r wmiquery.Reader) (err error) {
	s.settings, err = readRows[msvm.ReplicationSettingData](ctx, r)
	return err
}

// join adds the VMs, the settings and the associations to the relationships.
func (s *Snapshot) join() {
	for key, r := range s.relationships {
		r.VM = s.vms[key.VM]
	}
	for i, data := range s.settings.all {
		if key, err := msvm.ParseKey(data.InstanceID); err == nil && s.relationships[key] != nil {
			s.relationships[key].Settings = &data
			s.relationships[key].errSettings = s.settings.check(i)
		}
	}
	s.joinAssociations()
}

// VM returns the VM with a GUID in upper case. It returns false if the host has none.
func (s *Snapshot) VM(guid string) (msvm.ComputerSystem, bool) {
	vm, ok := s.vms[guid]
	return vm, ok
}

// Has reports whether the host has a relationship.
func (s *Snapshot) Has(key msvm.Key) bool { return s.relationships[key] != nil }

// Protection returns the relationships that replicate, and for each other VM one that does not: its primary one, or one
// that has only the key and the VM. It is sorted by VM, primary before extended.
func (s *Snapshot) Protection() []*Relationship {
	all := slices.DeleteFunc(s.Relationships(), func(r *Relationship) bool { return !r.Row.Replicates() })
	protected := map[string]bool{}
	for _, r := range all {
		protected[r.Key.VM] = true
	}
	for guid, vm := range s.vms {
		if protected[guid] {
			continue
		}
		key := msvm.Key{VM: guid, Link: msvm.Primary}
		all = append(all, cmp.Or(s.relationships[key], withoutRelationship(key, vm)))
	}
	slices.SortStableFunc(all, func(a, b *Relationship) int { return strings.Compare(a.Key.VM, b.Key.VM) })
	return all
}

// withoutRelationship returns the relationship of a VM for which the host shows none. Its state is disabled if the mode
// of the VM says so, too, and unknown otherwise.
func withoutRelationship(key msvm.Key, vm msvm.ComputerSystem) *Relationship {
	r := &Relationship{Key: key, VM: vm}
	if mode, known := vm.Mode(); known && (mode == msvm.ModeNone || mode == msvm.ModeTestReplica) {
		r.Row.ReplicationState = new(msvm.Disabled)
	}
	return r
}

// Relationships returns all relationships, sorted by VM, primary before extended.
func (s *Snapshot) Relationships() []*Relationship {
	all := make([]*Relationship, len(s.keys))
	for i, key := range s.keys {
		all[i] = s.relationships[key]
	}
	return all
}

// link returns one of the two relationships of a VM, nil if the host does not have it.
func (s *Snapshot) link(vm string, link msvm.Link) *Relationship {
	return s.relationships[msvm.Key{VM: vm, Link: link}]
}

// Find returns the relationship that a URL names by the GUID of the VM and the link. With the problem for a
// relationship that the host does not have, it returns a relationship with the key and the VM only. With the problem
// for a URL that is not valid it returns nil.
func (s *Snapshot) Find(vm, link string) (*Relationship, *problem.Problem) {
	key := msvm.Key{VM: strings.ToUpper(vm), Link: msvm.Link(link)}
	if !msvm.IsGUID(vm) || key.Link != msvm.Primary && key.Link != msvm.Extended {
		return nil, problem.New(problem.NotFound,
			"the URL of a relationship has the GUID of the VM, followed by primary or extended")
	}
	r := s.relationships[key]
	if r == nil {
		return &Relationship{Key: key, VM: s.vms[key.VM]},
			problem.New(problem.NotFound, "vm %s: no %s relationship on this host", key.VM, key.Link)
	}
	return r, nil
}

// findByInstanceID returns the relationship of a VM that JSON names by its InstanceID.
func (s *Snapshot) findByInstanceID(vm string, text json.RawMessage) (*Relationship, error) {
	var id string
	if err := json.Unmarshal(text, &id); err != nil {
		return nil, fmt.Errorf("InstanceID: %.40s is not a string", text)
	}
	key, err := msvm.ParseKey(id)
	if err != nil {
		return nil, err
	}
	if r := s.relationships[key]; r != nil && key.VM == vm {
		return r, nil
	}
	return nil, problem.AsError(problem.New(problem.NotFound, "vm %s: no relationship %.80q", vm, id))
}

// defaultLink returns the relationship that the host chooses for a call that names only the VM.
func (s *Snapshot) defaultLink(m msvm.Method, vm string) msvm.Link {
	mode, _ := s.vms[vm].Mode()
	if m.Name == msvm.MethodRevertFailover && mode == msvm.ModeReplica {
		inbound, outbound := s.link(vm, msvm.Primary), s.link(vm, msvm.Extended)
		if inbound != nil && !inbound.failedOver() && outbound.prepared() {
			return msvm.Extended
		}
	}
	return m.DefaultLink(mode)
}

// object returns the object that a method is called on: the VM, or one of the two services.
func (s *Snapshot) object(m msvm.Method, vm string) wmiquery.Ref {
	switch m.Class {
	case msvm.ClassComputerSystem:
		return msvm.VMRef(vm)
	case msvm.ClassShutdownComponent:
		return "" // see planInput
	case msvm.ClassVirtualSystemManagementService:
		return msvm.ManagementServiceRef(s.Service.SystemName)
	}
	return s.Service.Ref()
}

// age returns the seconds since a time of the host, nil if they are not known.
func (s *Snapshot) age(at *time.Time) *float64 {
	t, known := msvm.Known(at)
	if age, ok := msvm.Elapsed(t, s.Time); known && ok {
		return new(age.Seconds())
	}
	return nil
}

// TargetState returns the state of a relationship, without the pending bytes: those are part of the statistics.
func (s *Snapshot) TargetState(r *Relationship) TargetState {
	t := TargetState{State: r.State().String(), Mode: "unknown"}
	if mode, ok := r.VM.Mode(); ok {
		t.Mode = mode.String()
	}
	if r.Row.ReplicationHealth != nil {
		t.Health = r.Row.ReplicationHealth.String()
	}
	if r.Row.Replicates() {
		t.LagSeconds = s.age(r.Row.LastReplicationTime)
	}
	return t
}
