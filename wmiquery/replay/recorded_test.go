package replay

import (
	"crypto/sha1"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// statisticsCall returns the call for the statistics of a relationship.
func statisticsCall(t *testing.T, s wmiquery.Session, key msvm.Key) wmiquery.Call {
	t.Helper()
	service := read[msvm.ReplicationService](t, s)[0]
	call, err := msvm.GetReplicationStatistics(service, key, msvm.ReplicationRelationship{InstanceID: key.InstanceID()})
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// replaceCall replaces the content of the first CALL of a file, from its start tag to its end tag.
func replaceCall(t *testing.T, capture fstest.MapFS, name, content string) {
	t.Helper()
	before, rest, started := strings.Cut(string(capture[name].Data), "<CALL ")
	attributes, rest, _ := strings.Cut(rest, ">")
	_, after, ended := strings.Cut(rest, "</CALL>")
	if !started || !ended {
		t.Fatalf("%s has no CALL", name)
	}
	capture[name] = &fstest.MapFile{Data: []byte(before + "<CALL " + attributes + ">" + content + "</CALL>" + after)}
}

// A call that failed on the host fails with the same sentinel, the text and the code. Replies are the same, too.
func TestCallsReturnRecordedResults(t *testing.T) {
	parameters := func(properties string) string {
		return `<INSTANCE CLASSNAME="__PARAMETERS">` + properties + `</INSTANCE>`
	}
	for _, tt := range []struct {
		name, content string
		err           error  // nil for success or an error without a sentinel
		text          string // of the error, "" for success
		code          uint32
		job           wmiquery.Ref
	}{
		{
			name: "denied", content: `<ERROR CODE="0x80041003">Zugriff  verweigert</ERROR>`,
			err: wmiquery.ErrDenied, text: "Zugriff verweigert (0x80041003)",
		},
		{name: "not found", content: `<ERROR CODE="0x80041002">x</ERROR>`, err: wmiquery.ErrNotFound, text: "0x80041002"},
		{
			name: "old version", content: `<ERROR CODE="0x8004102e">x</ERROR>`,
			err: wmiquery.ErrUnsupported, text: "0x8004102E",
		},
		{
			name: "RPC server", content: `<ERROR CODE="0x800706BA">x</ERROR>`,
			err: wmiquery.ErrUnavailable, text: "0x800706BA",
		},
		{
			name: "other failure", content: `<ERROR CODE="0x80041001">Generic failure</ERROR>`,
			text: "Generic failure (0x80041001)",
		},
		{name: "access denied", content: parameters(returnValue("32769")), code: 32769},
		{
			name: "job", code: 4096, job: `Msvm_ConcreteJob.InstanceID="J"`, content: parameters(
				`<PROPERTY.REFERENCE NAME="Job"><VALUE.REFERENCE>\\HOST1\root\virtualization\v2:` +
					`Msvm_ConcreteJob.InstanceID="J"</VALUE.REFERENCE></PROPERTY.REFERENCE>` + returnValue("4096")),
		},
		{name: "not a number", content: parameters(returnValue("x")), text: `CALL 1`},
		{name: "negative", content: parameters(returnValue("-1")), text: `CALL 1`},
		{name: "without return value", content: parameters(""), text: `ReturnValue is missing`},
	} {
		for _, method := range []string{"GetReplicationStatisticsEx", "GetSystemCertificates"} {
			capture := sample(t)
			replaceCall(t, capture, method+".xml", tt.content)
			_, s := open(t, capture)
			call := msvm.GetSystemCertificates(read[msvm.ReplicationService](t, s)[0])
			if method == "GetReplicationStatisticsEx" {
				call = statisticsCall(t, s, msvm.Key{VM: guid(1), Link: msvm.Primary})
			}
			reply, err := s.Call(call)
			if reply.Code != tt.code || reply.Job != tt.job || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("%s, %s: got %+v, error %v; want code %d, job %q, error %v",
					method, tt.name, reply, err, tt.code, tt.job, tt.err)
			}
			if (err == nil) != (tt.text == "") || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s, %s: got error %v, want one with %q", method, tt.name, err, tt.text)
			}
			if reply.Out["EncodedCertificates"] != nil || reply.Out["ReplicationStatistics"] != nil {
				t.Errorf("%s, %s: got data %v although the call failed", method, tt.name, reply.Out)
			}
		}
	}
}

func returnValue(text string) string {
	return `<PROPERTY NAME="ReturnValue" TYPE="uint32"><VALUE>` + text + `</VALUE></PROPERTY>`
}

// Both relationships of a VM have their own statistics, and the case of GUIDs does not matter.
func TestStatisticsAreThoseOfTheRelationship(t *testing.T) {
	capture := sample(t)
	const file = "GetReplicationStatisticsEx.xml"
	edit(t, capture, file, guid(2)+`\HVR\0`, strings.ToLower(guid(1))+`\hvr\1`)
	_, s := open(t, capture)
	for link, want := range map[msvm.Link]uint32{msvm.Primary: 2, msvm.Extended: 3} {
		call := statisticsCall(t, s, msvm.Key{VM: guid(1), Link: link})
		for range 2 {
			reply, err := s.Call(call)
			if err != nil {
				t.Fatal(err)
			}
			stats, _, err := msvm.Statistics(reply)
			if err != nil || *stats.ReplicationHealth != want {
				t.Errorf("%s relationship: got %+v, error %v; want health %d", link, stats, err, want)
			}
			call.Object = wmiquery.Ref(strings.ToLower(string(call.Object)))
			call.Namespace = strings.ToUpper(call.Namespace)
			call.In[0].Value = wmiquery.Ref(strings.ToLower(string(call.In[0].Value.(wmiquery.Ref))))
		}
	}
	_, err := s.Call(statisticsCall(t, s, msvm.Key{VM: guid(2), Link: msvm.Primary}))
	checkError(t, "relationship without a CALL", err, wmiquery.ErrNotFound, "GetReplicationStatisticsEx.xml has no CALL")
}

// A recorded read that failed has the sentinel of its code. Without a known code it has none.
func TestReadsReturnRecordedErrors(t *testing.T) {
	for code, want := range map[string]error{
		"0x80041003": wmiquery.ErrDenied, "0X80070005": wmiquery.ErrDenied, "0x8004100e": wmiquery.ErrUnsupported,
		"0x80041010": wmiquery.ErrUnsupported, "0x800706ba": wmiquery.ErrUnavailable, "0x8004106C": wmiquery.ErrBusy,
		"0x40004": wmiquery.ErrTimeout, "0x80041001": nil,
	} {
		capture := sample(t)
		capture["Msvm_ComputerSystem.xml"] = &fstest.MapFile{Data: []byte(
			`<CLASS NAME="msvm_computersystem" NAMESPACE="ROOT\virtualization\V2"><ERROR CODE="` + code + `">
				failure of
				the host</ERROR></CLASS>`)}
		_, s := open(t, capture)
		rows := []msvm.ComputerSystem{{Name: "previous"}}
		err := s.Read(&rows)
		if err == nil || want != nil && !errors.Is(err, want) ||
			!strings.HasPrefix(err.Error(), "read Msvm_ComputerSystem: failure of the host (0x") {
			t.Errorf("%s: got error %v, want %v", code, err, want)
		}
		if want == nil && wmiquery.IsRefusal(err) {
			t.Errorf("%s: got error %v, which is a refusal", code, err)
		}
	}
	for _, code := range []string{"", "0", "0x0", "80041003", "0x", "0x1FFFFFFFF", "-0x1", "0x8004 1003"} {
		capture := sample(t)
		edit(t, capture, "Msvm_VirtualSystemSettingData.xml", "0x80041003", code)
		if _, err := Open(capture, nil); err == nil || !strings.Contains(err.Error(), "Msvm_VirtualSystemSettingData.xml") {
			t.Errorf("code %q: got error %v", code, err)
		}
	}
}

// A class without instances has no rows and no error.
func TestReadOfEmptyClass(t *testing.T) {
	capture := sample(t)
	capture["Msvm_ConcreteJob.xml"] = &fstest.MapFile{Data: []byte(
		`<CLASS NAME="Msvm_ConcreteJob" NAMESPACE="root\virtualization\v2"/>`)}
	_, s := open(t, capture)
	rows := []msvm.ConcreteJob{{InstanceID: "previous"}}
	if err := s.Read(&rows); err != nil || len(rows) != 0 {
		t.Errorf("got %d rows, error %v; want no rows", len(rows), err)
	}
}

// If a file that the manifest lists is missing, the error names it. A missing file that the manifest does not list
// belongs to a newer version of this program: only its read or call fails, as on an older version of Windows.
func TestMissingFiles(t *testing.T) {
	names := methodNames()
	for _, class := range msvm.Classes() {
		names = append(names, class.WMIClass().Name)
	}
	if len(names) != 20 {
		t.Errorf("a capture has %d files, want 20", len(names))
	}
	for _, name := range names {
		capture := sample(t)
		delete(capture, name+".xml")
		_, err := Open(capture, nil)
		checkError(t, name+" in the manifest without a file", err, fs.ErrNotExist, name+".xml")
		edit(t, capture, "manifest.xml", `<READ NAME="`+name+`"`, `<READ NAME="Another"`)
		if _, err := Open(capture, nil); err != nil {
			t.Errorf("%s neither in the manifest nor as a file: got error %v", name, err)
		}
	}
	capture := sample(t)
	for _, name := range methodNames() {
		delete(capture, name+".xml")
		edit(t, capture, "manifest.xml", `<READ NAME="`+name+`"`, `<READ NAME="Another"`)
	}
	_, s := open(t, capture)
	for _, call := range []wmiquery.Call{
		statisticsCall(t, s, msvm.Key{VM: guid(1), Link: msvm.Primary}),
		msvm.GetSystemCertificates(read[msvm.ReplicationService](t, s)[0]),
	} {
		_, err := s.Call(call)
		checkError(t, call.Method, err, wmiquery.ErrUnsupported, "the capture has no "+call.Method+".xml")
	}
}

// A file without a CALL: the host had no replicating relationship, or no service.
func TestMethodFilesWithoutCalls(t *testing.T) {
	capture := sample(t)
	for _, name := range methodNames() {
		capture[name+".xml"] = &fstest.MapFile{Data: []byte(`<METHOD NAME="` + name + `" />`)}
	}
	_, s := open(t, capture)
	_, err := s.Call(msvm.GetSystemCertificates(read[msvm.ReplicationService](t, s)[0]))
	checkError(t, "certificates", err, wmiquery.ErrNotFound, "GetSystemCertificates.xml has no CALL")
	_, err = s.Call(statisticsCall(t, s, msvm.Key{VM: guid(1), Link: msvm.Primary}))
	checkError(t, "statistics", err, wmiquery.ErrNotFound, "has no CALL for Microsoft:"+guid(1))
	if got := read[msvm.ReplicationServiceSettingData](t, s)[0]; msvm.StringOrEmpty(got.CertificateThumbPrint) != thumbprint(1) {
		t.Errorf("got thumbprint %v, want that of the capture", msvm.StringOrEmpty(got.CertificateThumbPrint))
	}
}

// sha1Of returns the thumbprint of a certificate.
func sha1Of(der []byte) string { return fmt.Sprintf("%X", sha1.Sum(der)) }

// thumbprint returns the thumbprint that stands for that of the certificate number n in a capture.
func thumbprint(n int) string { return strings.Repeat("0", 39) + string(rune('0'+n)) }

// The second certificate of the sample has expired, the first one has not. Thumbprints are not case-sensitive.
func TestSubstitutesOfAllCertificates(t *testing.T) {
	capture := sample(t)
	edit(t, capture, "GetSystemCertificates.xml", thumbprint(2), strings.Repeat("ab", 20))
	edit(t, capture, "Msvm_ReplicationServiceSettingData.xml", thumbprint(1), strings.Repeat("AB", 20))
	_, s := open(t, capture)
	reply, err := s.Call(msvm.GetSystemCertificates(read[msvm.ReplicationService](t, s)[0]))
	if err != nil {
		t.Fatal(err)
	}
	all, err := msvm.Certificates(reply)
	if err != nil || len(all) != 2 {
		t.Fatalf("got %d certificates, error %v", len(all), err)
	}
	for i, want := range []struct{ from, until int }{{2025, 2027}, {2020, 2025}} {
		c, err := x509.ParseCertificate(all[i])
		if err != nil {
			t.Fatal(err)
		}
		from, until := time.Date(want.from, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(want.until, 1, 1, 0, 0, 0, 0, time.UTC)
		if !c.NotBefore.Equal(from) || !c.NotAfter.Equal(until) {
			t.Errorf("certificate %d: got %v to %v, want %v to %v", i, c.NotBefore, c.NotAfter, from, until)
		}
	}
	if got := msvm.StringOrEmpty(read[msvm.ReplicationServiceSettingData](t, s)[0].CertificateThumbPrint); got != sha1Of(all[1]) {
		t.Errorf("got thumbprint %s in the settings, want that of the second certificate, %s", got, sha1Of(all[1]))
	}
	texts, err := s.Texts(msvm.ReplicationServiceSettingData{}.WMIClass())
	if err != nil || len(texts) != 1 || !strings.Contains(string(texts[0]), "<VALUE>"+sha1Of(all[1])+"</VALUE>") {
		t.Errorf("got error %v and the texts %q, want the same thumbprint", err, texts)
	}
}

// A closed session does not close other sessions with the same capture.
func TestCloseOfOneSession(t *testing.T) {
	h, first := open(t, sample(t))
	second, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	call := statisticsCall(t, first, msvm.Key{VM: guid(1), Link: msvm.Primary})
	first.Close()
	first.Close()
	var rows []msvm.ComputerSystem
	checkError(t, "read on the closed session", first.Read(&rows), wmiquery.ErrUnavailable, "session is closed")
	_, err = first.Call(call)
	checkError(t, "call on the closed session", err, wmiquery.ErrUnavailable, "session is closed")
	if n := len(read[msvm.ComputerSystem](t, second)); n != 5 {
		t.Errorf("got %d rows on the other session, want 5", n)
	}
	if _, err := second.Call(call); err != nil {
		t.Errorf("call on the other session: got error %v", err)
	}
}

// Certificates with the same validity period have different thumbprints: the settings refer to one of them.
func TestSubstitutesOfCertificatesWithSameDates(t *testing.T) {
	capture := sample(t)
	edit(t, capture, "GetSystemCertificates.xml", "20200101000000", "20250101000000")
	edit(t, capture, "GetSystemCertificates.xml", `NOTAFTER="20250101000000`, `NOTAFTER="20270101000000`)
	_, s := open(t, capture)
	reply, err := s.Call(msvm.GetSystemCertificates(read[msvm.ReplicationService](t, s)[0]))
	if err != nil {
		t.Fatal(err)
	}
	all, err := msvm.Certificates(reply)
	if err != nil || len(all) != 2 || sha1Of(all[0]) == sha1Of(all[1]) {
		t.Errorf("got %d certificates, error %v; want two different ones", len(all), err)
	}
}

// Only thumbprints are replaced, not names that look like one.
func TestOnlyThumbprintsAreReplaced(t *testing.T) {
	capture := sample(t)
	edit(t, capture, "Msvm_ComputerSystem.xml", "vm001", thumbprint(1))
	_, s := open(t, capture)
	found := false
	for _, row := range read[msvm.ComputerSystem](t, s) {
		found = found || msvm.StringOrEmpty(row.ElementName) == thumbprint(1)
	}
	if !found {
		t.Errorf("no VM has the name %s", thumbprint(1))
	}
}

// Names of classes in instances are not case-sensitive.
func TestReadIgnoresCaseOfClass(t *testing.T) {
	capture := sample(t)
	edit(t, capture, "Msvm_ComputerSystem.xml", `INSTANCE CLASSNAME="Msvm_ComputerSystem"`, `INSTANCE CLASSNAME="MSVM_computersystem"`)
	_, s := open(t, capture)
	if n := len(read[msvm.ComputerSystem](t, s)); n != 5 {
		t.Errorf("got %d rows, want 5", n)
	}
}

// A capture has format 1. Older and newer formats are rejected.
func TestOpenRejectsOtherFormats(t *testing.T) {
	for _, other := range []string{"0", "2", "10", "01", "1.0", "", " 1", "x"} {
		capture := sample(t)
		edit(t, capture, "manifest.xml", `FORMAT="1"`, `FORMAT="`+other+`"`)
		if _, err := Open(capture, nil); err == nil || !strings.Contains(err.Error(), "want format 1") {
			t.Errorf("format %q: got error %v", other, err)
		}
	}
}
