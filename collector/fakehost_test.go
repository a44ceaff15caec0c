package collector_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// fabricatedHost is a host that answers what a test tells it to.
type fabricatedHost struct {
	clock *clock

	mu           sync.Mutex
	rows         map[string]any   // class -> []T
	fails        map[string]error // class or method -> error
	certificates wmiquery.Reply
}

var _ wmiquery.Reader = (*fabricatedHost)(nil)

// newFabricatedHost is a host with Hyper-V and these VMs.
func newFabricatedHost(c *clock, vms ...msvm.ComputerSystem) *fabricatedHost {
	h := &fabricatedHost{clock: c, rows: map[string]any{}, fails: map[string]error{}}
	set(h, msvm.ReplicationService{Name: "replicasvc", CreationClassName: "Msvm_ReplicationService", OperationalStatus: []uint16{msvm.StatusOK}})
	set(h, append([]msvm.ComputerSystem{{Name: "HV09", ElementName: new("HV09")}}, vms...)...)
	return h
}

// set replaces the instances of a class.
func set[T wmiquery.Instance](h *fabricatedHost, rows ...T) {
	var zero T
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rows[zero.WMIClass().Name] = rows
}

// fail has a class or a method fail, or not any more.
func (h *fabricatedHost) fail(name string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fails[name] = err
}

func (h *fabricatedHost) Read(_ context.Context, dst any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	class := className(dst)
	if err := h.fails[class]; err != nil {
		return err
	}
	if rows := h.rows[class]; rows != nil {
		reflect.ValueOf(dst).Elem().Set(reflect.ValueOf(rows))
	}
	return nil
}

func (h *fabricatedHost) Get(_ context.Context, call wmiquery.Call) (wmiquery.Reply, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.fails[call.Method]; err != nil {
		return wmiquery.Reply{}, err
	}
	return h.certificates, nil
}

func (h *fabricatedHost) Now() time.Time { return h.clock.Now() }

func vmRow(id, name string, mode msvm.ReplicationMode) msvm.ComputerSystem {
	return msvm.ComputerSystem{Name: id, ElementName: &name, ReplicationMode: &mode}
}

// The VMs of the awkward host.
const (
	app      = "A0000000-0000-4000-8000-00000000000A"
	sql      = "B0000000-0000-4000-8000-00000000000B"
	mail     = "C0000000-0000-4000-8000-00000000000C"
	web1     = "D0000000-0000-4000-8000-000000000001"
	web2     = "D0000000-0000-4000-8000-000000000002"
	lab      = "D0000000-0000-4000-8000-000000000003"
	archive  = "E0000000-0000-4000-8000-00000000000E"
	test1    = "F0000000-0000-4000-8000-000000000001"
	test2    = "F0000000-0000-4000-8000-000000000002"
	settings = "5E771265-0000-4000-8000-000000000000" // of a checkpoint: no VM
)

// awkwardHost is a host with what is rare: nulls, numbers that nobody knows, rows
// that come twice, paths in another case, a cluster's second test VM.
func awkwardHost(tb testing.TB, c *clock) *fabricatedHost {
	tb.Helper()
	h := newFabricatedHost(c,
		vmRow(app, "app01", msvm.ModeReplica), vmRow(sql, "sql01", msvm.ModeReplica), vmRow(mail, "mail01", msvm.ModePrimary),
		vmRow(web1, "web01", msvm.ModePrimary), vmRow(web2, "web01", msvm.ModePrimary), vmRow(archive, "archive01", msvm.ModeExtendedReplica),
		vmRow(lab, "mail01#2", msvm.ModePrimary), // a VM may be called what Windows makes of a second mail01
		vmRow(test1, "app01 - Test", msvm.ModeTestReplica), vmRow(test2, "app01 - Test", msvm.ModeTestReplica))
	set(h,
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("*"), TrustGroup: new("DEFAULT")},
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("hv01.contoso.com")},
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("hv01.contoso.com")},
		msvm.ReplicationAuthorizationSettingData{TrustGroup: new("orphan")})
	// Q17: Name alone is the key of a provider.
	set(h,
		msvm.ReplicationProvider{Name: "22391cdc-272c-4ddf-ba88-9befb1a0975c", ElementName: new("Hyper-V")},
		msvm.ReplicationProvider{Name: msvm.BuiltinProvider},
		msvm.ReplicationProvider{Name: "B8B5C7E6-4D2C-4F0B-9C53-6C2A5D7B9F10"},
		msvm.ReplicationProvider{})
	set(h,
		msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(app), Dependent: msvm.VMRef(test1)},
		msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(app), Dependent: msvm.VMRef(test2)},
		msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(app), Dependent: msvm.VMRef(test1)})
	awkwardAdapters(h)
	awkwardPoints(h)
	awkwardJobs(h)
	awkwardCertificates(tb, h)
	set(h,
		msvm.ReplicaPerformance{Name: "app01", NetworkBytesRecv: new(uint64(7e9)), ReplicationCount: new(uint32(12))},
		msvm.ReplicaPerformance{Name: "web01", NetworkBytesSent: new(uint64(1))},
		msvm.ReplicaPerformance{Name: "web01#1", NetworkBytesSent: new(uint64(2))},
		msvm.ReplicaPerformance{Name: "mail01#1", NetworkBytesSent: new(uint64(3)), ResynchronizedBytes: new(uint64(4))},
		msvm.ReplicaPerformance{Name: "mail01#2", NetworkBytesSent: new(uint64(13))},
		msvm.ReplicaPerformance{Name: "name before it was changed", NetworkBytesSent: new(uint64(5))},
		msvm.ReplicaPerformance{Name: "app01 - Test", ReplicationCount: new(uint32(6))}, // of one of two
		msvm.ReplicaPerformance{Name: "_Total", NetworkBytesSent: new(uint64(11))})
	return h
}

func adapter(owner string, n int) wmiquery.Ref {
	return wmiquery.Ref(fmt.Sprintf(`Msvm_SyntheticEthernetPortSettingData.InstanceID="Microsoft:%s\\%d"`, owner, n))
}

func awkwardAdapters(h *fabricatedHost) {
	var components []msvm.EthernetPortFailoverSettingDataComponent
	var all []msvm.FailoverNetworkAdapterSettingData
	for i, s := range []msvm.FailoverNetworkAdapterSettingData{
		{ProtocolIFType: new(uint16(4098)), DHCPEnabled: new(false), IPAddresses: []string{"10.0.0.4", "fd00::4"}},
		{ProtocolIFType: new(uint16(4097)), DHCPEnabled: new(true), IPAddresses: []string{"fd00::4"}},
		{ProtocolIFType: new(uint16(4096)), DHCPEnabled: new(true)},
		{ProtocolIFType: new(uint16(0)), DHCPEnabled: new(true)},
		{ProtocolIFType: new(uint16(4096)), DHCPEnabled: new(false)},
		{}, // nothing but the key
	} {
		s.InstanceID = new(fmt.Sprintf("Failover\\%d", i))
		all = append(all, s)
		components = append(components, msvm.EthernetPortFailoverSettingDataComponent{GroupComponent: adapter(app, i), PartComponent: s.Ref()})
	}
	part := wmiquery.Ref(`MSVM_FAILOVERNETWORKADAPTERSETTINGDATA.InstanceID="FAILOVER\\2"`)
	for _, group := range []wmiquery.Ref{
		adapter(sql, 0), adapter(sql, 0), // twice
		adapter(settings, 0),     // of a checkpoint
		adapter("Definition", 0), // of the defaults
	} {
		components = append(components, msvm.EthernetPortFailoverSettingDataComponent{GroupComponent: group, PartComponent: part})
	}
	// Without its key, a configuration cannot be found.
	all = append(all, msvm.FailoverNetworkAdapterSettingData{IPAddresses: []string{"10.0.0.9"}})
	components = append(components, msvm.EthernetPortFailoverSettingDataComponent{GroupComponent: adapter(sql, 1)})
	set(h, all...)
	set(h, components...)
}

func point(id, kind string, age time.Duration) msvm.VirtualSystemSettingData {
	return msvm.VirtualSystemSettingData{
		InstanceID: "Microsoft:" + id, VirtualSystemType: &kind, CreationTime: new(noon.Add(-age)),
	}
}

func awkwardPoints(h *fabricatedHost) {
	const prefix = "Microsoft:Hyper-V:Snapshot:Replica:"
	points := []msvm.VirtualSystemSettingData{
		point("1", prefix+"Standard", time.Hour),
		point("2", prefix+"STANDARD", 2*time.Hour),
		point("3", prefix+"ApplicationConsistent", 3*time.Hour),
		point("3", prefix+"ApplicationConsistent", 3*time.Hour), // twice
		point("4", prefix+"Standard", 0),
		point("5", prefix+"Standard", 0),
		point("6", prefix+"OfAWindowsToCome", 4*time.Hour),
		point("7", "Microsoft:Hyper-V:Snapshot:Realized", 9*time.Hour), // a checkpoint
		point(app, "Microsoft:Hyper-V:System:Realized", 9*time.Hour),   // the VM itself
	}
	points[4].CreationTime = nil
	points[5].CreationTime = new(msvm.Never())
	points[6].VirtualSystemIdentifier = new("b0000000-0000-4000-8000-00000000000b") // the association has no row for it
	points[0].VirtualSystemIdentifier = new(sql)                                    // the association says otherwise
	set(h, points...)
	var snapshots []msvm.SnapshotOfVirtualSystem
	for _, p := range append(points[:6:6], points[7]) {
		snapshots = append(snapshots, msvm.SnapshotOfVirtualSystem{Antecedent: msvm.VMRef(app), Dependent: p.Ref()})
	}
	set(h, snapshots...)
}

func jobRow(id string, kind msvm.JobType, state msvm.JobState) msvm.ConcreteJob {
	return msvm.ConcreteJob{InstanceID: id, JobType: &kind, JobState: &state}
}

func awkwardJobs(h *fabricatedHost) {
	jobs := []msvm.ConcreteJob{
		jobRow("resync", msvm.JobResynchronize, msvm.JobRunning),
		jobRow("delta-1", msvm.JobSendDelta, msvm.JobRunning),
		jobRow("delta-2", msvm.JobSendDelta, msvm.JobSuspended),
		jobRow("delta-3", msvm.JobSendDelta, msvm.JobRunning),
		jobRow("test", msvm.JobInitiateTestReplica, msvm.JobStarting),
		jobRow("of-no-vm", msvm.JobModifyServerSettings, 99), // a state that nobody knows
		jobRow("scheduled", msvm.JobStartInitialReplication, msvm.JobNew),
		jobRow("backup", 42, msvm.JobRunning),
		jobRow("of-a-windows-to-come", 126, msvm.JobRunning),
		jobRow("warned", msvm.JobReceiveDelta, msvm.JobCompletedWithWarnings),
		{InstanceID: "no-type", JobState: new(msvm.JobRunning)},
		{InstanceID: "no-state", JobType: new(msvm.JobResynchronize)},
	}
	jobs[0].PercentComplete, jobs[0].StartTime = new(uint16(40)), new(noon.Add(-time.Hour))
	jobs[1].PercentComplete, jobs[1].StartTime = new(uint16(70)), new(noon.Add(-time.Minute))
	jobs[2].PercentComplete, jobs[2].StartTime = new(uint16(10)), new(noon.Add(-2*time.Minute))
	jobs[4].PercentComplete, jobs[4].StartTime = new(uint16(0)), new(msvm.Never())
	set(h, jobs...)
	var elements []msvm.AffectedJobElement
	affects := func(id string, ref wmiquery.Ref) {
		elements = append(elements, msvm.AffectedJobElement{AffectedElement: ref, AffectingElement: msvm.JobRef(id)})
	}
	affects("RESYNC", msvm.VMRef(mail))
	affects("resync", wmiquery.Ref(`Msvm_VirtualSystemSettingData.InstanceID="Microsoft:`+mail+`"`))
	affects("resync", wmiquery.Ref(`Msvm_VirtualSystemSettingData.InstanceID="Microsoft:`+settings+`"`))
	for _, id := range []string{"delta-1", "delta-2", "delta-3", "no-state", "no-type", "scheduled", "backup"} {
		affects(id, msvm.VMRef(mail))
	}
	affects("test", msvm.VMRef(app))
	affects("test", msvm.VMRef(test1))
	affects("of-no-vm", `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="HV09"`)
	set(h, elements...)
}

// newCertificate is a certificate in DER, always the same, and its thumbprint.
func newCertificate(tb testing.TB, notAfter time.Time) (der []byte, thumbprint string) {
	tb.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: notAfter.AddDate(-1, 0, 0), NotAfter: notAfter}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return der, fmt.Sprintf("%X", sha1.Sum(der))
}

// store answers GetSystemCertificates.
func store(certificates ...[]byte) wmiquery.Reply {
	var texts []string
	for _, der := range certificates {
		texts = append(texts, base64.StdEncoding.EncodeToString(der))
	}
	return wmiquery.Reply{Out: map[string]any{"EncodedCertificates": texts}}
}

// settingsOf is the InstanceID of the settings of one more VM that replicates.
func settingsOf(n int) string {
	return msvm.Key{VM: fmt.Sprintf("50000000-0000-4000-8000-%012d", n), Link: msvm.Primary}.InstanceID()
}

// missing is the thumbprint of a certificate that no store has.
const missing = "0123456789ABCDEF0123456789ABCDEF01234567"

func awkwardCertificates(tb testing.TB, h *fabricatedHost) {
	tb.Helper()
	der, thumbprint := newCertificate(tb, noon.AddDate(0, 0, 20))
	other, _ := newCertificate(tb, noon.AddDate(0, 0, 30))
	h.certificates = store(der, other, []byte("no certificate at all"))
	// As it is copied from the dialog that shows a certificate.
	pasted := "\u200E" + strings.ToLower(thumbprint[:2]+" "+thumbprint[2:])
	set(h, msvm.ReplicationServiceSettingData{CertificateThumbPrint: &pasted, RecoveryServerEnabled: new(true)})
	set(h,
		msvm.ReplicationSettingData{InstanceID: settingsOf(1), CertificateThumbPrint: new(strings.ToLower(missing)), AuthenticationType: new(msvm.AuthenticationCertificate)},
		msvm.ReplicationSettingData{InstanceID: settingsOf(2), CertificateThumbPrint: &thumbprint},
		msvm.ReplicationSettingData{InstanceID: settingsOf(3), CertificateThumbPrint: &thumbprint},
		msvm.ReplicationSettingData{InstanceID: settingsOf(4), CertificateThumbPrint: new("FFFF"), AuthenticationType: new(msvm.AuthenticationKerberos)},
		msvm.ReplicationSettingData{InstanceID: settingsOf(5), CertificateThumbPrint: new(" ")},
		msvm.ReplicationSettingData{InstanceID: settingsOf(6)})
}
