package replay

import (
	"crypto/sha1"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// sample returns the capture in testdata. It is in memory, so a test can change it.
func sample(t testing.TB) fstest.MapFS {
	t.Helper()
	capture := fstest.MapFS{}
	dir := os.DirFS("testdata/sample")
	names, err := fs.Glob(dir, "*.xml")
	if err != nil || len(names) == 0 {
		t.Fatalf("found %d files, error %v", len(names), err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		capture[name] = &fstest.MapFile{Data: data}
	}
	return capture
}

func open(t *testing.T, capture fs.FS) (*Host, wmiquery.Session) {
	t.Helper()
	h, err := Open(capture, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return h, s
}

func read[T wmiquery.Instance](t *testing.T, s wmiquery.Session) []T {
	t.Helper()
	var rows []T
	if err := s.Read(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// checkError checks that err wraps a sentinel and contains a string.
func checkError(t *testing.T, name string, err, sentinel error, text string) {
	t.Helper()
	if !errors.Is(err, sentinel) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: got error %v, want %v with %q", name, err, sentinel, text)
	}
}

// guid returns the GUID that stands for the GUID number n in a capture.
func guid(n int) string { return fmt.Sprintf("AAAAAAAA-0000-0000-0000-%012d", n) }

// The sample has null values, empty values, "never", unknown numbers, special characters and localized text.
func TestReadSampleCapture(t *testing.T) {
	_, s := open(t, sample(t))
	systems := read[msvm.ComputerSystem](t, s)
	if len(systems) != 5 || systems[0].IsVM() || systems[0].InstallDate != nil ||
		msvm.StringOrEmpty(systems[2].ElementName) != "vm002 <&>\"'ü" {
		t.Errorf("got systems %+v", systems)
	}
	relationships := read[msvm.ReplicationRelationship](t, s)
	if r := relationships[1]; *r.ReplicationState != 22 || r.ReplicationState.String() != "unknown" {
		t.Errorf("unknown state: got %d", *r.ReplicationState)
	}
	if r := relationships[3]; r.LastReplicationType != nil || !r.LastReplicationTime.Equal(msvm.Never()) {
		t.Errorf("null and never: got %+v", r)
	}
	settings := read[msvm.ReplicationSettingData](t, s)
	two, empty, null := settings[0].IncludedDisks, settings[1].IncludedDisks, settings[2].IncludedDisks
	if len(two) != 2 || empty == nil || null != nil {
		t.Errorf("got disks %q, %#v, %#v", two, empty, null)
	}
	if id := settings[0].ProviderID(); id != msvm.BuiltinProvider {
		t.Errorf("got provider %q", id)
	}
	server := read[msvm.ReplicationServiceSettingData](t, s)[0]
	if *server.MonitoringStartTime != time.Hour {
		t.Errorf("got interval %v", server.MonitoringStartTime)
	}
	links := read[msvm.SystemReplicationRelationship](t, s)
	if links[2].Antecedent != msvm.VMRef(guid(2)) || links[2].Dependent != relationships[2].Ref() {
		t.Errorf("got references %+v", links[2])
	}
	if status := read[msvm.ReplicationService](t, s)[0].StatusDescriptions; !strings.Contains(status[0], "复制") {
		t.Errorf("got localized text %q", status)
	}
	job := read[msvm.ConcreteJob](t, s)[0]
	if *job.ErrorDescription != "" || job.ErrorSummaryDescription != nil || job.TimeSubmitted.Sub(*job.StartTime) != 0 {
		t.Errorf("got job %+v", job)
	}
	if n := read[msvm.ReplicaPerformance](t, s)[0].NetworkBytesSent; *n != 1<<64-1 {
		t.Errorf("got NetworkBytesSent %d", *n)
	}
}

// A read that failed on the host fails with the same sentinel.
func TestReadReturnsCapturedErrors(t *testing.T) {
	_, s := open(t, sample(t))
	var dependencies []msvm.ReplicaSystemDependency
	checkError(t, "class that the host does not have", s.Read(&dependencies), wmiquery.ErrUnsupported, "0x80041010")
	var snapshots []msvm.VirtualSystemSettingData
	checkError(t, "class that the host denied", s.Read(&snapshots), wmiquery.ErrDenied, "Zugriff verweigert (0x80041003)")
	s.Close()
	checkError(t, "closed session", s.Read(&snapshots), wmiquery.ErrUnavailable, "")
}

func TestStatisticsOfSampleCapture(t *testing.T) {
	_, s := open(t, sample(t))
	service := read[msvm.ReplicationService](t, s)[0]
	for _, tt := range []struct {
		vm     int
		health uint32
		issues int
		err    error
	}{
		{1, 2, 1, nil},
		{2, 3, 0, nil},
		{3, 0, 0, wmiquery.ErrInvalidState},
	} {
		key := msvm.Key{VM: guid(tt.vm), Link: msvm.Primary}
		call, err := msvm.GetReplicationStatistics(service, key, msvm.ReplicationRelationship{InstanceID: key.InstanceID()})
		if err != nil {
			t.Fatal(err)
		}
		reply, err := s.Call(call)
		if err != nil {
			t.Fatal(err)
		}
		stats, issues, err := msvm.Statistics(reply)
		if !errors.Is(err, tt.err) || len(issues) != tt.issues || err == nil && *stats.ReplicationHealth != tt.health {
			t.Errorf("VM %d: got %+v, issues %+v, error %v", tt.vm, stats, issues, err)
		}
		if tt.err != nil && (reply.Out["ReplicationStatistics"] != nil || reply.Out["ReplicationHealthIssues"] != nil) {
			t.Errorf("VM %d: got %#v for null arrays", tt.vm, reply.Out)
		}
	}
}

func TestCallRejectsWhatIsNotInCapture(t *testing.T) {
	_, s := open(t, sample(t))
	service := read[msvm.ReplicationService](t, s)[0]
	key := msvm.Key{VM: guid(1), Link: msvm.Primary}
	valid, err := msvm.GetReplicationStatistics(service, key, read[msvm.ReplicationRelationship](t, s)[0])
	if err != nil {
		t.Fatal(err)
	}
	change := func(edit func(*wmiquery.Call)) wmiquery.Call {
		c := valid
		c.In = append([]wmiquery.Param{}, valid.In...)
		edit(&c)
		return c
	}
	for _, tt := range []struct {
		name string
		call wmiquery.Call
		err  error
		text string
		code uint32
	}{
		{"valid", valid, nil, "", 0},
		{"method that changes the host", change(func(c *wmiquery.Call) { c.Method = "RemoveReplicationRelationshipEx" }), wmiquery.ErrUnsupported, "cannot be changed", 0},
		{"other method that reads", change(func(c *wmiquery.Call) { c.Method = "GetReplicationStatistics" }), wmiquery.ErrUnsupported, "no replies", 0},
		{"other namespace", change(func(c *wmiquery.Call) { c.Namespace = wmiquery.CIMV2 }), wmiquery.ErrUnsupported, "cimv2", 0},
		{"other service", change(func(c *wmiquery.Call) { c.Object = msvm.ReplicationService{Name: "x"}.Ref() }), wmiquery.ErrNotFound, "", 0},
		{"other VM", change(func(c *wmiquery.Call) { c.In[0].Value = msvm.VMRef(guid(2)) }), nil, "", wmiquery.CodeInvalidParam},
		{"invalid XML", change(func(c *wmiquery.Call) { c.In[1].Value = wmiquery.Embedded("x") }), nil, "", wmiquery.CodeInvalidParam},
		{"null parameter", change(func(c *wmiquery.Call) { c.In[1].Value = nil }), nil, "", wmiquery.CodeInvalidParam},
		{"relationship without a CALL", change(func(c *wmiquery.Call) {
			c.In[0].Value = msvm.VMRef(guid(4))
			relationship := string(valid.In[1].Value.(wmiquery.Embedded))
			c.In[1].Value = wmiquery.Embedded(strings.ReplaceAll(relationship, guid(1), guid(4)))
		}), wmiquery.ErrNotFound, "GetReplicationStatisticsEx.xml has no CALL", 0},
	} {
		reply, err := s.Call(tt.call)
		if !errors.Is(err, tt.err) || reply.Code != tt.code || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got code %d, error %v", tt.name, reply.Code, err)
		}
	}
}

// Substitute certificates have the dates of the captured ones and no names. The settings have their thumbprints.
func TestSubstituteCertificates(t *testing.T) {
	_, s := open(t, sample(t))
	reply, err := s.Call(msvm.GetSystemCertificates(read[msvm.ReplicationService](t, s)[0]))
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := msvm.Certificates(reply)
	if err != nil || len(certificates) != 2 {
		t.Fatalf("got %d certificates, error %v", len(certificates), err)
	}
	c, err := x509.ParseCertificate(certificates[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC); !c.NotAfter.Equal(want) || c.Subject.String() != "" {
		t.Errorf("got certificate until %v with subject %q", c.NotAfter, c.Subject)
	}
	thumbprint := fmt.Sprintf("%X", sha1.Sum(certificates[0]))
	server := read[msvm.ReplicationServiceSettingData](t, s)[0]
	if got := msvm.StringOrEmpty(server.CertificateThumbPrint); got != thumbprint {
		t.Errorf("got thumbprint %s in the settings of the server, want %s", got, thumbprint)
	}
	if got := msvm.StringOrEmpty(read[msvm.ReplicationSettingData](t, s)[1].CertificateThumbPrint); got != thumbprint {
		t.Errorf("got thumbprint %s in the settings of the relationship, want %s", got, thumbprint)
	}
}

// A root has the thumbprint of its substitute, too. The capture of an earlier version does not have the property: it is
// null.
func TestRootCertificateOfCapture(t *testing.T) {
	capture := sample(t)
	_, s := open(t, capture)
	if got := read[msvm.ReplicationSettingData](t, s)[1].RootCertificateThumbPrint; got != nil {
		t.Errorf("got root %s without the property, want null", *got)
	}
	edit(t, capture, "Msvm_ReplicationSettingData.xml", `"CertificateThumbPrint"`, `"RootCertificateThumbPrint"`)
	_, s = open(t, capture)
	row, server := read[msvm.ReplicationSettingData](t, s)[1], read[msvm.ReplicationServiceSettingData](t, s)[0]
	if got := msvm.StringOrEmpty(row.RootCertificateThumbPrint); got != msvm.StringOrEmpty(server.CertificateThumbPrint) ||
		got == thumbprint(1) || row.CertificateThumbPrint != nil {
		t.Errorf("got root %q, want the thumbprint of the substitute", got)
	}
	capture = sample(t)
	const property = `<PROPERTY NAME="CertificateThumbPrint" TYPE="string">`
	edit(t, capture, "Msvm_ReplicationSettingData.xml", property,
		strings.Replace(property, `"C`, `"RootC`, 1)+"<VALUE>"+thumbprint(2)+"</VALUE></PROPERTY>"+property)
	_, s = open(t, capture)
	texts, err := s.Texts(row.WMIClass())
	if err != nil || strings.Contains(string(texts[1]), thumbprint(1)) || strings.Contains(string(texts[1]), thumbprint(2)) {
		t.Errorf("got text %s, error %v, want the thumbprints of the substitutes", texts[1], err)
	}
}

func TestClockStartsAtTimeOfCapture(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	h, err := Open(sample(t), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	captured := time.Date(2026, 11, 22, 21, 42, 10, 500_000_000, time.UTC)
	if !h.Now().Equal(captured) || !h.Captured().Equal(captured) || h.Build() != "20348" {
		t.Errorf("got time %v, time of capture %v, build %s", h.Now(), h.Captured(), h.Build())
	}
	now = now.Add(time.Minute)
	if !h.Now().Equal(captured.Add(time.Minute)) {
		t.Errorf("after a minute: got time %v", h.Now())
	}
}

func TestReadReturnsCopies(t *testing.T) {
	_, s := open(t, sample(t))
	*read[msvm.ReplicationRelationship](t, s)[0].ReplicationState = 0
	if *read[msvm.ReplicationRelationship](t, s)[0].ReplicationState != msvm.Replicating {
		t.Error("a second read returns a row that the caller of the first read has changed")
	}
}

// A class that is not in the manifest is not supported by the host. A class in the manifest must have a file.
func TestCaptureWithoutClass(t *testing.T) {
	capture := sample(t)
	delete(capture, "Msvm_ConcreteJob.xml")
	_, err := Open(capture, nil)
	checkError(t, "class in the manifest without a file", err, fs.ErrNotExist, "Msvm_ConcreteJob.xml")
	edit(t, capture, "manifest.xml", `<READ NAME="Msvm_ConcreteJob"`, `<READ NAME="Msvm_Another"`)
	_, s := open(t, capture)
	var jobs []msvm.ConcreteJob
	err = s.Read(&jobs)
	checkError(t, "class that is not in the manifest", err, wmiquery.ErrUnsupported, "no Msvm_ConcreteJob.xml")
}
