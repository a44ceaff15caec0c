package simulator_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// drill is a VM that a test does things to, on all hosts.
type vmDriver struct {
	*testing.T
	world *simulator.World
	clock *clock
	hosts map[string]wmiquery.Session
	vm    string
}

// VMs of a world that shows every situation, by position: those with an even one
// start jobs where others are done at once.
const (
	healthy, healthyOdd, inbound, alone, freshlyEnabled = 0, 3, 1, 4, 10
	withExtension, withTest                             = 18, 19
)

func newVMDriver(t *testing.T, vm int) *vmDriver {
	t.Helper()
	w, c := newWorld(t, simulator.Config{Seed: 1, VMs: 40})
	d := &vmDriver{t, w, c, map[string]wmiquery.Session{}, ""}
	for _, h := range hosts {
		d.hosts[h] = open(t, w, h)
	}
	d.vm = vms(t, d.hosts["HV01"])[vm]
	return d
}

// states are modes and states of the VM on the three hosts, in the numbers of
// WMI, as 1[3] 2[3 0] -.
func (d *vmDriver) states() string {
	d.Helper()
	var all []string
	for _, h := range hosts {
		text := "-"
		for _, c := range read[msvm.ComputerSystem](d.T, d.hosts[h]) {
			if c.Name == d.vm {
				text = fmt.Sprintf("%d%d", *c.ReplicationMode, d.numbers(h))
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func (d *vmDriver) rows(host string) []msvm.ReplicationRelationship {
	d.Helper()
	return slices.DeleteFunc(read[msvm.ReplicationRelationship](d.T, d.hosts[host]), func(r msvm.ReplicationRelationship) bool {
		return !strings.Contains(r.InstanceID, d.vm)
	})
}

func (d *vmDriver) numbers(host string) []uint16 {
	var numbers []uint16
	for _, r := range d.rows(host) {
		numbers = append(numbers, uint16(*r.ReplicationState))
	}
	return numbers
}

func (d *vmDriver) wantStates(where, want string) {
	d.Helper()
	if got := d.states(); got != want {
		d.Errorf("%s: states are %s, want %s", where, got, want)
	}
}

// in is parameters, in pairs of names and values.
func in(pairs ...any) (params []wmiquery.Param) {
	for i := 0; i < len(pairs); i += 2 {
		params = append(params, wmiquery.Param{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return params
}

// call calls a method of the service, or of the VM, with the VM as ComputerSystem
// if there is such a parameter.
func (d *vmDriver) call(host, method string, pairs ...any) wmiquery.Reply {
	d.Helper()
	object := msvm.VMRef(d.vm)
	if m, ok := msvm.FindMethod("Msvm_ReplicationService", method); ok {
		object = read[msvm.ReplicationService](d.T, d.hosts[host])[0].Ref()
		if len(m.In) > 0 && m.In[0].Name == "ComputerSystem" {
			pairs = append(pairs, "ComputerSystem", msvm.VMRef(d.vm))
		}
	}
	return call(d.T, d.hosts[host], newCall(object, method, in(pairs...)...))
}

// request asks for a state of the primary relationship, or of another.
func (d *vmDriver) request(host string, state uint16, relationship ...any) wmiquery.Reply {
	d.Helper()
	return d.call(host, msvm.MethodRequestReplicationStateChangeEx, append(relationship, "RequestedState", state)...)
}

// link is a relationship as a parameter.
func (d *vmDriver) link(l msvm.Link) []any {
	text, err := cimxml.Marshal("Msvm_ReplicationRelationship", msvm.ReplicationRelationship{InstanceID: msvm.Key{VM: d.vm, Link: l}.InstanceID()})
	if err != nil {
		d.Fatal(err)
	}
	return []any{"ReplicationRelationship", wmiquery.Embedded(text)}
}

// job is the row of a job, false when it is gone.
func (d *vmDriver) job(host string, path wmiquery.Ref) (msvm.ConcreteJob, bool) {
	d.Helper()
	for _, j := range read[msvm.ConcreteJob](d.T, d.hosts[host]) {
		if j.Ref() == path {
			return j, true
		}
	}
	return msvm.ConcreteJob{}, false
}

// jobOf is the type of the job about the VM on a host that runs, 0 if none does.
func (d *vmDriver) jobOf(host string) msvm.JobType {
	d.Helper()
	var types []msvm.JobType
	for _, a := range read[msvm.AffectedJobElement](d.T, d.hosts[host]) {
		j, _ := d.job(host, a.AffectingElement)
		if msvm.VMOf(a.AffectedElement) == d.vm && *j.JobState == msvm.JobRunning {
			types = append(types, *j.JobType)
		}
	}
	if len(types) > 1 {
		d.Errorf("%d jobs run on %s", len(types), host)
	}
	return append(types, 0)[0]
}

// finish waits for the job that a method started, if it did: it must be of a type
// and end in a state.
func (d *vmDriver) finish(where, host string, reply wmiquery.Reply, kind msvm.JobType, want msvm.JobState) msvm.ConcreteJob {
	d.Helper()
	if reply.Code != wmiquery.CodeJobStarted {
		d.Fatalf("%s: code %d", where, reply.Code)
	}
	for percent := uint16(0); ; d.clock.Advance(time.Second) {
		j, ok := d.job(host, reply.Job)
		if !ok || *j.JobType != kind {
			d.Fatalf("%s: the job is %v, %v", where, j.JobType, ok)
		}
		if *j.PercentComplete < percent || (*j.PercentComplete == 100) != j.JobState.Succeeded() {
			d.Errorf("%s: %d percent after %d, in state %d", where, *j.PercentComplete, percent, *j.JobState)
		}
		percent = *j.PercentComplete
		if j.JobState.Done() {
			if *j.JobState != want {
				d.Errorf("%s: the job ends in %d: %s", where, *j.JobState, msvm.StringOrEmpty(j.ErrorDescription))
			}
			return j
		}
	}
}

// code checks an answer that starts no job.
func (d *vmDriver) code(where string, reply wmiquery.Reply, want uint32) {
	d.Helper()
	if reply.Code != want || reply.Job != "" {
		d.Errorf("%s: code %d, want %d", where, reply.Code, want)
	}
}

// does checks a call from its answer to its end: what shows while the job runs,
// and afterwards. None lasts: during is after.
func (d *vmDriver) does(where, host string, reply wmiquery.Reply, kind msvm.JobType, during, after string) {
	d.Helper()
	d.wantStates("during "+where, during)
	d.finish(where, host, reply, kind, msvm.JobCompleted)
	d.wantStates("after "+where, after)
}

func (d *vmDriver) power(host string, on bool) {
	d.Helper()
	if err := d.world.SetPower(d.vm, host, on); err != nil {
		d.Error(err)
	}
}

// settings are those of a relationship, changed, as a parameter.
func (d *vmDriver) settings(host string, l msvm.Link, change func(*msvm.ReplicationSettingData)) []any {
	d.Helper()
	for _, s := range read[msvm.ReplicationSettingData](d.T, d.hosts[host]) {
		if s.InstanceID == (msvm.Key{VM: d.vm, Link: l}).InstanceID() {
			change(&s)
			text, err := cimxml.Marshal("Msvm_ReplicationSettingData", s)
			if err != nil {
				d.Fatal(err)
			}
			return []any{"ReplicationSettingData", wmiquery.Embedded(text)}
		}
	}
	d.Fatalf("%s has no settings", host)
	return nil
}

// to is settings that name a replica server.
func to(host string) func(*msvm.ReplicationSettingData) {
	return func(s *msvm.ReplicationSettingData) {
		s.RecoveryConnectionPoint = new(host + ".contoso.com")
		s.AuthenticationType, s.RecoveryServerPortNumber = new(msvm.AuthenticationKerberos), new(uint16(80))
		s.ReplicationInterval = new(max(300, *s.ReplicationInterval))
		s.ApplicationConsistentSnapshotInterval = new(uint16(0))
	}
}

// points are the kinds of the VM's recovery points on HV02, the oldest first, with
// their paths.
func (d *vmDriver) points() (kinds []msvm.RecoveryPointType, paths []wmiquery.Ref) {
	d.Helper()
	const host = "HV02"
	of := map[wmiquery.Ref]bool{}
	for _, s := range read[msvm.SnapshotOfVirtualSystem](d.T, d.hosts[host]) {
		of[s.Dependent] = msvm.VMOf(s.Antecedent) == d.vm
	}
	last := time.Time{}
	for _, s := range read[msvm.VirtualSystemSettingData](d.T, d.hosts[host]) {
		kind, ok := s.RecoveryPoint()
		if _, associated := of[s.Ref()]; ok != associated {
			d.Errorf("%s: a point and an association disagree about %s", host, s.InstanceID)
		}
		if !ok || !of[s.Ref()] {
			continue
		}
		if *s.VirtualSystemIdentifier != d.vm || s.CreationTime.Before(last) {
			d.Errorf("%s: a recovery point is %+v", host, s)
		}
		last = *s.CreationTime
		kinds, paths = append(kinds, kind), append(paths, s.Ref())
	}
	return kinds, paths
}

// locked checks that a VM cannot be turned on.
func (d *vmDriver) locked(host string) {
	d.Helper()
	if err := d.world.SetPower(d.vm, host, true); !errors.Is(err, wmiquery.ErrInvalidState) {
		d.Errorf("turning it on on %s: %v", host, err)
	}
}

// entry is an authorization entry as a parameter.
func entry(t *testing.T, server, folder string) []any {
	t.Helper()
	e := msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: &server}
	if folder != "" {
		e.ReplicaStorageLocation = &folder
	}
	return embeddedParam(t, "AuthorizationEntry", e)
}

// VMs of a world that shows every situation, by position.
const (
	pausedOnPrimary, initialReplication, resyncRequired, critical = 6, 7, 8, 9
	pausedOnReplica, resynchronizing, prepared, slowLink          = 11, 12, 14, 5
)

// withHistory is a VM like healthy that has recovery points.
func withHistory(t *testing.T) int {
	for vm := range 40 {
		d := newVMDriver(t, vm)
		if kinds, _ := d.points(); d.states() == "1[3] 2[3 0] -" && len(kinds) > 3 && vm%2 == 0 {
			return vm
		}
	}
	t.Fatal("no VM has recovery points")
	return 0
}

// embedded is an instance as a parameter.
func embeddedParam(t *testing.T, name string, v wmiquery.Instance) []any {
	t.Helper()
	text, err := cimxml.Marshal(v.WMIClass().Name, v)
	if err != nil {
		t.Fatal(err)
	}
	return []any{name, wmiquery.Embedded(text)}
}
