package simulator_test

import (
	"errors"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// embedded is an instance as a parameter.
func embedded(t *testing.T, name string, v wmiquery.Instance) []any {
	t.Helper()
	text, err := cimxml.Marshal(v.WMIClass().Name, v)
	if err != nil {
		t.Fatal(err)
	}
	return []any{name, wmiquery.Embedded(text)}
}

// entry is an authorization entry as a parameter.
func entry(t *testing.T, server, folder string) []any {
	t.Helper()
	e := msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: &server}
	if folder != "" {
		e.ReplicaStorageLocation = &folder
	}
	return embedded(t, "AuthorizationEntry", e)
}

// Q37: an entry is removed by its name, in any case, and what it let in stops.
func TestAuthorization(t *testing.T) {
	d := newDrill(t, inbound)
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
	d.code("remove what is not there", remove("x"), wmiquery.CodeInvalidParam)
	d.code("remove by text", remove(wmiquery.Embedded("<INSTANCE/>")), wmiquery.CodeInvalidParam)
	d.code("remove", remove("hv02.CONTOSO.com"), wmiquery.CodeCompleted)
	d.clock.Advance(6 * time.Minute)
	if h := *d.rows("HV02")[0].ReplicationHealth; h != msvm.HealthCritical {
		t.Errorf("the primary's health is %s", h)
	}
	d.clock.Advance(12 * time.Minute)
	d.wantStates("it gave up", "2[3 0] 1[8] -")
	d.code("resume", d.request("HV02", 3), wmiquery.CodeFailed)

	d.code("add without a folder", d.call("HV01", "AddAuthorizationEntry", entry(t, "*.contoso.com", "")...), wmiquery.CodeInvalidParam)
	d.code("modify what is not there", d.call("HV01", "ModifyAuthorizationEntry", entry(t, "*.contoso.com", `E:\`)...), wmiquery.CodeInvalidParam)
	d.code("add", d.call("HV01", "AddAuthorizationEntry", entry(t, "*.contoso.com", `D:\`)...), wmiquery.CodeCompleted)
	d.code("add again", d.call("HV01", "AddAuthorizationEntry", entry(t, "*.CONTOSO.com", `D:\`)...), wmiquery.CodeInvalidParam)
	d.code("modify", d.call("HV01", "ModifyAuthorizationEntry", entry(t, "*.contoso.com", `E:\`)...), wmiquery.CodeCompleted)
	if all := names(); len(all) != before || all[before-1] != `*.contoso.com E:\` {
		t.Errorf("entries are %q", all)
	}
	d.code("resume", d.request("HV02", 3), wmiquery.CodeCompleted)
	d.wantStates("it goes on", "2[3 0] 1[3] -")
	d.code("bind to another entry", d.call("HV01", "SetAuthorizationEntry", entry(t, "*.branch.contoso.com", "")...), wmiquery.CodeCompleted)
	d.clock.Advance(20 * time.Minute)
	d.wantStates("bound to the wrong entry", "2[3 0] 1[8] -")
}

// The settings of the service count at once; windows go by the new interval.
func TestServiceSettings(t *testing.T) {
	d := newDrill(t, inbound)
	modify := func(change func(*msvm.ReplicationServiceSettingData)) wmiquery.Reply {
		s := read[msvm.ReplicationServiceSettingData](t, d.hosts["HV01"])[0]
		change(&s)
		return d.call("HV01", "ModifyServiceSettings", embedded(t, "SettingData", s)...)
	}
	for _, change := range []func(*msvm.ReplicationServiceSettingData){
		func(s *msvm.ReplicationServiceSettingData) { s.MonitoringInterval = new(uint32(3599)) },
		func(s *msvm.ReplicationServiceSettingData) { s.MonitoringInterval = new(uint32(604801)) },
		func(s *msvm.ReplicationServiceSettingData) { s.MonitoringStartTime = new(24 * time.Hour) },
		func(s *msvm.ReplicationServiceSettingData) { s.HttpPort = new(uint16(0)) },
		func(s *msvm.ReplicationServiceSettingData) { s.AllowedAuthenticationType = new(msvm.Authentication(4)) },
		func(s *msvm.ReplicationServiceSettingData) { s.CertificateThumbPrint = new("") },
	} {
		d.code("invalid settings", modify(change), wmiquery.CodeInvalidParam)
	}
	reply := modify(func(s *msvm.ReplicationServiceSettingData) {
		s.MonitoringInterval, s.MonitoringStartTime = new(uint32(7200)), new(time.Hour)
	})
	d.finish("modify", "HV01", reply, msvm.JobModifyServerSettings, msvm.JobCompleted)
	d.clock.Set(time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC))
	start := func(host string) time.Time {
		return *relationships(t, d.hosts[host], d.vm)[0].stats.StartStatisticTime
	}
	if got := start("HV01"); !got.Equal(d.clock.Now()) {
		t.Errorf("the window started at %v", got)
	}
	if got := start("HV02"); got.Hour() != 9 {
		t.Errorf("the other host's window started at %v", got)
	}
	d.finish("turn off", "HV01", modify(func(s *msvm.ReplicationServiceSettingData) { s.RecoveryServerEnabled = new(false) }), msvm.JobModifyServerSettings, msvm.JobCompleted)
	d.clock.Advance(20 * time.Minute)
	d.wantStates("no server", "2[3 0] 1[8] -")
	d.code("start the service", d.call("HV01", "StartService"), 1)
	d.code("stop the service", d.call("HV01", "StopService"), 1)
	object := read[msvm.ReplicationService](t, d.hosts["HV01"])[0].Ref()
	d.code("change the service", call(t, d.hosts["HV01"], invocation(object, "RequestStateChange", in("RequestedState", uint16(3))...)), 1)
}

func TestReplicationConnection(t *testing.T) {
	d := newDrill(t, healthy)
	try := func(point any, port, auth uint16, more ...any) wmiquery.Reply {
		return d.call("HV01", "TestReplicationConnection",
			append(more, "RecoveryConnectionPoint", point, "RecoveryServerPortNumber", port, "AuthenticationType", auth)...)
	}
	for _, tt := range []struct {
		reply wmiquery.Reply
		want  msvm.JobState
	}{
		{try("hv02", 80, 1), msvm.JobCompleted},
		{try("HV02.contoso.com", 443, 2, "CertificateThumbPrint", "AB"), msvm.JobCompleted},
		{try("replica-broker.contoso.com", 80, 1), msvm.JobCompleted},
		{try("HV02.contoso.com", 443, 1), msvm.JobException},
		{try("HV01.contoso.com", 80, 1), msvm.JobException},
		{try("HV02.fabrikam.com", 80, 1), msvm.JobException},
	} {
		d.finish("test", "HV01", tt.reply, msvm.JobTestConnection, tt.want)
	}
	d.code("no type", try("hv02", 80, 3), wmiquery.CodeInvalidParam)
	d.code("no certificate", try("hv02", 443, 2), wmiquery.CodeInvalidParam)
	d.code("no server", try(nil, 80, 1), wmiquery.CodeInvalidParam)
	d.wantStates("afterwards", "1[3] 2[3 0] -")
}

func TestFailoverNetwork(t *testing.T) {
	d := newDrill(t, healthy)
	set := func(s msvm.FailoverNetworkAdapterSettingData) wmiquery.Reply {
		text := embedded(t, "", s)[1].(wmiquery.Embedded)
		return d.call("HV02", "SetFailoverNetworkAdapterSettings", "NetworkSettings", []string{string(text)})
	}
	d.code("no addresses", set(msvm.FailoverNetworkAdapterSettingData{DHCPEnabled: new(true)}), wmiquery.CodeInvalidParam)
	d.code("no DHCP", set(msvm.FailoverNetworkAdapterSettingData{IPAddresses: []string{}}), wmiquery.CodeInvalidParam)
	d.code("set", set(msvm.FailoverNetworkAdapterSettingData{DHCPEnabled: new(false), IPAddresses: []string{"10.9.8.7"}}), wmiquery.CodeCompleted)
	n := 0
	for _, c := range read[msvm.EthernetPortFailoverSettingDataComponent](t, d.hosts["HV02"]) {
		if msvm.VMOf(c.GroupComponent) == d.vm {
			n++
		}
	}
	for _, s := range read[msvm.FailoverNetworkAdapterSettingData](t, d.hosts["HV02"]) {
		if msvm.VMOf(s.Ref()) == d.vm && s.IPAddresses[0] != "10.9.8.7" {
			t.Errorf("the adapter gets %v", s.IPAddresses)
		}
	}
	if n != 1 {
		t.Errorf("%d adapters", n)
	}
}

// The window starts anew on one side, and a warning goes with the cycles that were
// missed.
func TestResetStatistics(t *testing.T) {
	for vm, code := range map[int]uint32{6: wmiquery.CodeJobStarted, slowLink: wmiquery.CodeCompleted} {
		d := newDrill(t, vm)
		before := figures(relationships(t, d.hosts["HV01"], d.vm)[0].stats)
		reply := d.call("HV01", "ResetReplicationStatisticsEx", d.link(msvm.Primary)...)
		if reply.Code != code {
			t.Errorf("VM %d: code %d", vm, reply.Code)
		}
		d.clock.Advance(time.Second)
		mine, other := relationships(t, d.hosts["HV01"], d.vm)[0].stats, relationships(t, d.hosts["HV02"], d.vm)[0].stats
		if before.Cycles == 0 || figures(mine).Cycles != 0 || figures(other).Cycles != before.Cycles || d.clock.Now().Sub(*mine.StartStatisticTime) > time.Second {
			t.Errorf("VM %d: %+v and %+v after %+v", vm, figures(mine), figures(other), before)
		}
	}
	d := newDrill(t, alone)
	d.code("what does not replicate", d.call("HV01", "ResetReplicationStatistics"), wmiquery.CodeInvalidState)
	reply := newDrill(t, healthy).call("HV01", "GetReplicationStatistics")
	if s, _, err := msvm.Statistics(reply); err != nil || *s.ReplicationSuccessCount == 0 {
		t.Errorf("deprecated statistics: %v", err)
	}
}

// Q43: a job that has ended can be seen for five minutes. Q44: an immediate code
// and a failed job are two ways to fail.
func TestFailingJobs(t *testing.T) {
	d := newDrill(t, healthy)
	d.world.SetFaults(mustFaults(t, "job-failing"))
	reply := d.request("HV01", 7)
	d.wantStates("while it runs", "1[7] 2[3 0] -")
	j := d.finish("pause", "HV01", reply, msvm.JobStateChange, msvm.JobException)
	d.wantStates("after it failed", "1[3] 2[3 0] -")
	d.world.SetFaults(mustFaults(t, "method-failing="+msvm.MethodRequestReplicationStateChangeEx))
	d.code("refused", d.request("HV01", 7), wmiquery.CodeFailed)
	d.world.SetFaults(mustFaults(t))
	if *j.ErrorCode != wmiquery.CodeFailed || *j.Cancellable {
		t.Errorf("the job is %+v", j)
	}
	ask := func(method string) (wmiquery.Reply, error) {
		return d.hosts["HV01"].Call(invocation(reply.Job, method))
	}
	errorsOut, err := ask("GetErrorEx")
	texts, _ := errorsOut.Out["Errors"].([]string)
	last, err2 := ask("GetError")
	var e msvm.Error
	if errors.Join(err, err2) != nil || len(texts) != 1 || last.Out["Error"] != texts[0] {
		t.Fatalf("%v, %v, %v, %v", errorsOut, err, last, err2)
	}
	if class, err := cimxml.Unmarshal(texts[0], &e); err != nil || class != "Msvm_Error" || *e.Message != *j.ErrorDescription {
		t.Errorf("%s %+v, %v", class, e, err)
	}
	if r, err := ask("KillJob"); err != nil || r.Code != 1 {
		t.Errorf("KillJob: %d, %v", r.Code, err)
	}
	d.clock.Advance(5*time.Minute - time.Second)
	if _, ok := d.job("HV01", reply.Job); !ok {
		t.Error("the job is gone early")
	}
	d.clock.Advance(time.Second)
	if _, ok := d.job("HV01", reply.Job); ok {
		t.Error("the job is still there")
	}
	if _, err := ask("GetErrorEx"); !errors.Is(err, wmiquery.ErrNotFound) {
		t.Errorf("a job that is gone: %v", err)
	}
	for _, a := range read[msvm.AffectedJobElement](t, d.hosts["HV01"]) {
		if a.AffectingElement == reply.Job {
			t.Error("the association is still there")
		}
	}
}
