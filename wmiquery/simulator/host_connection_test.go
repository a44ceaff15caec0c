package simulator_test

import (
	"crypto/sha1" // a thumbprint is a SHA-1 hash by definition
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// connect tests the connection to HV02.
var connect = method("TestReplicationConnection", "RecoveryConnectionPoint", "HV02.contoso.com",
	"RecoveryServerPortNumber", uint16(80), "AuthenticationType", uint16(1))

// While the network is down, no operation succeeds that needs the other host, and the other host does not change.
func TestOperationsWithoutNetwork(t *testing.T) {
	for _, tt := range []struct {
		name    string
		vm      int
		prepare func(d *vmDriver) // while the network works; may be nil
		host    string
		call    step
		want    string // states afterwards
	}{
		{"test the connection", healthy, nil, "HV01", connect, "1[3] 2[3 0] -"},
		{
			"create", neverReplicated, nil, "HV01",
			withSettings("CreateReplicationRelationship", msvm.Primary, toServer("HV02")), "0[0] - -",
		},
		{"extend", healthy, nil, "HV02", extend(), "1[3] 2[3 0] -"},
		{"start", newlyEnabled, nil, "HV01", start(1), "1[1] 2[2 0] -"},
		{"start with an existing VM", newlyEnabled, nil, "HV01", start(3), "1[1] 2[2 0] -"},
		{"modify", healthy, nil, "HV01", modify(func(*msvm.ReplicationSettingData) {}), "1[3] 2[3 0] -"},
		{"change the disks", healthy, nil, "HV01", setDisks("one"), "1[16] 2[3 0] -"},
		{"prepare", healthy, func(d *vmDriver) { d.setPower("HV01", false) }, "HV01", request(4), "1[3] 2[3 0] -"},
		{"resynchronize", resyncRequired, nil, "HV01", method("Resynchronize"), "1[9] 2[3 0] -"},
		{"resynchronize a paused VM", pausedOnPrimary, nil, "HV01", method("Resynchronize"), "1[7] 2[3 0] -"},
		{
			"import", newlyEnabled,
			func(d *vmDriver) { d.do("HV01", start(2, "InitialReplicationExportLocation", `E:\`)) },
			"HV02", method("ImportInitialReplica", "InitialReplicationImportLocation", `E:\`), "1[2] 2[2 0] -",
		},
		{
			"reverse", failedOver,
			func(d *vmDriver) { d.setPower("HV02", false) },
			"HV01", reverseTo("HV02"), "2[5 0] 1[8] -",
		},
	} {
		d := newVMDriver(t, tt.vm)
		if tt.prepare != nil {
			tt.prepare(d)
		}
		d.world.SetNetworkDown(true)
		d.wantFailedJob(tt.name, tt.host, tt.call, 32768)
		d.wantStates(tt.name, tt.want)
		if err := d.world.Invariants(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}

	d := newVMDriver(t, critical) // simple changes complete at once, without a job
	d.world.SetNetworkDown(true)
	d.wantCode("resume after an error", d.requestState("HV01", 3), 32768)
	d.wantStates("resume after an error", "1[8] 2[8 0] -")
}

// While the network is down, each host can still be operated, above all to fail over.
func TestLocalOperationsWithoutNetwork(t *testing.T) {
	d := newVMDriver(t, healthy)
	d.world.SetNetworkDown(true)
	d.do("HV01", request(7), request(3))
	d.wantStates("paused and resumed", "1[3] 2[3 0] -")
	d.do("HV02", method("TestReplicaSystem"), method("InitiateFailover"))
	d.wantStates("failed over", "1[3] 2[5 0] -")
	d.clock.Advance(2 * time.Hour)
	d.wantStates("the primary does not know", "1[3] 2[5 0] -")
	d.do("HV02", method("CommitFailover"))
	d.world.SetNetworkDown(false)
	d.clock.Advance(31 * time.Minute)
	d.wantStates("the primary finds out", "1[8] 2[6 0] -")

	d = newVMDriver(t, prepared)
	d.world.SetNetworkDown(true)
	d.do("HV01", method("RevertFailover"))
	d.wantStates("prepared failover cancelled", "1[3] 2[3 0] -")
	if kinds, _ := d.recoveryPoints(); !slices.Contains(kinds, msvm.PointPlannedFailover) {
		t.Errorf("recovery points are %v: the replica knows that the failover is cancelled", kinds)
	}
	d.world.SetNetworkDown(false)
	d.clock.Advance(31 * time.Minute)
	if kinds, _ := d.recoveryPoints(); slices.Contains(kinds, msvm.PointPlannedFailover) {
		t.Errorf("recovery points are %v: the replica does not know that the failover is cancelled", kinds)
	}

	d = extended(t)
	d.do("HV02", method("InitiateFailover"), method("CommitFailover"))
	d.world.SetNetworkDown(true)
	d.wantFailedJob("become the primary", "HV02",
		withRelationship("ChangeReplicationModeToPrimary", msvm.Extended), 32768)
}

// An initial replication and a resynchronization make no progress while the network is down, and go on where they were.
func TestTransferWaitsForNetwork(t *testing.T) {
	for _, tt := range []struct {
		vm     int
		kind   msvm.JobType
		states string
	}{
		{initialReplication, 116, "1[2] 2[2 0] -"},
		{resynchronizing, 107, "1[10] 2[10 0] -"},
	} {
		d := newVMDriver(t, tt.vm)
		path := wmiquery.Ref("")
		for _, a := range read[msvm.AffectedJobElement](t, d.hosts["HV01"]) {
			if j, ok := d.job("HV01", a.AffectingElement); ok && msvm.VMOf(a.AffectedElement) == d.vm && *j.JobType == tt.kind {
				path = a.AffectingElement
			}
		}
		d.world.SetNetworkDown(true)
		begin, _ := d.job("HV01", path)
		d.clock.Advance(3 * time.Hour)
		d.wantStates("without the network", tt.states)
		if j, _ := d.job("HV01", path); *j.JobState != 4 || *j.ElapsedTime != *begin.ElapsedTime ||
			*j.PercentComplete != *begin.PercentComplete {
			t.Errorf("job %d is in state %d at %d percent, want 4 at %d", tt.kind, *j.JobState, *j.PercentComplete,
				*begin.PercentComplete)
		}
		if h := *d.rows("HV01")[0].ReplicationHealth; h != 3 {
			t.Errorf("job %d: health is %d, want 3", tt.kind, h)
		}
		d.world.SetNetworkDown(false)
		d.clock.Advance(31 * time.Minute)
		if j, _ := d.job("HV01", path); *j.ElapsedTime <= *begin.ElapsedTime {
			t.Errorf("job %d does not go on", tt.kind)
		}
		d.clock.Advance(3 * time.Hour)
		d.wantStates("finished", "1[3] 2[3 0] -")
	}
}

// A replica that was taken out of a resynchronization while the network was down needs a new one.
func TestResynchronizationEndedByReplica(t *testing.T) {
	d := newVMDriver(t, resynchronizing)
	d.world.SetNetworkDown(true)
	d.do("HV02", request(3))
	d.wantStates("ended on the replica", "1[10] 2[3 0] -")
	d.clock.Advance(time.Hour)
	d.wantStates("the primary does not know", "1[10] 2[3 0] -")
	d.world.SetNetworkDown(false)
	d.clock.Advance(31 * time.Minute)
	d.wantStates("the primary finds out", "1[9] 2[3 0] -")
	if err := d.world.Invariants(); err != nil {
		t.Error(err)
	}
}

// During the scenario's outage the test of the connection fails, and it succeeds afterwards.
func TestConnectionDuringOutage(t *testing.T) {
	d := newOutageDriver(t)
	d.wantFailedJob("during the outage", "HV01", connect, 32768)
	d.clock.Advance(time.Hour)
	d.do("HV01", connect)
}

// Source: MicrosoftDocs/windows-powershell-docs, Set-VMReplication, AllowedPrimaryServer: a replica that is bound to an
// entry accepts the server of the entry, and all servers of the same trust group.
func TestTrustGroups(t *testing.T) {
	entry := func(server, group string) []any {
		folder := `D:\`
		return embeddedParam(t, "AuthorizationEntry", msvm.ReplicationAuthorizationSettingData{
			AllowedPrimaryHostSystem: &server, ReplicaStorageLocation: &folder, TrustGroup: &group,
		})
	}
	for _, tt := range []struct{ bound, other, want string }{
		{"Production", "production", "1[3] 2[3 0] -"},
		{"Production", "Test", "1[8] 2[8 0] -"},
		{"", "", "1[8] 2[8 0] -"},
	} {
		d := newSingleVMDriver(t)
		d.do("HV02", method("AddAuthorizationEntry", entry("HV03.contoso.com", tt.bound)...),
			method("AddAuthorizationEntry", entry("HV01.contoso.com", tt.other)...),
			method("SetAuthorizationEntry", entry("HV03.contoso.com", tt.bound)...))
		d.clock.Advance(20 * time.Minute)
		d.wantStates("bound to "+tt.bound+", authorized by "+tt.other, tt.want)
	}
}

// Sources: MicrosoftDocs/windows-powershell-docs, Set-VMReplicationServer, CertificateThumbprint; Microsoft's
// virtualization blog, 2012-03-13: a certificate must not be expired, and must be for client and server authentication.
func TestCertificates(t *testing.T) {
	d := newSingleVMDriver(t)
	valid := *read[msvm.ReplicationServiceSettingData](t, d.hosts["HV01"])[0].CertificateThumbPrint
	thumbprints := map[string]bool{valid: true}
	service := read[msvm.ReplicationService](t, d.hosts["HV01"])[0].Ref()
	certificates := call(t, d.hosts["HV01"], newCall(service, "GetSystemCertificates")).Out["EncodedCertificates"]
	for _, encoded := range certificates.([]string) {
		der, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if thumbprint := fmt.Sprintf("%X", sha1.Sum(der)); thumbprint != valid {
			thumbprints[thumbprint] = false // the expired one, and the root, which is not for authentication
		}
	}
	if len(thumbprints) != 3 {
		t.Fatalf("%d certificates, want 3", len(thumbprints))
	}
	for thumbprint, works := range thumbprints {
		want := map[bool]msvm.JobState{true: 7, false: 10}[works]
		try := method("TestReplicationConnection", "RecoveryConnectionPoint", "HV02", "RecoveryServerPortNumber",
			uint16(443), "AuthenticationType", uint16(2), "CertificateThumbPrint", thumbprint)
		if j := d.finish("HV01", try(d, "HV01")); *j.JobState != want {
			t.Errorf("test with certificate %s: job state is %d, want %d", thumbprint, *j.JobState, want)
		}
		set := func(s *msvm.ReplicationServiceSettingData) { s.CertificateThumbPrint = &thumbprint }
		if j := d.finish("HV02", d.modifyService("HV02", set)); *j.JobState != want {
			t.Errorf("certificate %s of the server: job state is %d, want %d", thumbprint, *j.JobState, want)
		}
	}

	const withCertificate = 9 // of a World of 40 VMs that all replicate
	d = newDriver(t, simulator.Config{Seed: 1, VMs: 40, Scenario: "healthy"})
	d.vm = vms(t, d.hosts["HV01"])[withCertificate]
	if s := d.settings("HV01"); *s.AuthenticationType != 2 || *s.CertificateThumbPrint != valid {
		t.Fatalf("authentication of the VM is %d with %q, want 2 with %q",
			*s.AuthenticationType, *s.CertificateThumbPrint, valid)
	}
	states := d.states()
	end := time.Date(2027, 1, 23, 0, 0, 0, 0, time.UTC) // two months after the World was created
	d.clock.Set(end)
	d.wantStates("before the certificate expires", states)
	d.clock.Set(end.Add(20 * time.Minute))
	d.wantStates("after the certificate has expired", "1[8] 2[8 0] -")
}
