package simulator_test

import (
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Q37: an entry is removed by its name, which is not case-sensitive. Replication that only it authorized
// stops.
func TestAuthorization(t *testing.T) {
	d := newVMDriver(t, inbound)
	d.wantStates("at first", "2[3 0] 1[3] -")
	names := func() (names []string) {
		for _, e := range read[msvm.ReplicationAuthorizationSettingData](t, d.hosts["HV01"]) {
			names = append(names, *e.AllowedPrimaryHostSystem+" "+msvm.StringOrEmpty(e.ReplicaStorageLocation))
		}
		return names
	}
	before := len(names())
	remove := func(name any) wmiquery.Reply {
		return d.call("HV01", "RemoveAuthorizationEntry", "AllowedPrimaryHostSystem", name)
	}
	d.wantCode("remove an unknown entry", remove("x"), wmiquery.CodeInvalidParam)
	d.wantCode("remove with an embedded instance", remove(wmiquery.Embedded("<INSTANCE/>")), wmiquery.CodeInvalidParam)
	d.wantCode("remove", remove("hv02.CONTOSO.com"), wmiquery.CodeCompleted)
	d.clock.Advance(6 * time.Minute)
	if h := *d.rows("HV02")[0].ReplicationHealth; h != msvm.HealthCritical {
		t.Errorf("health of the primary is %s, want critical", h)
	}
	d.wantStates("sender rejected", "2[8 0] 1[8] -")
	d.wantCode("resume", d.requestState("HV02", 3), wmiquery.CodeAccessDenied)
	d.wantStates("not resumed", "2[8 0] 1[8] -")

	d.wantCode("add without a folder", d.call("HV01", "AddAuthorizationEntry", entryParam(t, "*.contoso.com", "")...),
		wmiquery.CodeInvalidParam)
	d.wantCode("modify an unknown entry",
		d.call("HV01", "ModifyAuthorizationEntry", entryParam(t, "*.contoso.com", `E:\`)...), wmiquery.CodeInvalidParam)
	d.wantCode("add", d.call("HV01", "AddAuthorizationEntry", entryParam(t, "*.contoso.com", `D:\`)...),
		wmiquery.CodeCompleted)
	d.wantCode("add again", d.call("HV01", "AddAuthorizationEntry", entryParam(t, "*.CONTOSO.com", `D:\`)...),
		wmiquery.CodeInvalidParam)
	d.wantCode("modify", d.call("HV01", "ModifyAuthorizationEntry", entryParam(t, "*.contoso.com", `E:\`)...),
		wmiquery.CodeCompleted)
	if all := names(); len(all) != before || all[before-1] != `*.contoso.com E:\` {
		t.Errorf("entries are %q, want %d and the modified one last", all, before)
	}
	d.wantCode("resume", d.requestState("HV02", 3), wmiquery.CodeCompleted)
	d.wantStates("replication resumed", "2[3 0] 1[3] -")
	d.wantCode("bind to another entry",
		d.call("HV01", "SetAuthorizationEntry", entryParam(t, "*.branch.contoso.com", "")...), wmiquery.CodeCompleted)
	d.clock.Advance(20 * time.Minute)
	d.wantStates("bound to the wrong entry", "2[8 0] 1[8] -")
}

// Authorization entries match a host name or a domain, in any case. A VM that is bound to an entry needs that entry.
func TestAuthorizationEntries(t *testing.T) {
	connect := method("TestReplicationConnection", "RecoveryConnectionPoint", "HV02",
		"RecoveryServerPortNumber", uint16(80), "AuthenticationType", uint16(1))
	for entry, want := range map[string]msvm.JobState{
		"*": 7, "*.contoso.com": 7, "*.CONTOSO.COM": 7, "HV01.contoso.com": 7, "hv01.Contoso.com": 7,
		"HV01": 10, "HV03.contoso.com": 10, "*.fabrikam.com": 10, "V01.contoso.com": 10, "*.branch.contoso.com": 10,
	} {
		d := newSingleVMDriver(t)
		d.do("HV02", method("RemoveAuthorizationEntry", "AllowedPrimaryHostSystem", "*"),
			method("AddAuthorizationEntry", entryParam(t, entry, `D:\`)...))
		if j := d.finish("HV01", connect(d, "HV01")); *j.JobState != want {
			t.Errorf("%s: job state is %d, want %d", entry, *j.JobState, want)
		}
	}

	d := newVMDriver(t, healthy)
	add := func(entry string) step { return method("AddAuthorizationEntry", entryParam(t, entry, `D:\`)...) }
	d.wantCode("add the first entry again", add("*")(d, "HV02"), 32773)
	d.wantCode("add an entry without a name", add("")(d, "HV02"), 32773)
	d.do("HV02", add("HV01.contoso.com"), add("HV03.contoso.com"))
	d.do("HV02", method("RemoveAuthorizationEntry", "AllowedPrimaryHostSystem", "hv01.contoso.com"))
	var names []string
	for _, e := range read[msvm.ReplicationAuthorizationSettingData](t, d.hosts["HV02"]) {
		names = append(names, *e.AllowedPrimaryHostSystem)
	}
	if want := []string{"*", "HV03.contoso.com"}; !slices.Equal(names, want) {
		t.Errorf("entries are %q, want %q", names, want)
	}
	d.do("HV02", method("SetAuthorizationEntry", entryParam(t, "*", "")...))
	d.clock.Advance(20 * time.Minute)
	d.wantStates("bound to the entry for all hosts", "1[3] 2[3 0] -")
	d.wantCode("bind to an unknown entry", method("SetAuthorizationEntry", entryParam(t, "x", "")...)(d, "HV02"), 32773)
	d.do("HV02", method("SetAuthorizationEntry", entryParam(t, "hv03.contoso.com", "")...))
	d.clock.Advance(20 * time.Minute)
	d.wantStates("bound to the entry for another host", "1[8] 2[8 0] -")
}

// A change of the configuration does not affect what happened before it, even if nothing was read since.
func TestConfigurationChangesFromNowOn(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.clock.Advance(time.Hour)
	d.do("HV02", method("RemoveAuthorizationEntry", "AllowedPrimaryHostSystem", "*"))
	ids := vms(t, d.hosts["HV01"])
	for _, d.vm = range []string{ids[healthyWithoutJobs], ids[2]} {
		if *d.statistics("HV01").ReplicationFailureCount != 0 {
			t.Errorf("%s: cycles before the change were rejected", d.vm)
		}
		d.wantStates("at the change", "1[3] 2[3 0] -")
	}
	d.clock.Advance(time.Hour)
	d.wantStates("an hour later", "1[8] 2[8 0] -")
}
