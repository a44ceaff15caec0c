package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// hostView is what the host showed a moment ago. Nothing of it is kept for the
// next request: what acts looks again.
type hostView struct {
	now      time.Time // by the host's clock
	service  msvm.ReplicationService
	systems  map[string]msvm.ComputerSystem // VMs by GUID in upper case
	replicas map[msvm.Key]*replica
	order    []msvm.Key
	tests    map[string][]string // replica -> its test VMs
	rows     []msvm.ReplicationSettingData
}

// replica is a relationship with its VM and how it is set up.
type replica struct {
	key      msvm.Key
	row      msvm.ReplicationRelationship
	system   msvm.ComputerSystem
	settings *msvm.ReplicationSettingData // nil if the host shows none
}

// readHost reads what actions and the read model need.
func readHost(ctx context.Context, r wmiquery.Reader) (*hostView, *problem) {
	v := &hostView{
		now:      r.Now(),
		systems:  map[string]msvm.ComputerSystem{},
		replicas: map[msvm.Key]*replica{},
		tests:    map[string][]string{},
	}
	// Side by side: a sick host takes seconds for each. Who is kept waiting for one is
	// not kept waiting for the sum.
	reads := []func(context.Context, wmiquery.Reader) error{v.readService, v.readSystems, v.readRelationships, v.readSettings, v.readTests}
	errs := make([]error, len(reads))
	var all sync.WaitGroup
	for i, read := range reads {
		all.Go(func() { errs[i] = read(ctx, r) })
	}
	all.Wait()
	for _, err := range errs {
		if p, ok := errors.AsType[*problemError](err); ok {
			return nil, p.p
		}
		if err != nil {
			return nil, hostProblem("read", err)
		}
	}
	v.join()
	return v, nil
}

func (v *hostView) readService(ctx context.Context, r wmiquery.Reader) error {
	services, err := wmiquery.All[msvm.ReplicationService](ctx, r)
	if err == nil && len(services) == 0 { // Hyper-V shows nothing rather than deny
		return &problemError{refuse(kindHostDenied, "Hyper-V shows nothing at all: the account of this program has no rights, or the service vmms does not run")}
	}
	if err == nil {
		v.service = services[0]
	}
	return err
}

func (v *hostView) readSystems(ctx context.Context, r wmiquery.Reader) error {
	systems, err := wmiquery.All[msvm.ComputerSystem](ctx, r)
	for _, s := range systems {
		if s.IsVM() {
			v.systems[strings.ToUpper(s.Name)] = s
		}
	}
	return err
}

func (v *hostView) readRelationships(ctx context.Context, r wmiquery.Reader) error {
	rows, err := wmiquery.All[msvm.ReplicationRelationship](ctx, r)
	for _, row := range rows {
		key, err := msvm.ParseKey(row.InstanceID)
		if err != nil || v.replicas[key] != nil {
			continue // what cannot be told apart cannot be acted on
		}
		v.replicas[key] = &replica{key: key, row: row}
		v.order = append(v.order, key)
	}
	slices.SortFunc(v.order, func(a, b msvm.Key) int {
		return strings.Compare(a.VM+string(b.Link), b.VM+string(a.Link)) // primary before extended
	})
	return err
}

func (v *hostView) readSettings(ctx context.Context, r wmiquery.Reader) (err error) {
	v.rows, err = wmiquery.All[msvm.ReplicationSettingData](ctx, r)
	return err
}

// join gives the relationships their VMs and their settings.
func (v *hostView) join() {
	for key, r := range v.replicas {
		r.system = v.systems[key.VM]
	}
	for _, s := range v.rows {
		if key, err := msvm.ParseKey(s.InstanceID); err == nil && v.replicas[key] != nil {
			v.replicas[key].settings = &s
		}
	}
}

func (v *hostView) readTests(ctx context.Context, r wmiquery.Reader) error {
	rows, err := wmiquery.All[msvm.ReplicaSystemDependency](ctx, r)
	for _, d := range rows {
		if of, test := msvm.VMOf(d.Antecedent), msvm.VMOf(d.Dependent); of != "" && test != "" {
			v.tests[of] = append(v.tests[of], test)
		}
	}
	return err
}

// find is the relationship that a path of the API names.
func (v *hostView) find(vm, link string) (*replica, *problem) {
	key := msvm.Key{VM: strings.ToUpper(vm), Link: msvm.Link(link)}
	if !msvm.IsGUID(vm) || key.Link != msvm.Primary && key.Link != msvm.Extended {
		return nil, refuse(kindNotFound, "a relationship is named by the GUID of its VM, and primary or extended")
	}
	r := v.replicas[key]
	if r == nil {
		return nil, refuse(kindNotFound, "this host has no %s relationship of the VM %s", key.Link, key.VM)
	}
	return r, nil
}

// name is the VM's name, "" if it is not known.
func (r *replica) name() string { return msvm.StringOrEmpty(r.system.ElementName) }

// state is the relationship's state; unknown for null.
func (r *replica) state() msvm.ReplicationState {
	if r.row.ReplicationState == nil {
		return msvm.StateUnknown
	}
	return *r.row.ReplicationState
}

// mode is the VM's mode, false if it is not known.
func (r *replica) mode() (msvm.ReplicationMode, bool) { return modeOf(r.system) }

func modeOf(s msvm.ComputerSystem) (msvm.ReplicationMode, bool) {
	if s.ReplicationMode == nil {
		return 0, false
	}
	return *s.ReplicationMode, true
}

// sends tells whether this host is the sending side.
func (r *replica) sends() bool {
	mode, ok := r.mode()
	return ok && r.key.Sends(mode)
}

// seen is the target as it was before a call.
type seen struct {
	State  string `json:"state"`
	Mode   string `json:"mode"`
	Health string `json:"health,omitempty"`
	loss
}

// loss is what would be lost if the sending side were gone now, as far as this
// host knows; null is not known.
type loss struct {
	// LagSeconds is the time since the last replication; in what is planned, since
	// the recovery point that is gone back to.
	LagSeconds *float64 `json:"lag_seconds"`
	// PendingBytes is known on the sending side only.
	PendingBytes *uint64 `json:"pending_bytes"`
}

// clockSlack is how far in the future a time of the host may be; one that is further
// was taken by another clock, and tells nothing.
const clockSlack = 10 * time.Second

// age is how long ago a time was, nil if that is not known.
func (v *hostView) age(at *time.Time) *float64 {
	t, ok := msvm.Known(at)
	if age := v.now.Sub(t); ok && age >= -clockSlack {
		return new(max(0, age.Seconds()))
	}
	return nil
}

// see is what there is to see without asking for statistics.
func (v *hostView) see(r *replica) seen {
	s := seen{State: r.state().String(), Mode: "unknown"}
	if mode, ok := r.mode(); ok {
		s.Mode = mode.String()
	}
	if r.row.ReplicationHealth != nil {
		s.Health = r.row.ReplicationHealth.String()
	}
	if r.row.Replicates() {
		s.LagSeconds = v.age(r.row.LastReplicationTime)
	}
	return s
}

// goneBack is what would be lost by going back to an older recovery point.
func (v *hostView) goneBack(s *seen, to *msvm.VirtualSystemSettingData) {
	age := v.age(to.CreationTime)
	if age == nil || s.LagSeconds == nil {
		s.LagSeconds = nil
		return
	}
	s.LagSeconds = new(max(*s.LagSeconds, *age))
}

// figures are the statistics of a relationship and what is wrong with it.
type figures struct {
	stats  *msvm.ReplicationStatistics
	issues []msvm.Error
	err    error // why there are none
}

// statisticsTimeout is short: they hang when the host at the other end is dead, and
// that must not keep anybody from acting.
const statisticsTimeout = 5 * time.Second

// statistics asks for the figures of a relationship that replicates.
func (v *hostView) statistics(ctx context.Context, reader wmiquery.Reader, r *replica) figures {
	if !r.row.Replicates() {
		return figures{}
	}
	ctx, cancel := context.WithTimeout(ctx, statisticsTimeout)
	defer cancel()
	call, err := msvm.GetReplicationStatistics(v.service, r.key, r.row)
	if err != nil {
		return figures{err: err}
	}
	reply, err := reader.Get(ctx, call)
	if err != nil {
		return figures{err: err}
	}
	stats, issues, err := msvm.Statistics(reply)
	if err != nil {
		return figures{err: err}
	}
	return figures{stats: &stats, issues: issues}
}

// pending is what is not sent yet, nil where that is not known.
func (f figures) pending(r *replica) *uint64 {
	if f.stats == nil || !r.sends() {
		return nil
	}
	return f.stats.PendingReplicationSize
}
