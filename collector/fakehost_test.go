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
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// fakeHost is a wmiquery.Reader that returns the instances and errors that a test
// has set.
type fakeHost struct {
	clock *fakeClock
	// statistics replies to GetReplicationStatisticsEx.
	statistics func(wmiquery.Call) (wmiquery.Reply, error)

	mu           sync.Mutex
	rows         map[string]any   // []T, by class
	errs         map[string]error // by class or method
	certificates wmiquery.Reply   // of GetSystemCertificates
	// failoverNetworks has the failover settings of adapters.
	failoverNetworks map[wmiquery.Ref][]msvm.FailoverNetworkAdapterSettingData
}

var _ wmiquery.Reader = (*fakeHost)(nil)

// newFakeHost returns a host with Hyper-V and the given VMs.
func newFakeHost(c *fakeClock, vms ...msvm.ComputerSystem) *fakeHost {
	h := &fakeHost{clock: c, rows: map[string]any{}, errs: map[string]error{}}
	setRows(h, msvm.ReplicationService{
		Name: "replicasvc", CreationClassName: "Msvm_ReplicationService", OperationalStatus: []uint16{msvm.StatusOK},
	})
	setRows(h, append([]msvm.ComputerSystem{{Name: "HV09", ElementName: new("HV09")}}, vms...)...)
	return h
}

// setRows replaces the instances of a class.
func setRows[T wmiquery.Instance](h *fakeHost, rows ...T) {
	var zero T
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rows[zero.WMIClass().Name] = rows
}

// setError makes a class or a method fail with err, or succeed if err is nil.
func (h *fakeHost) setError(name string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs[name] = err
}

func (h *fakeHost) Read(_ context.Context, dst any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	class := className(dst)
	err := h.errs[class]
	if _, ok := wmiquery.InvalidValues(err); !ok {
		return err
	}
	if rows := h.rows[class]; rows != nil {
		reflect.ValueOf(dst).Elem().Set(reflect.ValueOf(rows))
	}
	return err
}

func (h *fakeHost) Texts(context.Context, wmiquery.Class) ([]wmiquery.Embedded, error) {
	return nil, wmiquery.ErrUnsupported
}

func (h *fakeHost) Get(_ context.Context, call wmiquery.Call) (wmiquery.Reply, error) {
	h.mu.Lock()
	err, certificates := h.errs[call.Method], h.certificates
	h.mu.Unlock()
	switch {
	case err != nil:
		return wmiquery.Reply{}, err
	case call.Method == "GetReplicationStatisticsEx":
		return h.statistics(call)
	}
	return certificates, nil
}

// Associated returns the failover settings of an adapter. Its error is that set for AssociatorsOf.
func (h *fakeHost) Associated(_ context.Context, dst any, of wmiquery.Ref, association wmiquery.Class) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	settings, ok := h.failoverNetworks[of]
	if !ok || association.Name != "Msvm_EthernetPortFailoverSettingDataComponent" {
		return wmiquery.ErrNotFound
	}
	*dst.(*[]msvm.FailoverNetworkAdapterSettingData) = settings
	return h.errs["AssociatorsOf"]
}

func (h *fakeHost) Now() time.Time { return h.clock.Now() }

func newVM(id, name string, mode msvm.ReplicationMode) msvm.ComputerSystem {
	return msvm.ComputerSystem{Name: id, ElementName: &name, ReplicationMode: &mode}
}

// newHostWithVM returns a host with the VM app01, which is a primary VM and replicates.
func newHostWithVM(c *fakeClock) *fakeHost {
	h := newFakeHost(c, newVM(appID, "app01", 1))
	setRows(h, newRelationship(appID, "app01"))
	setRows(h, newSettings(appID))
	h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
		return statisticsReply(property("ReplicationSuccessCount", "uint32", "1")), nil
	}
	return h
}

// newRelationship returns the primary relationship of a VM, in the state Replicating.
func newRelationship(vmID, vmName string) msvm.ReplicationRelationship {
	return msvm.ReplicationRelationship{
		InstanceID: `Microsoft:` + vmID + `\HVR\0`, ElementName: &vmName, ReplicationState: new(msvm.ReplicationState(3)),
	}
}

// newSettings returns the settings of the primary relationship of a VM.
func newSettings(vmID string) msvm.ReplicationSettingData {
	return msvm.ReplicationSettingData{InstanceID: `Microsoft:` + vmID + `\HVR\0`, ReplicationInterval: new(uint16(300))}
}

// property returns a property in CIM-XML.
func property(name, kind, value string) string {
	return `<PROPERTY NAME="` + name + `" TYPE="` + kind + `"><VALUE>` + value + `</VALUE></PROPERTY>`
}

// statisticsReply returns the reply to GetReplicationStatisticsEx with the properties of the
// statistics and those of each health issue, in CIM-XML.
func statisticsReply(statistics string, issues ...string) wmiquery.Reply {
	var texts []string
	for _, issue := range issues {
		texts = append(texts, `<INSTANCE CLASSNAME="Msvm_Error">`+issue+`</INSTANCE>`)
	}
	return wmiquery.Reply{Out: map[string]any{
		"ReplicationStatistics":   []string{`<INSTANCE CLASSNAME="Msvm_ReplicationStatistics">` + statistics + `</INSTANCE>`},
		"ReplicationHealthIssues": texts,
	}}
}

func newRecoveryPoint(id, kind string, age time.Duration) msvm.VirtualSystemSettingData {
	return msvm.VirtualSystemSettingData{
		InstanceID: "Microsoft:" + id, VirtualSystemType: &kind, CreationTime: new(noon.Add(-age)),
	}
}

func newJob(id string, kind msvm.JobType, state msvm.JobState) msvm.ConcreteJob {
	return msvm.ConcreteJob{InstanceID: id, JobType: &kind, JobState: &state}
}

// newCertificate returns a certificate in DER and its thumbprint. It is the same
// in every call with the same time.
func newCertificate(tb testing.TB, notAfter time.Time) (der []byte, thumbprint string) {
	tb.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: notAfter.AddDate(-1, 0, 0), NotAfter: notAfter}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return der, sha1Of(string(der))
}

// sha1Of returns the SHA-1 hash of data as a thumbprint.
func sha1Of(data string) string { return fmt.Sprintf("%X", sha1.Sum([]byte(data))) }

// certificatesReply returns the reply to GetSystemCertificates with the certificates.
func certificatesReply(certificates ...[]byte) wmiquery.Reply {
	var texts []string
	for _, der := range certificates {
		texts = append(texts, base64.StdEncoding.EncodeToString(der))
	}
	return wmiquery.Reply{Out: map[string]any{"EncodedCertificates": texts}}
}
