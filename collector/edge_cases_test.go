package collector_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The GUIDs of the VMs of edgeCaseHost, and two that are not of its VMs.
const (
	appID        = "A0000000-0000-4000-8000-00000000000A"
	sqlID        = "B0000000-0000-4000-8000-00000000000B"
	mailID       = "C0000000-0000-4000-8000-00000000000C"
	web1ID       = "D0000000-0000-4000-8000-000000000001"
	web2ID       = "D0000000-0000-4000-8000-000000000002"
	labID        = "D0000000-0000-4000-8000-000000000003"
	archiveID    = "E0000000-0000-4000-8000-00000000000E"
	testVM1ID    = "F0000000-0000-4000-8000-000000000001"
	testVM2ID    = "F0000000-0000-4000-8000-000000000002"
	checkpointID = "5E771265-0000-4000-8000-000000000000" // of the settings of a checkpoint
	laterID      = "E0000000-0000-4000-8000-000000000009" // of a VM that was created later
)

// edgeCaseHost returns a host with rare data: null properties, undocumented enumeration values,
// duplicate instances, paths in different cases, and a second test VM as on a cluster.
func edgeCaseHost(tb testing.TB, c *fakeClock) *fakeHost {
	tb.Helper()
	h := newFakeHost(c,
		newVM(appID, "app01", msvm.ModeReplica),
		newVM(sqlID, "sql01", msvm.ModeReplica),
		newVM(mailID, "mail01", msvm.ModePrimary),
		newVM(web1ID, "web01", msvm.ModePrimary),
		newVM(web2ID, "web01", msvm.ModePrimary),
		newVM(archiveID, "archive01", msvm.ModeExtendedReplica),
		newVM(labID, "mail01#2", msvm.ModePrimary), // like the performance instance of a second VM named mail01
		newVM(testVM1ID, "app01 - Test", msvm.ModeTestReplica),
		newVM(testVM2ID, "app01 - Test", msvm.ModeTestReplica))
	setRows(h,
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("*"), TrustGroup: new("DEFAULT")},
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("hv01.contoso.com")},
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("hv01.contoso.com")},
		msvm.ReplicationAuthorizationSettingData{TrustGroup: new("orphan")})
	// Q17: the key of a provider is Name alone.
	setRows(h,
		msvm.ReplicationProvider{Name: "22391cdc-272c-4ddf-ba88-9befb1a0975c", ElementName: new("Hyper-V")},
		msvm.ReplicationProvider{Name: msvm.BuiltinProvider},
		msvm.ReplicationProvider{Name: "B8B5C7E6-4D2C-4F0B-9C53-6C2A5D7B9F10"},
		msvm.ReplicationProvider{})
	setRows(h,
		msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(appID), Dependent: msvm.VMRef(testVM1ID)},
		msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(appID), Dependent: msvm.VMRef(testVM2ID)},
		msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(appID), Dependent: msvm.VMRef(testVM1ID)})
	setEdgeCaseAdapters(h)
	setEdgeCaseRecoveryPoints(h)
	setEdgeCaseJobs(h)
	setEdgeCaseCertificates(tb, h)
	setRows(h,
		msvm.ReplicaPerformance{Name: "app01", NetworkBytesRecv: new(uint64(7e9)), ReplicationCount: new(uint32(12))},
		msvm.ReplicaPerformance{Name: "web01", NetworkBytesSent: new(uint64(1))},
		msvm.ReplicaPerformance{Name: "web01#1", NetworkBytesSent: new(uint64(2))},
		msvm.ReplicaPerformance{Name: "mail01#1", NetworkBytesSent: new(uint64(3)), ResynchronizedBytes: new(uint64(4))},
		msvm.ReplicaPerformance{Name: "mail01#2", NetworkBytesSent: new(uint64(13))},
		msvm.ReplicaPerformance{Name: "name before it was changed", NetworkBytesSent: new(uint64(5))}, // of no current VM
		msvm.ReplicaPerformance{Name: "app01 - Test", ReplicationCount: new(uint32(6))},               // of one of two VMs
		msvm.ReplicaPerformance{Name: "_Total", NetworkBytesSent: new(uint64(11))})
	return h
}

func adapterRef(owner string, n int) wmiquery.Ref {
	return wmiquery.Ref(fmt.Sprintf(`Msvm_SyntheticEthernetPortSettingData.InstanceID="Microsoft:%s\\%d"`, owner, n))
}

func setEdgeCaseAdapters(h *fakeHost) {
	var components []msvm.EthernetPortFailoverSettingDataComponent
	var all []msvm.FailoverNetworkAdapterSettingData
	for i, s := range []msvm.FailoverNetworkAdapterSettingData{
		{ProtocolIFType: new(uint16(4098)), DHCPEnabled: new(false), IPAddresses: []string{"10.0.0.4", "fd00::4"}},
		{ProtocolIFType: new(uint16(4097)), DHCPEnabled: new(true), IPAddresses: []string{"fd00::4"}},
		{ProtocolIFType: new(uint16(4096)), DHCPEnabled: new(true)},
		{ProtocolIFType: new(uint16(0)), DHCPEnabled: new(true)},
		{ProtocolIFType: new(uint16(4096)), DHCPEnabled: new(false)},
		{}, // only the key
	} {
		s.InstanceID = new(fmt.Sprintf("Failover\\%d", i))
		all = append(all, s)
		components = append(components, msvm.EthernetPortFailoverSettingDataComponent{
			GroupComponent: adapterRef(appID, i), PartComponent: s.Ref(),
		})
	}
	part := wmiquery.Ref(`MSVM_FAILOVERNETWORKADAPTERSETTINGDATA.InstanceID="FAILOVER\\2"`)
	for _, group := range []wmiquery.Ref{
		adapterRef(sqlID, 0), adapterRef(sqlID, 0), // duplicate
		adapterRef(checkpointID, 0), // of a checkpoint
		adapterRef("Definition", 0), // of the defaults for new adapters
	} {
		components = append(components, msvm.EthernetPortFailoverSettingDataComponent{
			GroupComponent: group, PartComponent: part,
		})
	}
	// A configuration without a key belongs to the adapter that the association connects it with.
	withoutKey := msvm.FailoverNetworkAdapterSettingData{IPAddresses: []string{"10.0.0.9"}}
	all = append(all, withoutKey)
	h.failoverNetworks = map[wmiquery.Ref][]msvm.FailoverNetworkAdapterSettingData{adapterRef(sqlID, 1): {withoutKey}}
	components = append(components,
		msvm.EthernetPortFailoverSettingDataComponent{GroupComponent: adapterRef(sqlID, 1)})
	setRows(h, all...)
	setRows(h, components...)
}

func setEdgeCaseRecoveryPoints(h *fakeHost) {
	const prefix = "Microsoft:Hyper-V:Snapshot:Replica:"
	points := []msvm.VirtualSystemSettingData{
		newRecoveryPoint("1", prefix+"Standard", time.Hour),
		newRecoveryPoint("2", prefix+"STANDARD", 2*time.Hour),
		newRecoveryPoint("3", prefix+"ApplicationConsistent", 3*time.Hour),
		newRecoveryPoint("3", prefix+"ApplicationConsistent", 3*time.Hour), // duplicate
		newRecoveryPoint("4", prefix+"Standard", 0),
		newRecoveryPoint("5", prefix+"Standard", 0),
		newRecoveryPoint("6", prefix+"OfAFutureWindows", 4*time.Hour),
		newRecoveryPoint("7", "Microsoft:Hyper-V:Snapshot:Realized", 9*time.Hour), // a checkpoint
		newRecoveryPoint(appID, "Microsoft:Hyper-V:System:Realized", 9*time.Hour), // the VM itself
	}
	points[4].CreationTime = nil
	points[5].CreationTime = new(msvm.Never())
	points[6].VirtualSystemIdentifier = new("b0000000-0000-4000-8000-00000000000b") // it has no association
	points[0].VirtualSystemIdentifier = new(sqlID)                                  // the association refers to another VM
	setRows(h, points...)
	var snapshots []msvm.SnapshotOfVirtualSystem
	for _, p := range append(points[:6:6], points[7]) {
		snapshots = append(snapshots, msvm.SnapshotOfVirtualSystem{Antecedent: msvm.VMRef(appID), Dependent: p.Ref()})
	}
	setRows(h, snapshots...)
}

func setEdgeCaseJobs(h *fakeHost) {
	jobs := []msvm.ConcreteJob{
		newJob("resync", msvm.JobResynchronize, msvm.JobRunning),
		newJob("delta-1", msvm.JobSendDelta, msvm.JobRunning),
		newJob("delta-2", msvm.JobSendDelta, msvm.JobSuspended),
		newJob("delta-3", msvm.JobSendDelta, msvm.JobRunning),
		newJob("test", msvm.JobInitiateTestReplica, msvm.JobStarting),
		newJob("of-no-vm", msvm.JobModifyServerSettings, 99), // an undocumented state
		newJob("scheduled", msvm.JobStartInitialReplication, msvm.JobNew),
		newJob("backup", 42, msvm.JobRunning),
		newJob("of-a-future-windows", 126, msvm.JobRunning),
		newJob("warned", msvm.JobReceiveDelta, msvm.JobCompletedWithWarnings),
		{InstanceID: "no-type", JobState: new(msvm.JobRunning)},
		{InstanceID: "no-state", JobType: new(msvm.JobResynchronize)},
	}
	jobs[0].PercentComplete, jobs[0].StartTime = new(uint16(40)), new(noon.Add(-time.Hour))
	jobs[1].PercentComplete, jobs[1].StartTime = new(uint16(70)), new(noon.Add(-time.Minute))
	jobs[2].PercentComplete, jobs[2].StartTime = new(uint16(10)), new(noon.Add(-2*time.Minute))
	jobs[4].PercentComplete, jobs[4].StartTime = new(uint16(0)), new(msvm.Never())
	setRows(h, jobs...)
	var elements []msvm.AffectedJobElement
	affects := func(id string, ref wmiquery.Ref) {
		elements = append(elements, msvm.AffectedJobElement{AffectedElement: ref, AffectingElement: msvm.JobRef(id)})
	}
	affects("RESYNC", msvm.VMRef(mailID))
	affects("resync", wmiquery.Ref(`Msvm_VirtualSystemSettingData.InstanceID="Microsoft:`+mailID+`"`))
	affects("resync", wmiquery.Ref(`Msvm_VirtualSystemSettingData.InstanceID="Microsoft:`+checkpointID+`"`))
	for _, id := range []string{"delta-1", "delta-2", "delta-3", "no-state", "no-type", "scheduled", "backup"} {
		affects(id, msvm.VMRef(mailID))
	}
	affects("test", msvm.VMRef(appID))
	affects("test", msvm.VMRef(testVM1ID))
	affects("of-no-vm", `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="HV09"`)
	setRows(h, elements...)
}

// settingsID returns the InstanceID of the settings of the VM number n. The host does not have that VM.
func settingsID(n int) string {
	return msvm.Key{VM: fmt.Sprintf("50000000-0000-4000-8000-%012d", n), Link: msvm.Primary}.InstanceID()
}

// missingThumbprint is the thumbprint of a certificate that is not in the store.
const missingThumbprint = "0123456789ABCDEF0123456789ABCDEF01234567"

func setEdgeCaseCertificates(tb testing.TB, h *fakeHost) {
	tb.Helper()
	der, thumbprint := newCertificate(tb, noon.AddDate(0, 0, 20))
	other, _ := newCertificate(tb, noon.AddDate(0, 0, 30))
	h.certificates = certificatesReply(der, other, []byte("no certificate at all"))
	// A thumbprint as it is copied from the certificate dialog of Windows.
	pasted := "\u200E" + strings.ToLower(thumbprint[:2]+" "+thumbprint[2:])
	setRows(h, msvm.ReplicationServiceSettingData{CertificateThumbPrint: &pasted, RecoveryServerEnabled: new(true)})
	setRows(h,
		msvm.ReplicationSettingData{
			InstanceID: settingsID(1), CertificateThumbPrint: new(strings.ToLower(missingThumbprint)),
			AuthenticationType: new(msvm.AuthenticationCertificate),
		},
		msvm.ReplicationSettingData{InstanceID: settingsID(2), CertificateThumbPrint: &thumbprint},
		msvm.ReplicationSettingData{InstanceID: settingsID(3), CertificateThumbPrint: &thumbprint},
		msvm.ReplicationSettingData{
			InstanceID: settingsID(4), CertificateThumbPrint: new("FFFF"),
			AuthenticationType: new(msvm.AuthenticationKerberos),
		},
		msvm.ReplicationSettingData{InstanceID: settingsID(5), CertificateThumbPrint: new(" ")},
		msvm.ReplicationSettingData{InstanceID: settingsID(6)})
}
