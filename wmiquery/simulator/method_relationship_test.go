package simulator_test

import (
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A relationship is removed on one host (Q36), and the other side enters an error state. The VM on the
// replica server can be made a replica again.
func TestRemoveAndRecreateRelationship(t *testing.T) {
	d := newVMDriver(t, healthy)
	remove := func(host string) wmiquery.Reply {
		return d.call(host, "RemoveReplicationRelationshipEx", d.relationshipParam(msvm.Primary)...)
	}
	settings := d.settingsParam("HV01", msvm.Primary, toServer("HV02"))
	d.checkJob("remove", "HV02", remove("HV02"), msvm.JobRemoveRelationship, "1[3] 2[3 0] -", "1[3] 0[0] -")
	d.wantCode("remove again", remove("HV02"), wmiquery.CodeInvalidState)
	d.clock.Advance(6 * time.Minute)
	d.wantStates("removed on one host", "1[8] 0[0] -")
	if j := d.waitForJob("resume without a replica", "HV01", d.requestState("HV01", 3), msvm.JobStateChange,
		msvm.JobException); j.ErrorDescription == nil {
		t.Error("the failed job has no ErrorDescription")
	}
	d.checkJob("remove", "HV01", d.call("HV01", "RemoveReplicationRelationship"), msvm.JobRemoveRelationship,
		"1[8] 0[0] -", "0[0] 0[0] -")

	create := d.call("HV01", "CreateReplicationRelationship", settings...)
	d.waitForJob("create with an existing VM on the replica server", "HV01", create, msvm.JobCreateRelationship,
		msvm.JobException)
	d.checkJob("make the VM a replica", "HV02", d.requestState("HV02", 2), msvm.JobStateChange,
		"0[0] 2[2 0] -", "0[0] 2[2 0] -")
	d.checkJob("create", "HV01", d.call("HV01", "CreateReplicationRelationship", settings...), msvm.JobCreateRelationship,
		"0[0] 2[2 0] -", "1[1] 2[2 0] -")
	start := d.call("HV01", "StartReplication", "InitialReplicationType", uint16(3))
	d.checkJob("start", "HV01", start, msvm.JobStartResynchronizingInitialReplication, "1[2] 2[2 0] -", "1[2] 2[2 0] -")
	d.clock.Advance(time.Hour)
	d.wantStates("after an hour", "1[3] 2[3 0] -")
}

// Settings can be changed, including the number of recovery points. A change of the disks has states of
// its own and can fail.
func TestModifySettings(t *testing.T) {
	d := newVMDriver(t, withHistory(t))
	modify := func(change func(*msvm.ReplicationSettingData)) wmiquery.Reply {
		return d.call("HV01", "ModifyReplicationSettings", d.settingsParam("HV01", msvm.Primary, change)...)
	}
	for _, change := range []func(*msvm.ReplicationSettingData){
		func(s *msvm.ReplicationSettingData) { s.ReplicationInterval = new(uint16(60)) },
		func(s *msvm.ReplicationSettingData) { s.RecoveryHistory = new(uint16(25)) },
		func(s *msvm.ReplicationSettingData) { s.ApplicationConsistentSnapshotInterval = new(uint16(13)) },
		func(s *msvm.ReplicationSettingData) { s.AuthenticationType = new(msvm.AuthenticationBoth) },
		func(s *msvm.ReplicationSettingData) { s.RecoveryConnectionPoint = new("") },
	} {
		d.wantCode("invalid settings", modify(change), wmiquery.CodeInvalidParam)
	}
	d.waitForJob("another server", "HV01", modify(toServer("HV03")), msvm.JobModifyRelationship, msvm.JobException)
	fewer := func(s *msvm.ReplicationSettingData) {
		s.RecoveryHistory, s.ReplicationInterval = new(uint16(2)), new(uint16(900))
	}
	_, before := d.recoveryPoints()
	d.checkJob("modify", "HV01", modify(fewer), msvm.JobModifyRelationship, "1[3] 2[3 0] -", "1[3] 2[3 0] -")
	if _, after := d.recoveryPoints(); !slices.Equal(after, before[len(before)-2:]) {
		t.Errorf("recovery points are %v, want the last two of %v", after, before)
	}
	key := msvm.Key{VM: d.vm, Link: msvm.Primary}
	was, _ := d.world.Totals(key)
	d.clock.Advance(3 * time.Hour)
	if is, _ := d.world.Totals(key); is.Cycles+is.Missed-was.Cycles-was.Missed > 13 {
		t.Errorf("%d cycles in three hours, want at most 13", is.Cycles-was.Cycles)
	}
	if _, after := d.recoveryPoints(); len(after) != 2 {
		t.Errorf("recovery points are %v, want 2", after)
	}

	disks := func(s *msvm.ReplicationSettingData) { s.IncludedDisks = []string{"one", "other"} }
	d.do("HV01", request(7))
	d.wantCode("change the disks while paused", modify(disks), 32775)
	d.do("HV01", request(3))
	d.checkJob("change the disks", "HV01", modify(disks), msvm.JobUpdateDiskSet, "1[15] 2[15 0] -", "1[3] 2[3 0] -")
	other := func(s *msvm.ReplicationSettingData) { s.IncludedDisks = []string{"one"} }
	d.world.SetFaults(parseFaults(t, "job-failing"))
	d.waitForJob("failing change of the disks", "HV01", modify(other), msvm.JobUpdateDiskSet, msvm.JobException)
	d.wantStates("after it failed", "1[16] 2[16 0] -")
	d.world.SetFaults(parseFaults(t))
	d.checkJob("retry", "HV01", d.requestState("HV01", 15), msvm.JobUpdateDiskSet, "1[15] 2[15 0] -", "1[3] 2[3 0] -")
	for _, host := range hosts[:2] {
		if disks := d.settings(host).IncludedDisks; !slices.Equal(disks, []string{"one"}) {
			t.Errorf("disks on %s are %v, want one", host, disks)
		}
	}
	d.world.SetFaults(parseFaults(t, "job-failing"))
	d.waitForJob("failing change of the disks", "HV01", modify(disks), msvm.JobUpdateDiskSet, msvm.JobException)
	d.world.SetFaults(parseFaults(t))
	d.checkJob("abort", "HV01", d.requestState("HV01", 3), msvm.JobStateChange, "1[3] 2[16 0] -", "1[3] 2[3 0] -")
}

// A change of the disks of the extended relationship is not possible, so that it cannot be stopped either.
func TestExtendedDiskUpdateCannotBeStopped(t *testing.T) {
	for _, state := range []msvm.ReplicationState{15, 16} {
		d := extended(t)
		if err := d.world.SetState("HV02", msvm.Key{VM: d.vm, Link: msvm.Extended}, state); err != nil {
			t.Fatal(err)
		}
		for _, n := range []uint16{1, 2, 3} {
			d.wantCode("stop", requestExtended(n)(d, "HV02"), 32775)
		}
	}
}

// A client may send only the settings that change.
func TestPartialSettings(t *testing.T) {
	d := newVMDriver(t, withHistory(t))
	before := d.settings("HV01")
	partial := msvm.ReplicationSettingData{InstanceID: before.InstanceID, RecoveryHistory: new(uint16(7))}
	d.do("HV01", method("ModifyReplicationSettings", embeddedParam(t, "ReplicationSettingData", partial)...))
	after := d.settings("HV01")
	if *after.RecoveryHistory != 7 || *after.ReplicationInterval != *before.ReplicationInterval ||
		*after.RecoveryConnectionPoint != "HV02.contoso.com" || !slices.Equal(after.IncludedDisks, before.IncludedDisks) ||
		*after.AutoResynchronizeEnabled != *before.AutoResynchronizeEnabled {
		t.Errorf("settings are %+v, were %+v, want only RecoveryHistory to change", after, before)
	}
	service := read[msvm.ReplicationServiceSettingData](t, d.hosts["HV01"])[0]
	change := msvm.ReplicationServiceSettingData{InstanceID: "x", HttpPort: new(uint16(8080))}
	d.do("HV01", method("ModifyServiceSettings", embeddedParam(t, "SettingData", change)...))
	if got := read[msvm.ReplicationServiceSettingData](t, d.hosts["HV01"])[0]; *got.HttpPort != 8080 ||
		*got.HttpsPort != 443 || got.InstanceID != service.InstanceID || !*got.RecoveryServerEnabled {
		t.Errorf("settings of the host are %+v, were %+v, want only HttpPort to change", got, service)
	}
}

// Settings that the replica server does not accept stop replication.
func TestSettingsAreAuthorized(t *testing.T) {
	d := newSingleVMDriver(t)
	d.finish("HV02", d.modifyService("HV02", func(s *msvm.ReplicationServiceSettingData) {
		s.AllowedAuthenticationType = new(msvm.Authentication(1))
	}))
	d.clock.Advance(20 * time.Minute)
	d.wantStates("Kerberos only", "1[3] 2[3 0] -")
	certificate := *read[msvm.ReplicationServiceSettingData](t, d.hosts["HV01"])[0].CertificateThumbPrint
	authentication := func(n msvm.Authentication, port uint16) step {
		return modify(func(s *msvm.ReplicationSettingData) {
			s.AuthenticationType, s.CertificateThumbPrint, s.RecoveryServerPortNumber = &n, &certificate, &port
		})
	}
	d.do("HV01", authentication(2, 443))
	d.clock.Advance(5 * time.Minute)
	d.wantStates("certificate", "1[8] 2[8 0] -")
	d.do("HV01", authentication(1, 80), request(3))
	d.clock.Advance(20 * time.Minute)
	d.wantStates("Kerberos again", "1[3] 2[3 0] -")
}
