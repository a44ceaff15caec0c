package replay

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var association = wmiquery.Class{
	Namespace: wmiquery.Virtualization, Name: "Msvm_EthernetPortFailoverSettingDataComponent",
}

func associated(s wmiquery.Session, of wmiquery.Ref) ([]msvm.FailoverNetworkAdapterSettingData, error) {
	var rows []msvm.FailoverNetworkAdapterSettingData
	err := s.Associated(&rows, of, association)
	return rows, err
}

// withAssociators returns the sample with a file of what associations connect.
func withAssociators(t *testing.T, content string) fstest.MapFS {
	files := sample(t)
	files["AssociatorsOf.xml"] = &fstest.MapFile{Data: []byte("<ASSOCIATORS>" + content + "</ASSOCIATORS>")}
	return files
}

// The file is that of the format that docs/replay.md describes. A path may have the host and the namespace, and any case.
func TestAssociatedOfEditedFile(t *testing.T) {
	const path = `Msvm_SyntheticEthernetPortSettingData.InstanceID="Microsoft:A\\B"`
	object := func(path, content string) string {
		return `<OBJECT PATH="` + strings.ReplaceAll(path, `"`, "&quot;") + `" ASSOCIATION="` + association.Name + `">` +
			content + `</OBJECT>`
	}
	const instance = `<INSTANCE CLASSNAME="Msvm_FailoverNetworkAdapterSettingData">` +
		`<PROPERTY NAME="DHCPEnabled" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY></INSTANCE>`
	for name, tt := range map[string]struct {
		content string
		rows    int
		err     error
		text    string
	}{
		"one":            {content: object(path, instance), rows: 1},
		"several":        {content: object("x", "") + object(path, instance+instance), rows: 2},
		"none":           {content: object(path, "")},
		"absolute path":  {content: object(`\\HV01\root\virtualization\v2:`+strings.ToLower(path), instance), rows: 1},
		"failure":        {content: object(path, `<ERROR CODE="0x80041003">No</ERROR>`), err: wmiquery.ErrDenied},
		"other object":   {content: object("x", instance), err: wmiquery.ErrNotFound, text: "AssociatorsOf.xml has no OBJECT for Msvm_"},
		"no object":      {err: wmiquery.ErrNotFound},
		"other instance": {content: object(path, `<INSTANCE CLASSNAME="X"></INSTANCE>`), text: "OBJECT 1, INSTANCE 1"},
		"invalid value": {
			content: object(path, strings.ReplaceAll(instance, "TRUE", "maybe")), rows: 1, text: "DHCPEnabled",
		},
	} {
		_, s := open(t, withAssociators(t, tt.content))
		rows, err := associated(s, path)
		if len(rows) != tt.rows || tt.rows > 0 && tt.text == "" && !*rows[0].DHCPEnabled {
			t.Errorf("%s: got %+v, want %d rows", name, rows, tt.rows)
		}
		if tt.err == nil && tt.text == "" {
			if err != nil {
				t.Errorf("%s: got error %v", name, err)
			}
		} else if err == nil || tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got error %v, want %v with %q", name, err, tt.err, tt.text)
		}
	}
}

// A capture of an older version has no file of what associations connect, and only the queries for that fail. If the
// manifest lists the file, or if it is not valid, the capture is not accepted.
func TestCaptureWithoutAssociators(t *testing.T) {
	files := sample(t)
	delete(files, "AssociatorsOf.xml")
	manifest := string(files["manifest.xml"].Data)
	if _, err := Open(files, nil); err == nil || !strings.Contains(err.Error(), "AssociatorsOf.xml") {
		t.Errorf("missing: got error %v", err)
	}
	old := strings.ReplaceAll(manifest, `<READ NAME="AssociatorsOf" MILLISECONDS="2" />`, "")
	files["manifest.xml"] = &fstest.MapFile{Data: []byte(old)}
	_, s := open(t, files)
	if _, err := associated(s, "x"); !errors.Is(err, wmiquery.ErrUnsupported) {
		t.Errorf("not listed: got error %v", err)
	}
	read[msvm.ComputerSystem](t, s)
	for _, content := range []string{
		"<OBJECT>", `<OBJECT PATH="x"><ERROR></ERROR></OBJECT>`, `<OBJECT PATH="x"><ERROR CODE="0x0"></ERROR></OBJECT>`,
	} {
		if _, err := Open(withAssociators(t, content), nil); err == nil || !strings.Contains(err.Error(), "AssociatorsOf.xml") {
			t.Errorf("%s: got error %v", content, err)
		}
	}
}

// What is written is what is read.
func TestAssociatorsAreWrittenAndRead(t *testing.T) {
	settings := msvm.FailoverNetworkAdapterSettingData{
		ProtocolIFType: new(uint16(4096)), DHCPEnabled: new(false), IPAddresses: []string{"198.18.0.1"},
	}
	instance, err := cimxml.NewInstance(settings.WMIClass().Name, settings)
	if err != nil {
		t.Fatal(err)
	}
	r := Recording{Associators: []RecordedAssociators{
		{Of: `A.B="Microsoft:1\\2"`, Association: association.Name, Instances: []cimxml.Instance{instance, instance}},
		{Of: "none", Association: association.Name},
		{Of: "failed", Association: association.Name, Err: wmiquery.ErrDenied},
	}}
	files, err := r.Files()
	if err != nil {
		t.Fatal(err)
	}
	capture := fstest.MapFS{}
	for _, f := range files {
		capture[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	_, s := open(t, capture)
	rows, err := associated(s, `\\H\n:a.b="microsoft:1\\2"`)
	if want := []msvm.FailoverNetworkAdapterSettingData{settings, settings}; err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("got %+v, error %v", rows, err)
	}
	if rows, err := associated(s, "none"); err != nil || len(rows) != 0 {
		t.Errorf("none: got %+v, error %v", rows, err)
	}
	if _, err := associated(s, "failed"); !errors.Is(err, wmiquery.ErrDenied) {
		t.Errorf("failed: got error %v", err)
	}
	s.Close()
	if _, err := associated(s, "none"); !errors.Is(err, wmiquery.ErrUnavailable) {
		t.Errorf("closed session: got error %v", err)
	}
}
