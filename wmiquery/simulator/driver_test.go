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

// vmDriver calls methods for one VM and checks what the hosts report about it.
type vmDriver struct {
	*testing.T
	world *simulator.World
	clock *clock
	hosts map[string]wmiquery.Session
	vm    string
}

// Indexes of VMs in a World that shows every situation. For those with an even index, simple changes
// start a job; for the others they complete at once.
const (
	healthy, healthyWithoutJobs, inbound, neverReplicated, newlyEnabled = 0, 3, 1, 4, 10
)

func newVMDriver(t *testing.T, vm int) *vmDriver {
	t.Helper()
	d := newDriver(t, simulator.Config{Seed: 1, VMs: 40})
	d.vm = vms(t, d.hosts["HV01"])[vm]
	return d
}

// states are the mode and the states of the VM on the three hosts, as numbers, such as "1[3] 2[3 0] -".
func (d *vmDriver) states() string {
	d.Helper()
	var all []string
	for _, h := range hosts {
		text := "-"
		for _, c := range read[msvm.ComputerSystem](d.T, d.hosts[h]) {
			if c.Name == d.vm {
				text = fmt.Sprintf("%d%d", *c.ReplicationMode, d.stateNumbers(h))
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func (d *vmDriver) rows(host string) []msvm.ReplicationRelationship {
	d.Helper()
	return slices.DeleteFunc(read[msvm.ReplicationRelationship](d.T, d.hosts[host]),
		func(r msvm.ReplicationRelationship) bool {
			return !strings.Contains(r.InstanceID, d.vm)
		})
}

func (d *vmDriver) stateNumbers(host string) []uint16 {
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

// params converts pairs of names and values to parameters.
func params(pairs ...any) (params []wmiquery.Param) {
	for i := 0; i < len(pairs); i += 2 {
		params = append(params, wmiquery.Param{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return params
}

// call calls a method of the replication service or of the VM. It adds the VM as ComputerSystem if the
// method has that parameter.
func (d *vmDriver) call(host, method string, pairs ...any) wmiquery.Reply {
	d.Helper()
	object := msvm.VMRef(d.vm)
	if m, ok := msvm.FindMethod("Msvm_ReplicationService", method); ok {
		object = read[msvm.ReplicationService](d.T, d.hosts[host])[0].Ref()
		if len(m.In) > 0 && m.In[0].Name == "ComputerSystem" {
			pairs = append(pairs, "ComputerSystem", msvm.VMRef(d.vm))
		}
	}
	return call(d.T, d.hosts[host], newCall(object, method, params(pairs...)...))
}

// requestState requests a state of the primary relationship, or of the given one.
func (d *vmDriver) requestState(host string, state uint16, relationship ...any) wmiquery.Reply {
	d.Helper()
	return d.call(host, msvm.MethodRequestReplicationStateChangeEx, append(relationship, "RequestedState", state)...)
}

// relationshipParam is a relationship of the VM as a parameter.
func (d *vmDriver) relationshipParam(l msvm.Link) []any {
	text, err := cimxml.Marshal("Msvm_ReplicationRelationship",
		msvm.ReplicationRelationship{InstanceID: msvm.Key{VM: d.vm, Link: l}.InstanceID()})
	if err != nil {
		d.Fatal(err)
	}
	return []any{"ReplicationRelationship", wmiquery.Embedded(text)}
}

// job is the row of a job. It returns false if there is none any more.
func (d *vmDriver) job(host string, path wmiquery.Ref) (msvm.ConcreteJob, bool) {
	d.Helper()
	for _, j := range read[msvm.ConcreteJob](d.T, d.hosts[host]) {
		if j.Ref() == path {
			return j, true
		}
	}
	return msvm.ConcreteJob{}, false
}

// runningJob is the type of the running job of the VM on a host, or 0.
func (d *vmDriver) runningJob(host string) msvm.JobType {
	d.Helper()
	var types []msvm.JobType
	for _, a := range read[msvm.AffectedJobElement](d.T, d.hosts[host]) {
		j, _ := d.job(host, a.AffectingElement)
		if msvm.VMOf(a.AffectedElement) == d.vm && *j.JobState == msvm.JobRunning {
			types = append(types, *j.JobType)
		}
	}
	if len(types) > 1 {
		d.Errorf("%d jobs are running on %s, want at most 1", len(types), host)
	}
	return append(types, 0)[0]
}

// waitForJob waits for the job that a method has started. It checks the type, the progress and the final
// state of the job.
func (d *vmDriver) waitForJob(
	where, host string, reply wmiquery.Reply, kind msvm.JobType, want msvm.JobState,
) msvm.ConcreteJob {
	d.Helper()
	if reply.Code != wmiquery.CodeJobStarted {
		d.Fatalf("%s: code %d, want a job", where, reply.Code)
	}
	for percent := uint16(0); ; d.clock.Advance(time.Second) {
		j, ok := d.job(host, reply.Job)
		if !ok || *j.JobType != kind {
			d.Fatalf("%s: job type is %v (job found: %v), want %s", where, j.JobType, ok, kind)
		}
		if *j.PercentComplete < percent || (*j.PercentComplete == 100) != j.JobState.Succeeded() {
			d.Errorf("%s: progress is %d percent after %d percent, in state %d", where, *j.PercentComplete, percent, *j.JobState)
		}
		percent = *j.PercentComplete
		if j.JobState.Done() {
			if *j.JobState != want {
				d.Errorf("%s: final job state is %d, want %d: %s", where, *j.JobState, want, msvm.StringOrEmpty(j.ErrorDescription))
			}
			return j
		}
	}
}

// wantCode checks the reply of a method that starts no job.
func (d *vmDriver) wantCode(where string, reply wmiquery.Reply, want uint32) {
	d.Helper()
	if reply.Code != want || reply.Job != "" {
		d.Errorf("%s: code %d, want %d", where, reply.Code, want)
	}
}

// checkJob checks the states of the VM while a job is running and after it has completed.
func (d *vmDriver) checkJob(where, host string, reply wmiquery.Reply, kind msvm.JobType, during, after string) {
	d.Helper()
	d.wantStates("during "+where, during)
	d.waitForJob(where, host, reply, kind, msvm.JobCompleted)
	d.wantStates("after "+where, after)
}

func (d *vmDriver) setPower(host string, on bool) {
	d.Helper()
	if err := d.world.SetPower(d.vm, host, on); err != nil {
		d.Error(err)
	}
}

// settingsParam is the settings of a relationship with a change, as a parameter.
func (d *vmDriver) settingsParam(host string, l msvm.Link, change func(*msvm.ReplicationSettingData)) []any {
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
	d.Fatalf("no settings of the VM on %s", host)
	return nil
}

// toServer changes settings to replicate to a host.
func toServer(host string) func(*msvm.ReplicationSettingData) {
	return func(s *msvm.ReplicationSettingData) {
		s.RecoveryConnectionPoint = new(host + ".contoso.com")
		s.AuthenticationType, s.RecoveryServerPortNumber = new(msvm.AuthenticationKerberos), new(uint16(80))
		s.ReplicationInterval = new(max(300, *s.ReplicationInterval))
		s.ApplicationConsistentSnapshotInterval = new(uint16(0))
	}
}

// recoveryPoints are the types of the recovery points of the VM on HV02, oldest first, and their paths.
func (d *vmDriver) recoveryPoints() (kinds []msvm.RecoveryPointType, paths []wmiquery.Ref) {
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
			d.Errorf("%s: settings and associations disagree whether %s is a recovery point", host, s.InstanceID)
		}
		if !ok || !of[s.Ref()] {
			continue
		}
		if *s.VirtualSystemIdentifier != d.vm || s.CreationTime.Before(last) {
			d.Errorf("%s: wrong VM or order of recovery point %+v", host, s)
		}
		last = *s.CreationTime
		kinds, paths = append(kinds, kind), append(paths, s.Ref())
	}
	return kinds, paths
}

// wantStartBlocked checks that the VM cannot be turned on.
func (d *vmDriver) wantStartBlocked(host string) {
	d.Helper()
	if err := d.world.SetPower(d.vm, host, true); !errors.Is(err, wmiquery.ErrInvalidState) {
		d.Errorf("turn on the VM on %s: error is %v, want %v", host, err, wmiquery.ErrInvalidState)
	}
}

// entryParam is an authorization entry as a parameter.
func entryParam(t *testing.T, server, folder string) []any {
	t.Helper()
	e := msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: &server}
	if folder != "" {
		e.ReplicaStorageLocation = &folder
	}
	return embeddedParam(t, "AuthorizationEntry", e)
}

// More indexes of VMs.
const (
	pausedOnPrimary, initialReplication, resyncRequired, critical = 6, 7, 8, 9
	pausedOnReplica, resynchronizing, prepared, slowLink          = 11, 12, 14, 5
)

// withHistory is the index of a VM like healthy that has recovery points.
func withHistory(t *testing.T) int {
	for vm := range 40 {
		d := newVMDriver(t, vm)
		if kinds, _ := d.recoveryPoints(); d.states() == "1[3] 2[3 0] -" && len(kinds) > 3 && vm%2 == 0 {
			return vm
		}
	}
	t.Fatal("no VM with recovery points")
	return 0
}

// embeddedParam is an instance as a parameter.
func embeddedParam(t *testing.T, name string, v wmiquery.Instance) []any {
	t.Helper()
	text, err := cimxml.Marshal(v.WMIClass().Name, v)
	if err != nil {
		t.Fatal(err)
	}
	return []any{name, wmiquery.Embedded(text)}
}
