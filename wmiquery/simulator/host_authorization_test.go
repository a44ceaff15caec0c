package simulator_test

import (
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
	d.clock.Advance(12 * time.Minute)
	d.wantStates("sender rejected", "2[3 0] 1[8] -")
	d.wantCode("resume", d.requestState("HV02", 3), wmiquery.CodeFailed)

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
	d.wantStates("bound to the wrong entry", "2[3 0] 1[8] -")
}
