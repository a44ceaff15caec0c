package simulator_test

import (
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// factRows returns all rows of a class of a simulated host.
func factRows[T wmiquery.Instance](t *testing.T) []T {
	t.Helper()
	world, err := simulator.New(simulator.Config{
		Seed: 1, VMs: 60, Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	session, err := world.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var rows []T
	if err := session.Read(&rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Fatalf("no rows of %T", *new(T))
	}
	return rows
}

// checkFact compares a property that is not null with its documented value.
func checkFact[T comparable](t *testing.T, property string, got *T, want T) {
	t.Helper()
	if got == nil || *got != want {
		t.Errorf("%s: got %v, want %v", property, got, want)
	}
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationservicesettingdata.md: the ports, a monitoring window of
// 12 hours, and windows that start at 9:00 local time, which is UTC here.
func TestDefaultSettingsOfTheHost(t *testing.T) {
	s := factRows[msvm.ReplicationServiceSettingData](t)[0]
	checkFact(t, "HttpPort", s.HttpPort, 80)
	checkFact(t, "HttpsPort", s.HttpsPort, 443)
	checkFact(t, "MonitoringInterval", s.MonitoringInterval, 43200)
	checkFact(t, "MonitoringStartTime", s.MonitoringStartTime, 9*time.Hour)
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationservice.md.
func TestPropertiesOfTheService(t *testing.T) {
	s := factRows[msvm.ReplicationService](t)[0]
	if s.Name != "replicasvc" || s.CreationClassName != "Msvm_ReplicationService" ||
		s.SystemCreationClassName != "Msvm_ComputerSystem" || !slices.Equal(s.OperationalStatus, []uint16{2}) {
		t.Errorf("got %+v", s)
	}
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationprovider.md.
func TestPropertiesOfTheProvider(t *testing.T) {
	p := factRows[msvm.ReplicationProvider](t)[0]
	if p.Name != "22391CDC-272C-4DDF-BA88-9BEFB1A0975C" || !slices.Equal(p.OperationalStatus, []uint16{2}) {
		t.Errorf("got %+v", p)
	}
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationsettingdata.md, default values. AutoResynchronizeEnabled is
// false in that page and true in the schema.
func TestDefaultSettingsOfRelationships(t *testing.T) {
	found := false
	for _, s := range factRows[msvm.ReplicationSettingData](t) {
		if s.RecoveryConnectionPoint != nil {
			continue
		}
		found = true
		checkFact(t, "AuthenticationType", s.AuthenticationType, 0)
		checkFact(t, "RecoveryServerPortNumber", s.RecoveryServerPortNumber, 0)
		checkFact(t, "BypassProxyServer", s.BypassProxyServer, false)
		checkFact(t, "ReplicateHostKvpItems", s.ReplicateHostKvpItems, true)
		checkFact(t, "ApplicationConsistentSnapshotInterval", s.ApplicationConsistentSnapshotInterval, 0)
		checkFact(t, "RecoveryHistory", s.RecoveryHistory, 0)
		checkFact(t, "AutoResynchronizeEnabled", s.AutoResynchronizeEnabled, false)
		checkFact(t, "AutoResynchronizeIntervalStart", s.AutoResynchronizeIntervalStart, 18*time.Hour+30*time.Minute)
		checkFact(t, "AutoResynchronizeIntervalEnd", s.AutoResynchronizeIntervalEnd, 6*time.Hour)
		checkFact(t, "ReplicationInterval", s.ReplicationInterval, 300)
		if s.CertificateThumbPrint != nil || s.RootCertificateThumbPrint != nil {
			t.Errorf("got certificate %v with root %v, want null", s.CertificateThumbPrint, s.RootCertificateThumbPrint)
		}
	}
	if !found {
		t.Error("found no relationship that does not replicate")
	}
}

// Sources: MicrosoftDocs/win32, HyperV_v2, msvm-replicationsettingdata.md (30, 300 or 900 seconds; 0 to 24 recovery
// points; application-consistent snapshots every 1 to 12 hours, only with recovery points; certificates only with
// authentication by certificates; write order always preserved); Microsoft's virtualization
// blog, 2013-12-09, for the extended relationship (300 or 900 seconds, no application-consistent snapshots). The ports
// are the defaults of the replica server: 80 for Kerberos, 443 for certificates.
func TestSettingsOfRelationshipsAreAllowed(t *testing.T) {
	ports, seen := map[uint16]uint16{1: 80, 2: 443}, map[uint16]bool{}
	for _, s := range factRows[msvm.ReplicationSettingData](t) {
		if s.RecoveryConnectionPoint == nil {
			continue
		}
		key, err := msvm.ParseKey(s.InstanceID)
		if err != nil {
			t.Fatal(err)
		}
		interval, history, hours := *s.ReplicationInterval, *s.RecoveryHistory, *s.ApplicationConsistentSnapshotInterval
		seen[interval] = true
		allowed := []uint16{30, 300, 900}
		if key.Link == "extended" {
			allowed = []uint16{300, 900}
		}
		if !slices.Contains(allowed, interval) {
			t.Errorf("%s: got ReplicationInterval %d, want one of %d", s.InstanceID, interval, allowed)
		}
		if history > 24 || hours > 12 || hours > 0 && (history == 0 || key.Link == "extended") {
			t.Errorf("%s: got RecoveryHistory %d, ApplicationConsistentSnapshotInterval %d", s.InstanceID, history, hours)
		}
		checkFact(t, "RecoveryServerPortNumber", s.RecoveryServerPortNumber, ports[uint16(*s.AuthenticationType)])
		usesCertificate := *s.AuthenticationType == 2
		if (s.CertificateThumbPrint != nil) != usesCertificate || (s.RootCertificateThumbPrint != nil) != usesCertificate {
			t.Errorf("%s: authentication %d with certificate %v and root %v",
				s.InstanceID, *s.AuthenticationType, s.CertificateThumbPrint, s.RootCertificateThumbPrint)
		}
		checkFact(t, "EnableWriteOrderPreservationAcrossDisks", s.EnableWriteOrderPreservationAcrossDisks, true)
	}
	if !seen[30] || !seen[300] || !seen[900] {
		t.Errorf("got intervals %v, want 30, 300 and 900", seen)
	}
}

// Source: the schema of Msvm_ConcreteJob: a job is removed five minutes after its end.
func TestJobsAreRemovedAfterFiveMinutes(t *testing.T) {
	for _, j := range factRows[msvm.ConcreteJob](t) {
		checkFact(t, "TimeBeforeRemoval", j.TimeBeforeRemoval, 5*time.Minute)
	}
}
