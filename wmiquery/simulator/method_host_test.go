package simulator_test

import (
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Service settings take effect at once. Monitoring windows use the new interval.
func TestServiceSettings(t *testing.T) {
	d := newVMDriver(t, inbound)
	modify := func(change func(*msvm.ReplicationServiceSettingData)) wmiquery.Reply {
		s := read[msvm.ReplicationServiceSettingData](t, d.hosts["HV01"])[0]
		change(&s)
		return d.call("HV01", "ModifyServiceSettings", embeddedParam(t, "SettingData", s)...)
	}
	for _, change := range []func(*msvm.ReplicationServiceSettingData){
		func(s *msvm.ReplicationServiceSettingData) { s.MonitoringInterval = new(uint32(3599)) },
		func(s *msvm.ReplicationServiceSettingData) { s.MonitoringInterval = new(uint32(604801)) },
		func(s *msvm.ReplicationServiceSettingData) { s.MonitoringStartTime = new(24 * time.Hour) },
		func(s *msvm.ReplicationServiceSettingData) { s.HttpPort = new(uint16(0)) },
		func(s *msvm.ReplicationServiceSettingData) { s.AllowedAuthenticationType = new(msvm.Authentication(4)) },
		func(s *msvm.ReplicationServiceSettingData) { s.CertificateThumbPrint = new("") },
	} {
		d.wantCode("invalid settings", modify(change), wmiquery.CodeInvalidParam)
	}
	reply := modify(func(s *msvm.ReplicationServiceSettingData) {
		s.MonitoringInterval, s.MonitoringStartTime = new(uint32(7200)), new(time.Hour)
	})
	d.waitForJob("modify", "HV01", reply, msvm.JobModifyServerSettings, msvm.JobCompleted)
	d.clock.Set(time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC))
	start := func(host string) time.Time {
		return *relationships(t, d.hosts[host], d.vm)[0].stats.StartStatisticTime
	}
	if got := start("HV01"); !got.Equal(d.clock.Now()) {
		t.Errorf("window started at %v, want now", got)
	}
	if got := start("HV02"); got.Hour() != 9 {
		t.Errorf("window of the other host started at %v, want 9:00", got)
	}
	d.waitForJob("disable the replica server", "HV01",
		modify(func(s *msvm.ReplicationServiceSettingData) { s.RecoveryServerEnabled = new(false) }),
		msvm.JobModifyServerSettings, msvm.JobCompleted)
	d.clock.Advance(20 * time.Minute)
	d.wantStates("replica server disabled", "2[3 0] 1[3] -")
	if h := *d.rows("HV02")[0].ReplicationHealth; h != msvm.HealthCritical {
		t.Errorf("health of the primary is %s while the replica server is disabled, want critical", h)
	}
	d.wantCode("start the service", d.call("HV01", "StartService"), 1)
	d.wantCode("stop the service", d.call("HV01", "StopService"), 1)
	object := read[msvm.ReplicationService](t, d.hosts["HV01"])[0].Ref()
	d.wantCode("change the service",
		call(t, d.hosts["HV01"], newCall(object, "RequestStateChange", params("RequestedState", uint16(3))...)), 1)
}

func TestReplicationConnection(t *testing.T) {
	d := newVMDriver(t, healthy)
	try := func(point any, port, auth uint16, more ...any) wmiquery.Reply {
		return d.call("HV01", "TestReplicationConnection",
			append(more, "RecoveryConnectionPoint", point, "RecoveryServerPortNumber", port, "AuthenticationType", auth)...)
	}
	certificate := *read[msvm.ReplicationServiceSettingData](t, d.hosts["HV01"])[0].CertificateThumbPrint
	for _, tt := range []struct {
		reply wmiquery.Reply
		want  msvm.JobState
	}{
		{try("hv02", 80, 1), msvm.JobCompleted},
		{try("HV02.contoso.com", 443, 2, "CertificateThumbPrint", certificate), msvm.JobCompleted},
		{try("replica-broker.contoso.com", 80, 1), msvm.JobCompleted},
		{try("HV02.contoso.com", 443, 1), msvm.JobException},
		{try("HV01.contoso.com", 80, 1), msvm.JobException},
		{try("HV02.fabrikam.com", 80, 1), msvm.JobException},
	} {
		d.waitForJob("test", "HV01", tt.reply, msvm.JobTestConnection, tt.want)
	}
	d.wantCode("invalid authentication type", try("hv02", 80, 3), wmiquery.CodeInvalidParam)
	d.wantCode("no certificate", try("hv02", 443, 2), wmiquery.CodeInvalidParam)
	d.wantCode("not a thumbprint", try("hv02", 443, 2, "CertificateThumbPrint", "AB"), wmiquery.CodeInvalidParam)
	d.wantCode("no server", try(nil, 80, 1), wmiquery.CodeInvalidParam)
	d.wantStates("afterwards", "1[3] 2[3 0] -")
}

func TestFailoverNetwork(t *testing.T) {
	d := newVMDriver(t, healthy)
	set := func(s msvm.FailoverNetworkAdapterSettingData) wmiquery.Reply {
		text := embeddedParam(t, "", s)[1].(wmiquery.Embedded)
		return d.call("HV02", "SetFailoverNetworkAdapterSettings", "NetworkSettings", []string{string(text)})
	}
	d.wantCode("no addresses", set(msvm.FailoverNetworkAdapterSettingData{DHCPEnabled: new(true)}),
		wmiquery.CodeInvalidParam)
	d.wantCode("no DHCP", set(msvm.FailoverNetworkAdapterSettingData{IPAddresses: []string{}}), wmiquery.CodeInvalidParam)
	d.wantCode("set", set(msvm.FailoverNetworkAdapterSettingData{
		DHCPEnabled: new(false),
		IPAddresses: []string{"10.9.8.7"},
	}), wmiquery.CodeCompleted)
	d.world.SetFaults(simulator.Faults{FailoverNetworkIDs: true}) // otherwise the adapter of the addresses is not known
	var parts []wmiquery.Ref
	for _, c := range read[msvm.EthernetPortFailoverSettingDataComponent](t, d.hosts["HV02"]) {
		if msvm.VMOf(c.GroupComponent) == d.vm {
			parts = append(parts, c.PartComponent)
		}
	}
	var addresses []string
	for _, s := range read[msvm.FailoverNetworkAdapterSettingData](t, d.hosts["HV02"]) {
		if slices.Contains(parts, s.Ref()) {
			addresses = append(addresses, s.IPAddresses...)
		}
	}
	if len(parts) != 1 || !slices.Equal(addresses, []string{"10.9.8.7"}) {
		t.Errorf("%d adapters have the addresses %v, want one with 10.9.8.7", len(parts), addresses)
	}
}
