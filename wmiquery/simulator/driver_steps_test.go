package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// step is a call of a method for the VM on a host.
type step func(d *vmDriver, host string) wmiquery.Reply

// method calls a method with parameters.
func method(name string, pairs ...any) step {
	return func(d *vmDriver, host string) wmiquery.Reply { return d.call(host, name, pairs...) }
}

// request requests a state of the primary relationship.
func request(state uint16) step {
	return func(d *vmDriver, host string) wmiquery.Reply { return d.requestState(host, state) }
}

// requestExtended requests a state of the extended relationship.
func requestExtended(state uint16) step {
	return func(d *vmDriver, host string) wmiquery.Reply {
		return d.requestState(host, state, d.relationshipParam(msvm.Extended)...)
	}
}

// withRelationship calls a method for a relationship.
func withRelationship(name string, l msvm.Link) step {
	return func(d *vmDriver, host string) wmiquery.Reply { return d.call(host, name, d.relationshipParam(l)...) }
}

// withSettings calls a method with the settings of a relationship and a change.
func withSettings(name string, l msvm.Link, change func(*msvm.ReplicationSettingData)) step {
	return func(d *vmDriver, host string) wmiquery.Reply {
		d.Helper()
		return d.call(host, name, d.settingsParam(host, l, change)...)
	}
}

// start starts an initial replication of a type.
func start(kind uint16, more ...any) step {
	return method("StartReplication", append(more, "InitialReplicationType", kind)...)
}

// modify changes the settings of the primary relationship.
func modify(change func(*msvm.ReplicationSettingData)) step {
	return withSettings("ModifyReplicationSettings", msvm.Primary, change)
}

// setDisks changes the disks that are replicated.
func setDisks(disks ...string) step {
	return modify(func(s *msvm.ReplicationSettingData) { s.IncludedDisks = disks })
}

// extend extends the replication of the replica on HV02 to HV03.
func extend() step {
	return withSettings("CreateReplicationRelationship", msvm.Extended, toServer("HV03"))
}

// reverseTo reverses replication. The new replica server is the given host.
func reverseTo(server string) step {
	return withSettings("ReverseReplicationRelationship", msvm.Primary, toServer(server))
}

// finish waits for the job that a method has started and returns its final state. Long jobs are read every ten
// seconds.
func (d *vmDriver) finish(host string, reply wmiquery.Reply) msvm.ConcreteJob {
	d.Helper()
	if reply.Code != 4096 {
		d.Fatalf("code %d, want a job", reply.Code)
	}
	for n := 0; ; n++ {
		j, ok := d.job(host, reply.Job)
		if !ok {
			d.Fatalf("job %s does not exist", reply.Job)
		}
		if s := *j.JobState; s >= 7 {
			return j
		}
		if n < 60 {
			d.clock.Advance(time.Second)
		} else {
			d.clock.Advance(10 * time.Second)
		}
	}
}

// do runs steps on a host, one after the other. Each must complete.
func (d *vmDriver) do(host string, steps ...step) {
	d.Helper()
	for i, s := range steps {
		reply := s(d, host)
		if reply.Code == 0 {
			continue
		}
		if j := d.finish(host, reply); *j.JobState != 7 {
			d.Fatalf("step %d on %s: job state is %d: %s", i, host, *j.JobState, msvm.StringOrEmpty(j.ErrorDescription))
		}
	}
}

// wantFailedJob checks that a call starts a job that fails with a code.
func (d *vmDriver) wantFailedJob(where, host string, s step, code uint16) {
	d.Helper()
	if j := d.finish(host, s(d, host)); *j.JobState != 10 || *j.ErrorCode != code {
		d.Errorf("%s: job state is %d with ErrorCode %d, want 10 with %d", where, *j.JobState, *j.ErrorCode, code)
	}
}

// extended is a driver for a VM that replicates to HV02, and from there to HV03.
func extended(t *testing.T) *vmDriver {
	t.Helper()
	d := newVMDriver(t, healthy)
	d.do("HV02", extend(), start(1))
	d.clock.Advance(2 * time.Hour)
	d.wantStates("extended", "1[3] 2[3 3] 4[3]")
	return d
}

// newSingleVMDriver is a driver for the only VM of a World. It replicates from HV01 to HV02.
func newSingleVMDriver(t *testing.T) *vmDriver {
	t.Helper()
	return newDriver(t, simulator.Config{Seed: 1, VMs: 1})
}

// newOutageDriver is a driver for the only VM of a World in which the network has been down for 45 minutes.
func newOutageDriver(t *testing.T) *vmDriver {
	t.Helper()
	return newDriver(t, simulator.Config{VMs: 1, Seed: 5, Scenario: "wan-outage"})
}

// newDriver is a driver for the first VM of a World.
func newDriver(t *testing.T, config simulator.Config) *vmDriver {
	t.Helper()
	w, c := newWorld(t, config)
	d := &vmDriver{t, w, c, map[string]wmiquery.Session{}, ""}
	for _, h := range hosts {
		d.hosts[h] = open(t, w, h)
	}
	d.vm = vms(t, d.hosts["HV01"])[0]
	return d
}

// statistics are the statistics of the primary relationship on a host.
func (d *vmDriver) statistics(host string) msvm.ReplicationStatistics {
	d.Helper()
	return relationships(d.T, d.hosts[host], d.vm)[0].stats
}

// testReplica is the GUID of the test replica that a job on HV02 has created, or "" if there is none.
func (d *vmDriver) testReplica(job wmiquery.Ref) string {
	d.Helper()
	for _, a := range read[msvm.AffectedJobElement](d.T, d.hosts["HV02"]) {
		if id := msvm.VMOf(a.AffectedElement); a.AffectingElement == job && id != d.vm {
			return id
		}
	}
	return ""
}

// settings are the settings of the primary relationship on a host.
func (d *vmDriver) settings(host string) msvm.ReplicationSettingData {
	d.Helper()
	for _, s := range read[msvm.ReplicationSettingData](d.T, d.hosts[host]) {
		if s.InstanceID == (msvm.Key{VM: d.vm, Link: msvm.Primary}).InstanceID() {
			return s
		}
	}
	d.Fatalf("no settings of the VM on %s", host)
	return msvm.ReplicationSettingData{}
}
