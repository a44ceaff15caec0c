package simulator_test

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Sources: MicrosoftDocs/win32, HyperV_v2, msvm-replicationsettingdata.md: 30, 300 or 900 seconds; at most 24 recovery
// points; an application-consistent snapshot every 1 to 12 hours, or 0 for none; Kerberos or a certificate. That
// snapshots require recovery points is a rule of Microsoft's PowerShell module.
func TestLimitsOfRelationshipSettings(t *testing.T) {
	type settings = *msvm.ReplicationSettingData
	history := func(points, hours uint16) func(settings) {
		return func(s settings) { s.RecoveryHistory, s.ApplicationConsistentSnapshotInterval = &points, &hours }
	}
	interval := func(n uint16) func(settings) { return func(s settings) { s.ReplicationInterval = &n } }
	auth := func(n msvm.Authentication, thumbprint string) func(settings) {
		return func(s settings) { s.AuthenticationType, s.CertificateThumbPrint = &n, &thumbprint }
	}
	for _, tt := range []struct {
		name   string
		change func(settings)
		want   uint32
	}{
		{"no recovery points", history(0, 0), 4096},
		{"1 recovery point", history(1, 0), 4096},
		{"24 recovery points", history(24, 0), 4096},
		{"25 recovery points", history(25, 0), 32773},
		{"snapshots every hour", history(1, 1), 4096},
		{"snapshots every 12 hours", history(24, 12), 4096},
		{"snapshots every 13 hours", history(24, 13), 32773},
		{"snapshots without recovery points", history(0, 1), 32773},
		{"interval 0", interval(0), 32773},
		{"interval 29", interval(29), 32773},
		{"interval 30", interval(30), 4096},
		{"interval 31", interval(31), 32773},
		{"interval 60", interval(60), 32773},
		{"interval 299", interval(299), 32773},
		{"interval 300", interval(300), 4096},
		{"interval 301", interval(301), 32773},
		{"interval 900", interval(900), 4096},
		{"interval 901", interval(901), 32773},
		{"no port", func(s settings) { s.RecoveryServerPortNumber = new(uint16(0)) }, 32773},
		{"port 1", func(s settings) { s.RecoveryServerPortNumber = new(uint16(1)) }, 4096},
		{"port 65535", func(s settings) { s.RecoveryServerPortNumber = new(uint16(65535)) }, 4096},
		{"no server", func(s settings) { s.RecoveryConnectionPoint = new("") }, 32773},
		{"no authentication", auth(0, "AB"), 32773},
		{"Kerberos", auth(1, ""), 4096},
		{"certificate", auth(2, strings.Repeat("aB", 20)), 4096},
		{"certificate with a text that is not a thumbprint", auth(2, strings.Repeat("aB", 19)), 32773},
		{"certificate without a thumbprint", auth(2, ""), 32773},
		{"both kinds of authentication", auth(3, "AB"), 32773},
	} {
		d := newSingleVMDriver(t)
		reply := modify(tt.change)(d, "HV01")
		if reply.Code != tt.want {
			t.Errorf("%s: code %d, want %d", tt.name, reply.Code, tt.want)
		}
		if tt.want == 4096 && reply.Code == 4096 {
			if j := d.finish("HV01", reply); *j.JobState != 7 {
				t.Errorf("%s: final state of the job is %d, want 7", tt.name, *j.JobState)
			}
		}
	}
}

// Source: Microsoft's virtualization blog, 2013-12-09: 300 or 900 seconds, at least the interval of the primary, no
// application-consistent snapshots, and the same disks.
func TestLimitsOfExtendedSettings(t *testing.T) {
	for _, tt := range []struct {
		primary, extended, hours uint16
		want                     uint32
	}{
		{30, 30, 0, 32773},
		{30, 300, 0, 4096},
		{300, 300, 0, 4096},
		{300, 900, 0, 4096},
		{900, 300, 0, 32773},
		{900, 900, 0, 4096},
		{300, 300, 1, 32773},
	} {
		d := newSingleVMDriver(t)
		d.do("HV01", modify(func(s *msvm.ReplicationSettingData) { s.ReplicationInterval = &tt.primary }))
		create := withSettings("CreateReplicationRelationship", msvm.Extended, func(s *msvm.ReplicationSettingData) {
			toServer("HV03")(s)
			s.ReplicationInterval, s.ApplicationConsistentSnapshotInterval = &tt.extended, &tt.hours
			s.RecoveryHistory = new(uint16(24))
		})
		reply := create(d, "HV02")
		if reply.Code != tt.want {
			t.Errorf("%+v: code %d", tt, reply.Code)
		}
		if tt.want == 4096 && *d.finish("HV02", reply).JobState != 7 {
			t.Errorf("%+v: the job failed", tt)
		}
	}
	d := extended(t)
	setExtended := func(change func(*msvm.ReplicationSettingData)) step {
		return withSettings("ModifyReplicationSettings", msvm.Extended, change)
	}
	otherDisks := setExtended(func(s *msvm.ReplicationSettingData) { s.IncludedDisks = []string{"x"} })
	d.wantCode("other disks", otherDisks(d, "HV02"), 32773)
	d.do("HV02", setExtended(func(s *msvm.ReplicationSettingData) { s.ReplicationInterval = new(uint16(900)) }))
	disks := map[string][]string{}
	for _, host := range hosts {
		for _, s := range read[msvm.ReplicationSettingData](t, d.hosts[host]) {
			if k, _ := msvm.ParseKey(s.InstanceID); k.VM == d.vm && len(s.IncludedDisks) > 0 {
				disks[host+string(k.Link)] = s.IncludedDisks
			}
		}
	}
	for _, where := range []string{"HV02primary", "HV02extended", "HV03primary"} {
		if got, want := disks[where], disks["HV01primary"]; len(want) != 2 || len(got) != 2 || got[0] != want[0] {
			t.Errorf("disks of %s are %q, want %q", where, got, want)
		}
	}
}

// Sources: MicrosoftDocs/win32, HyperV_v2, msvm-replicationservicesettingdata.md: windows of an hour to seven days.
// Set-VMReplicationServer in MicrosoftDocs/windows-powershell-docs: 1, 2, 3, 4, 6, 8, 12 or 24 hours, or 2 to 7 days.
// The other limits follow from the types of the properties.
func TestLimitsOfServiceSettings(t *testing.T) {
	type settings = *msvm.ReplicationServiceSettingData
	certificate := *read[msvm.ReplicationServiceSettingData](t, newSingleVMDriver(t).hosts["HV01"])[0].CertificateThumbPrint
	window := func(seconds uint32) func(settings) { return func(s settings) { s.MonitoringInterval = &seconds } }
	at := func(start time.Duration) func(settings) { return func(s settings) { s.MonitoringStartTime = &start } }
	auth := func(enabled bool, n msvm.Authentication, thumbprint string) func(settings) {
		return func(s settings) {
			s.RecoveryServerEnabled, s.AllowedAuthenticationType, s.CertificateThumbPrint = &enabled, &n, &thumbprint
		}
	}
	for _, tt := range []struct {
		name   string
		change func(settings)
		want   uint32
	}{
		{"window of 3599 s", window(3599), 32773},
		{"window of 3600 s", window(3600), 4096},
		{"window of 604800 s", window(604800), 4096},
		{"window of 604801 s", window(604801), 32773},
		{"window of 90 minutes", window(5400), 32773},
		{"window of 2 h", window(2 * 3600), 4096},
		{"window of 3 h", window(3 * 3600), 4096},
		{"window of 4 h", window(4 * 3600), 4096},
		{"window of 5 h", window(5 * 3600), 32773},
		{"window of 6 h", window(6 * 3600), 4096},
		{"window of 8 h", window(8 * 3600), 4096},
		{"window of 9 h", window(9 * 3600), 32773},
		{"window of 12 h", window(12 * 3600), 4096},
		{"window of 24 h", window(24 * 3600), 4096},
		{"window of 36 h", window(36 * 3600), 32773},
		{"window of 2 days", window(48 * 3600), 4096},
		{"window of 6 days", window(144 * 3600), 4096},
		{"start at midnight", at(0), 4096},
		{"start at the last second", at(24*time.Hour - time.Second), 4096},
		{"start after the day", at(24 * time.Hour), 32773},
		{"no port for Kerberos", func(s settings) { s.HttpPort = new(uint16(0)) }, 32773},
		{"no port for certificates", func(s settings) { s.HttpsPort = new(uint16(0)) }, 32773},
		{"highest ports", func(s settings) { s.HttpPort, s.HttpsPort = new(uint16(65535)), new(uint16(65534)) }, 4096},
		{"enabled without authentication", auth(true, 0, ""), 32773},
		{"disabled without authentication", auth(false, 0, ""), 4096},
		{"Kerberos", auth(true, 1, ""), 4096},
		{"certificate", auth(true, 2, certificate), 4096},
		{"certificate without a thumbprint", auth(true, 2, ""), 32773},
		{"both", auth(true, 3, certificate), 4096},
		{"text that is not a thumbprint", auth(true, 2, "AB"), 32773},
		{"both without a thumbprint", auth(true, 3, ""), 32773},
		{"unknown authentication", auth(true, 4, "AB"), 32773},
	} {
		d := newSingleVMDriver(t)
		reply := d.modifyService("HV01", tt.change)
		if reply.Code != tt.want {
			t.Errorf("%s: code %d, want %d", tt.name, reply.Code, tt.want)
		}
		if tt.want == 4096 && *d.finish("HV01", reply).JobState != 7 {
			t.Errorf("%s: the job failed", tt.name)
		}
	}
}

// modifyService changes the settings of a host.
func (d *vmDriver) modifyService(host string, change func(*msvm.ReplicationServiceSettingData)) wmiquery.Reply {
	d.Helper()
	s := read[msvm.ReplicationServiceSettingData](d.T, d.hosts[host])[0]
	change(&s)
	return d.call(host, "ModifyServiceSettings", embeddedParam(d.T, "SettingData", s)...)
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-failovernetworkadaptersettingdata.md: at most five gateways.
func TestLimitsOfFailoverNetworks(t *testing.T) {
	d := newVMDriver(t, healthy)
	for gateways, want := range map[int]uint32{0: 0, 5: 0, 6: 32773} {
		s := msvm.FailoverNetworkAdapterSettingData{
			InstanceID: new("x"), DHCPEnabled: new(false), IPAddresses: []string{"10.9.8.7"},
			DefaultGateways: make([]string, gateways),
		}
		for i := range s.DefaultGateways {
			s.DefaultGateways[i] = "10.0.0.1"
		}
		text := embeddedParam(t, "", s)[1].(wmiquery.Embedded)
		set := method("SetFailoverNetworkAdapterSettings", "NetworkSettings", []string{string(text)})
		d.wantCode("set", set(d, "HV02"), want)
	}
	for _, s := range read[msvm.FailoverNetworkAdapterSettingData](t, d.hosts["HV02"]) {
		if s.InstanceID != nil { // documented as always null
			t.Errorf("InstanceID is %q, want null", *s.InstanceID)
		}
	}
	d.wantCode("set without a relationship", newVMDriver(t, neverReplicated).call("HV01",
		"SetFailoverNetworkAdapterSettings", "NetworkSettings", []string{}), 32775)
}
