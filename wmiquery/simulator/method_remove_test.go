package simulator_test

import (
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// RemoveReplicationRelationshipEx acts on one host. That the other side is in an error state at its next cycle is
// inferred.
func TestOtherSideAfterRemoval(t *testing.T) {
	for _, tt := range []struct {
		name string
		vm   int
		host string
		want string
	}{
		{"on the replica", healthy, "HV02", "1[8] 0[0] -"},
		{"on the primary", healthy, "HV01", "0[0] 2[8 0] -"},
		{"on the replica while resynchronizing", resynchronizing, "HV02", "1[9] 0[0] -"},
		{"on the replica while the resynchronization is paused", resyncSuspended, "HV02", "1[11] 0[0] -"},
		{"on the replica while paused", pausedOnPrimary, "HV02", "1[7] 0[0] -"},
		{"on the replica before the initial replication", newlyEnabled, "HV02", "1[1] 0[0] -"},
		{"on the primary before the initial replication", newlyEnabled, "HV01", "0[0] 2[2 0] -"},
	} {
		d := newVMDriver(t, tt.vm)
		d.do(tt.host, withRelationship("RemoveReplicationRelationshipEx", msvm.Primary))
		d.clock.Advance(16 * time.Minute)
		d.wantStates(tt.name, tt.want)
	}
}

// The removal of a relationship ends its transfer and its scheduled start, and removes what belongs to it.
func TestRemovalEndsJobs(t *testing.T) {
	remove := withRelationship("RemoveReplicationRelationshipEx", msvm.Primary)
	jobState := func(d *vmDriver, job wmiquery.Ref) uint16 {
		j, ok := d.job("HV01", job)
		if !ok {
			t.Fatal("the job does not exist")
		}
		return uint16(*j.JobState)
	}
	d := newVMDriver(t, resyncRequired)
	resync := d.call("HV01", "Resynchronize")
	removal := remove(d, "HV01")
	if got := jobState(d, resync.Job); got != 8 {
		t.Errorf("state of the resynchronization is %d, want 8", got)
	}
	d.finish("HV01", removal)
	d.wantStates("removed while resynchronizing", "0[0] 2[10 0] -")

	d = newVMDriver(t, newlyEnabled)
	start := d.call("HV01", "StartReplication", "InitialReplicationType", uint16(1),
		"StartTime", d.clock.Now().Add(time.Hour))
	d.do("HV01", remove)
	if got := jobState(d, start.Job); got != 8 {
		t.Errorf("state of the scheduled start is %d, want 8", got)
	}
	d.clock.Advance(2 * time.Hour)
	d.wantStates("removed while a start was scheduled", "0[0] 2[2 0] -")

	d = newVMDriver(t, newlyEnabled)
	start = d.call("HV01", "StartReplication", "InitialReplicationType", uint16(1),
		"StartTime", d.clock.Now().Add(time.Hour))
	d.do("HV02", remove)
	if got := jobState(d, start.Job); got != 2 {
		t.Errorf("state of the scheduled start after the removal of the replica is %d, want 2", got)
	}
	d.clock.Advance(time.Hour)
	if got := jobState(d, start.Job); got != 10 {
		t.Errorf("state of the start without a replica is %d, want 10", got)
	}
	d.wantStates("start without a replica", "1[1] 0[0] -")

	d = newVMDriver(t, healthy)
	adapters := func() (n int) {
		for _, c := range read[msvm.EthernetPortFailoverSettingDataComponent](t, d.hosts["HV02"]) {
			if msvm.VMOf(c.GroupComponent) == d.vm {
				n++
			}
		}
		return n
	}
	before := adapters()
	d.do("HV02", remove)
	if before != 1 || adapters() != 0 {
		t.Errorf("%d adapters have a failover configuration before the removal and %d after it, want 1 and 0",
			before, adapters())
	}
	if s := d.settings("HV02"); s.RecoveryConnectionPoint != nil || *s.RecoveryServerPortNumber != 0 {
		t.Errorf("settings after the removal are %+v, want defaults", s)
	}
}

// A relationship that was removed on one side can be created again only with a VM that was made a replica, or with a
// replica that never replicated.
func TestCreateAgain(t *testing.T) {
	create := withSettings("CreateReplicationRelationship", msvm.Primary, toServer("HV02"))
	d := newVMDriver(t, healthy)
	d.do("HV01", withRelationship("RemoveReplicationRelationshipEx", msvm.Primary))
	d.wantFailedJob("replica that has replicated", "HV01", create, 32768)
	d.wantStates("afterwards", "0[0] 2[3 0] -")

	d = newVMDriver(t, newlyEnabled)
	d.do("HV01", withRelationship("RemoveReplicationRelationshipEx", msvm.Primary), create)
	d.wantStates("replica that never replicated", "1[1] 2[2 0] -")

	d = newVMDriver(t, neverReplicated)
	for _, server := range []string{"HV01", "HV09", "HV02.fabrikam.com"} {
		d.wantFailedJob("unknown server", "HV01", withSettings("CreateReplicationRelationship", msvm.Primary,
			func(s *msvm.ReplicationSettingData) { toServer("HV02")(s); s.RecoveryConnectionPoint = &server }), 32768)
	}
	d.wantStates("unknown servers", "0[0] - -")
	d.wantCode("make a running VM a replica", d.requestState("HV01", 2), 32775)
	d.wantStates("running VM", "0[0] - -")
	d.setPower("HV01", false)
	d.do("HV01", request(2))
	d.wantStates("VM that is off", "2[2 0] - -")
	if s := d.settings("HV01"); s.PrimaryHostSystem != nil || s.PrimaryConnectionPoint != nil {
		t.Errorf("settings of a replica without a primary are %+v", s)
	}
	d.wantCode("make it a replica again", d.requestState("HV01", 2), 32775)
	if err := d.world.Invariants(); err != nil {
		t.Error(err)
	}
}

// The extended relationship must be removed first (Q36). A removed extended replica does not become a replica when
// its sender becomes the primary.
func TestRemoveExtendedRelationship(t *testing.T) {
	remove := func(l msvm.Link) step { return withRelationship("RemoveReplicationRelationshipEx", l) }
	d := extended(t)
	d.wantCode("primary relationship first", remove(msvm.Primary)(d, "HV02"), 32775)
	d.wantCode("with the deprecated method", d.call("HV02", "RemoveReplicationRelationship"), 32775)
	d.do("HV02", remove(msvm.Extended))
	d.wantStates("extended relationship removed", "1[3] 2[3 0] 4[3]")
	d.wantCode("become primary without it",
		d.call("HV02", "ChangeReplicationModeToPrimary", d.relationshipParam(msvm.Extended)...), 32775)
	d.do("HV02", remove(msvm.Primary))
	d.wantStates("both removed", "1[3] 0[0] 4[3]")

	d = extended(t)
	d.setPower("HV01", false)
	d.do("HV03", remove(msvm.Primary))
	d.do("HV02", method("InitiateFailover"), method("CommitFailover"),
		withRelationship("ChangeReplicationModeToPrimary", msvm.Extended))
	if got := d.states()[5:]; got != "1[3] 0[0]" && got != "1[8] 0[0]" {
		t.Errorf("states are %s, want a primary without a replica", got)
	}
	if err := d.world.Invariants(); err != nil {
		t.Error(err)
	}
}
