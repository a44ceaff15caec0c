package replay

import (
	"crypto/sha1"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// sample is the capture in testdata, in memory so that a test can change it.
func sample(t testing.TB) fstest.MapFS {
	t.Helper()
	capture := fstest.MapFS{}
	dir := os.DirFS("testdata/sample")
	names, err := fs.Glob(dir, "*.xml")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files, %v", len(names), err)
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

// guid is the substitute of the script with that number.
func guid(n int) string { return fmt.Sprintf("AAAAAAAA-0000-0000-0000-%012d", n) }

// The cases that are hard to read are those that matter: null is not empty,
// neither is "never", and text is what people wrote.
func TestSample(t *testing.T) {
	_, s := open(t, sample(t))
	systems := read[msvm.ComputerSystem](t, s)
	if len(systems) != 5 || systems[0].IsVM() || systems[0].InstallDate != nil || msvm.StringOrEmpty(systems[2].ElementName) != "vm002 <&>\"'ü" {
		t.Errorf("systems: %+v", systems)
	}
	relationships := read[msvm.ReplicationRelationship](t, s)
	if r := relationships[1]; *r.ReplicationState != 22 || r.ReplicationState.String() != "unknown" {
		t.Errorf("a state that is new: %d", *r.ReplicationState)
	}
	if r := relationships[3]; r.LastReplicationType != nil || !r.LastReplicationTime.Equal(msvm.Never()) {
		t.Errorf("null and never: %+v", r)
	}
	settings := read[msvm.ReplicationSettingData](t, s)
	if d := settings[0].IncludedDisks; len(d) != 2 || settings[1].IncludedDisks == nil || settings[2].IncludedDisks != nil {
		t.Errorf("disks: %q, %#v, %#v", d, settings[1].IncludedDisks, settings[2].IncludedDisks)
	}
	if id := settings[0].ProviderID(); id != msvm.BuiltinProvider {
		t.Errorf("provider %q", id)
	}
	server := read[msvm.ReplicationServiceSettingData](t, s)[0]
	if *server.MonitoringStartTime != time.Hour {
		t.Errorf("an interval: %v", server.MonitoringStartTime)
	}
	links := read[msvm.SystemReplicationRelationship](t, s)
	if links[2].Antecedent != msvm.VMRef(guid(2)) || links[2].Dependent != relationships[2].Ref() {
		t.Errorf("references: %+v", links[2])
	}
	if status := read[msvm.ReplicationService](t, s)[0].StatusDescriptions; !strings.Contains(status[0], "复制") {
		t.Errorf("localized text: %q", status)
	}
	job := read[msvm.ConcreteJob](t, s)[0]
	if *job.ErrorDescription != "" || job.ErrorSummaryDescription != nil || job.TimeSubmitted.Sub(*job.StartTime) != 0 {
		t.Errorf("job: %+v", job)
	}
	if n := read[msvm.ReplicaPerformance](t, s)[0].NetworkBytesSent; *n != 1<<64-1 {
		t.Errorf("a large number: %d", *n)
	}
}

// A read that failed on the host fails with the same sentinel.
func TestFailures(t *testing.T) {
	_, s := open(t, sample(t))
	var dependencies []msvm.ReplicaSystemDependency
	if err := s.Read(&dependencies); !errors.Is(err, wmiquery.ErrUnsupported) || !strings.Contains(err.Error(), "0x80041010") {
		t.Errorf("a class that the host lacks: %v", err)
	}
	var snapshots []msvm.VirtualSystemSettingData
	if err := s.Read(&snapshots); !errors.Is(err, wmiquery.ErrDenied) || !strings.Contains(err.Error(), "Zugriff verweigert (0x80041003)") {
		t.Errorf("denied: %v", err)
	}
	s.Close()
	if err := s.Read(&snapshots); !errors.Is(err, wmiquery.ErrUnavailable) {
		t.Errorf("a session that is closed: %v", err)
	}
}

func TestStatistics(t *testing.T) {
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
			t.Errorf("VM %d: %+v, %+v, %v", tt.vm, stats, issues, err)
		}
		if tt.err != nil && (reply.Out["ReplicationStatistics"] != nil || reply.Out["ReplicationHealthIssues"] != nil) {
			t.Errorf("VM %d: null arrays are %#v", tt.vm, reply.Out)
		}
	}
}

func TestRefusals(t *testing.T) {
	_, s := open(t, sample(t))
	service := read[msvm.ReplicationService](t, s)[0]
	good, err := msvm.GetReplicationStatistics(service, msvm.Key{VM: guid(1), Link: msvm.Primary}, read[msvm.ReplicationRelationship](t, s)[0])
	if err != nil {
		t.Fatal(err)
	}
	change := func(edit func(*wmiquery.Call)) wmiquery.Call {
		c := good
		c.In = append([]wmiquery.Param{}, good.In...)
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
		{"good", good, nil, "", 0},
		{"a control method", change(func(c *wmiquery.Call) { c.Method = "RemoveReplicationRelationshipEx" }), wmiquery.ErrUnsupported, "cannot be changed", 0},
		{"a method that reads", change(func(c *wmiquery.Call) { c.Method = "GetReplicationStatistics" }), wmiquery.ErrUnsupported, "no answers", 0},
		{"a namespace", change(func(c *wmiquery.Call) { c.Namespace = wmiquery.CIMV2 }), wmiquery.ErrUnsupported, "cimv2", 0},
		{"another service", change(func(c *wmiquery.Call) { c.Object = msvm.ReplicationService{Name: "x"}.Ref() }), wmiquery.ErrNotFound, "", 0},
		{"another VM", change(func(c *wmiquery.Call) { c.In[0].Value = msvm.VMRef(guid(2)) }), nil, "", wmiquery.CodeInvalidParam},
		{"no XML", change(func(c *wmiquery.Call) { c.In[1].Value = wmiquery.Embedded("x") }), nil, "", wmiquery.CodeInvalidParam},
		{"null", change(func(c *wmiquery.Call) { c.In[1].Value = nil }), nil, "", wmiquery.CodeInvalidParam},
		{"a relationship that was not asked about", change(func(c *wmiquery.Call) {
			c.In[0].Value = msvm.VMRef(guid(4))
			c.In[1].Value = wmiquery.Embedded(strings.ReplaceAll(string(good.In[1].Value.(wmiquery.Embedded)), guid(1), guid(4)))
		}), wmiquery.ErrNotFound, "GetReplicationStatisticsEx.xml has no CALL", 0},
	} {
		reply, err := s.Call(tt.call)
		if !errors.Is(err, tt.err) || reply.Code != tt.code || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: code %d, %v", tt.name, reply.Code, err)
		}
	}
}

// Certificates come without names and with the dates of the host's, and the
// settings name them.
func TestCertificates(t *testing.T) {
	_, s := open(t, sample(t))
	reply, err := s.Call(msvm.GetSystemCertificates(read[msvm.ReplicationService](t, s)[0]))
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := msvm.Certificates(reply)
	if err != nil || len(certificates) != 2 {
		t.Fatalf("%d certificates, %v", len(certificates), err)
	}
	c, err := x509.ParseCertificate(certificates[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC); !c.NotAfter.Equal(want) || c.Subject.String() != "" {
		t.Errorf("until %v, of %q", c.NotAfter, c.Subject)
	}
	thumbprint := fmt.Sprintf("%X", sha1.Sum(certificates[0]))
	if got := msvm.StringOrEmpty(read[msvm.ReplicationServiceSettingData](t, s)[0].CertificateThumbPrint); got != thumbprint {
		t.Errorf("the server uses %s, the certificate is %s", got, thumbprint)
	}
	if got := msvm.StringOrEmpty(read[msvm.ReplicationSettingData](t, s)[1].CertificateThumbPrint); got != thumbprint {
		t.Errorf("the relationship uses %s, the certificate is %s", got, thumbprint)
	}
}

// The host's clock starts at the time of the capture and goes on.
func TestClock(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	h, err := Open(sample(t), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	captured := time.Date(2026, 11, 22, 21, 42, 10, 500_000_000, time.UTC)
	if !h.Now().Equal(captured) || !h.Captured().Equal(captured) || h.Build() != "20348" {
		t.Errorf("%v, %v, build %s", h.Now(), h.Captured(), h.Build())
	}
	now = now.Add(time.Minute)
	if !h.Now().Equal(captured.Add(time.Minute)) {
		t.Errorf("a minute later: %v", h.Now())
	}
}

// Rows that were read are the reader's: to change them changes no host.
func TestRowsAreCopies(t *testing.T) {
	_, s := open(t, sample(t))
	*read[msvm.ReplicationRelationship](t, s)[0].ReplicationState = 0
	if *read[msvm.ReplicationRelationship](t, s)[0].ReplicationState != msvm.Replicating {
		t.Error("the change of a row is seen by the next who reads")
	}
}

// A class of a newer program is one that the host does not have; what the
// manifest names must be there.
func TestOlderCapture(t *testing.T) {
	capture := sample(t)
	delete(capture, "Msvm_ConcreteJob.xml")
	if _, err := Open(capture, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "Msvm_ConcreteJob.xml") {
		t.Errorf("a file is missing: %v", err)
	}
	edit(t, capture, "manifest.xml", `<READ NAME="Msvm_ConcreteJob"`, `<READ NAME="Msvm_Another"`)
	_, s := open(t, capture)
	var jobs []msvm.ConcreteJob
	if err := s.Read(&jobs); !errors.Is(err, wmiquery.ErrUnsupported) || !strings.Contains(err.Error(), "no Msvm_ConcreteJob.xml") {
		t.Errorf("a class that the capture does not know: %v", err)
	}
}

// edit replaces a text in a file, all over.
func edit(t *testing.T, capture fstest.MapFS, name, from, to string) {
	t.Helper()
	text := string(capture[name].Data)
	if !strings.Contains(text, from) {
		t.Fatalf("%s has no %q", name, from)
	}
	capture[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, from, to))}
}

// A capture that cannot be read says in which file and where.
func TestBadCaptures(t *testing.T) {
	const relationships, statistics = "Msvm_ReplicationRelationship.xml", "GetReplicationStatisticsEx.xml"
	for _, tt := range []struct{ file, from, to, want string }{
		{"manifest.xml", `FORMAT="1"`, `FORMAT="2"`, `manifest.xml: format "2", this program reads format 1`},
		{"manifest.xml", `TIME="2026`, `TIME="soon`, `is not a CIM point in time`},
		{"manifest.xml", `TIME=`, `NOW=`, `manifest.xml: CAPTURE has no TIME`},
		{"manifest.xml", `CAPTURE`, `CLASS`, `manifest.xml: line 2: expected element type <CAPTURE>`},
		{relationships, `</CLASS>`, ``, relationships + `: XML syntax error on line`},
		{relationships, `</CLASS>`, `</CLASS><CLASS/>`, relationships + `: line`},
		{relationships, `NAME="Msvm_ReplicationRelationship" NAMESPACE`, `NAME="Msvm_X" NAMESPACE`, relationships + `: it is about "Msvm_X"`},
		{relationships, `virtualization\v2`, `virtualization`, relationships + `: it is about`},
		{relationships, `</CLASS>`, `<ERROR CODE="0x80041010"/></CLASS>`, relationships + `: an ERROR beside an INSTANCE`},
		{"Msvm_VirtualSystemSettingData.xml", `0x80041003`, `denied`, `"denied" is no code of WMI`},
		{"Msvm_VirtualSystemSettingData.xml", `CODE=`, `COD=`, `an ERROR without a CODE`},
		{statistics, `NAME="GetReplicationStatisticsEx"`, `NAME="x"`, statistics + `: it is about "x"`},
		{statistics, `INSTANCE CLASSNAME`, `CALLED CLASSNAME`, statistics + `: XML syntax error`},
		{"GetSystemCertificates.xml", `INSTANCE`, `OTHER`, `GetSystemCertificates.xml: CALL 1, "": 0 INSTANCEs where one`},
		{"GetSystemCertificates.xml", `NOTAFTER`, `NOT`, `GetSystemCertificates.xml: CERTIFICATE 1, "0000000000000000000000000000000000000001": no NOTBEFORE`},
	} {
		capture := sample(t)
		edit(t, capture, tt.file, tt.from, tt.to)
		if _, err := Open(capture, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with %s: %v; want %s", tt.file, tt.to, err, tt.want)
		}
	}
	if _, err := Open(fstest.MapFS{}, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no capture") {
		t.Errorf("an empty folder: %v", err)
	}
}

// Editors put a byte order mark in front, and a newer script may write more.
func TestOddButGood(t *testing.T) {
	capture := sample(t)
	edit(t, capture, "Msvm_ReplicationRelationship.xml", "<?xml", "\uFEFF<?xml")
	edit(t, capture, "Msvm_ReplicationRelationship.xml", "<CLASS ", "<CLASS MOOD='good' ")
	edit(t, capture, "Msvm_ReplicationRelationship.xml", "<INSTANCE ", "<!-- more --><MORE>x</MORE><INSTANCE ")
	edit(t, capture, "Msvm_ReplicationRelationship.xml", "</INSTANCE>", `<PROPERTY NAME="More" TYPE="string" /></INSTANCE>`)
	_, s := open(t, capture)
	if n := len(read[msvm.ReplicationRelationship](t, s)); n != 5 {
		t.Errorf("%d rows", n)
	}
}

// A value that cannot be read fails its class or its call, as it would in the
// live client, and says where it is.
func TestBadValues(t *testing.T) {
	const where = `Msvm_ReplicationRelationship.xml: INSTANCE 2, InstanceID "Microsoft:AAAAAAAA-0000-0000-0000-000000000002\\HVR\\0"`
	for _, tt := range []struct{ from, to, want string }{
		{`<VALUE>22</VALUE>`, `<VALUE>many</VALUE>`, where + `: embedded instance of "Msvm_ReplicationRelationship": property ReplicationState: "many" is not a uint16`},
		{`<VALUE>22</VALUE>`, `<VALUE>65536</VALUE>`, where},
		{`<VALUE>20261122213710.000000-000</VALUE>`, `<VALUE>yesterday</VALUE>`, where},
		{`CLASSNAME="Msvm_ReplicationRelationship"`, `CLASSNAME="Msvm_Error"`, `INSTANCE 1, InstanceID "Microsoft:AAAAAAAA-0000-0000-0000-000000000001\\HVR\\0": it is one of "Msvm_Error"`},
	} {
		capture := sample(t)
		edit(t, capture, "Msvm_ReplicationRelationship.xml", tt.from, tt.to)
		_, s := open(t, capture)
		var rows []msvm.ReplicationRelationship
		if err := s.Read(&rows); err == nil || !strings.Contains(err.Error(), tt.want) || rows != nil {
			t.Errorf("%s: %d rows, %v", tt.to, len(rows), err)
		}
		read[msvm.ComputerSystem](t, s)
	}
	capture := sample(t)
	edit(t, capture, "GetReplicationStatisticsEx.xml", `"ReturnValue"`, `"Nothing"`)
	_, s := open(t, capture)
	call, err := msvm.GetReplicationStatistics(read[msvm.ReplicationService](t, s)[0], msvm.Key{VM: guid(2), Link: msvm.Primary}, read[msvm.ReplicationRelationship](t, s)[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Call(call); err == nil || !strings.Contains(err.Error(), `GetReplicationStatisticsEx.xml: CALL 2, "Microsoft:`+guid(2)) {
		t.Errorf("a call without ReturnValue: %v", err)
	}
}

func TestReadInto(t *testing.T) {
	_, s := open(t, sample(t))
	for _, dst := range []any{nil, 1, []msvm.ComputerSystem{}, new(int), new([]int)} {
		if err := s.Read(dst); err == nil {
			t.Errorf("reads into a %v", reflect.TypeOf(dst))
		}
	}
}
