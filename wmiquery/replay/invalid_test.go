package replay

import (
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// edit replaces all occurrences of a string in a file.
func edit(t *testing.T, capture fstest.MapFS, name, from, to string) {
	t.Helper()
	text := string(capture[name].Data)
	if !strings.Contains(text, from) {
		t.Fatalf("%s has no %q", name, from)
	}
	capture[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, from, to))}
}

// The error for an invalid capture names the file and the position.
func TestOpenRejectsInvalidCaptures(t *testing.T) {
	const relationships, statistics = "Msvm_ReplicationRelationship.xml", "GetReplicationStatisticsEx.xml"
	for _, tt := range []struct{ file, from, to, want string }{
		{"manifest.xml", `FORMAT="1"`, `FORMAT="2"`, `manifest.xml: format "2" is not supported, want format 1`},
		{"manifest.xml", `TIME="2026`, `TIME="soon`, `is not a CIM point in time`},
		{"manifest.xml", `TIME=`, `NOW=`, `manifest.xml: CAPTURE has no TIME`},
		{"manifest.xml", `CAPTURE`, `CLASS`, `manifest.xml: line 2: expected element type <CAPTURE>`},
		{relationships, `</CLASS>`, ``, relationships + `: XML syntax error on line`},
		{relationships, `</CLASS>`, `</CLASS><CLASS/>`, relationships + `: line`},
		{relationships, `NAME="Msvm_ReplicationRelationship" NAMESPACE`, `NAME="Msvm_X" NAMESPACE`, relationships + `: found class "Msvm_X"`},
		{relationships, `virtualization\v2`, `virtualization`, relationships + `: found class`},
		{relationships, `</CLASS>`, `<ERROR CODE="0x80041010"/></CLASS>`, relationships + `: found an ERROR and an INSTANCE`},
		{"Msvm_VirtualSystemSettingData.xml", `0x80041003`, `denied`, `"denied" is not a code of WMI`},
		{"Msvm_VirtualSystemSettingData.xml", `CODE=`, `COD=`, `ERROR has no CODE`},
		{statistics, `NAME="GetReplicationStatisticsEx"`, `NAME="x"`, statistics + `: found method "x"`},
		{statistics, `INSTANCE CLASSNAME`, `CALLED CLASSNAME`, statistics + `: XML syntax error`},
		{"GetSystemCertificates.xml", `INSTANCE`, `OTHER`, `GetSystemCertificates.xml: CALL 1, "": found 0 INSTANCEs, want one`},
		{"GetSystemCertificates.xml", `NOTAFTER`, `NOT`, `GetSystemCertificates.xml: CERTIFICATE 1, "0000000000000000000000000000000000000001": NOTBEFORE or NOTAFTER is missing`},
	} {
		capture := sample(t)
		edit(t, capture, tt.file, tt.from, tt.to)
		if _, err := Open(capture, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with %s: got error %v; want %s", tt.file, tt.to, err, tt.want)
		}
	}
	_, err := Open(fstest.MapFS{}, nil)
	checkError(t, "empty folder", err, fs.ErrNotExist, "not a capture")
}

// An editor may add a byte order mark, and a newer version of this program may write more elements and attributes.
func TestOpenIgnoresUnknownElements(t *testing.T) {
	capture := sample(t)
	edit(t, capture, "Msvm_ReplicationRelationship.xml", "<?xml", "\uFEFF<?xml")
	edit(t, capture, "Msvm_ReplicationRelationship.xml", "<CLASS ", "<CLASS NEW='x' ")
	edit(t, capture, "Msvm_ReplicationRelationship.xml", "<INSTANCE ", "<!-- new --><NEW>x</NEW><INSTANCE ")
	edit(t, capture, "Msvm_ReplicationRelationship.xml", "</INSTANCE>", `<PROPERTY NAME="New" TYPE="string" /></INSTANCE>`)
	_, s := open(t, capture)
	if n := len(read[msvm.ReplicationRelationship](t, s)); n != 5 {
		t.Errorf("got %d rows, want 5", n)
	}
}

// As in the live client, an invalid value costs this value, and nothing else. The error describes it.
func TestInvalidValueIsNull(t *testing.T) {
	const id = `Microsoft:AAAAAAAA-0000-0000-0000-000000000002\HVR\0`
	for _, tt := range []struct{ from, text, property, err string }{
		{`<VALUE>22</VALUE>`, `many`, "ReplicationState", `"many" is not a uint16: invalid syntax`},
		{`<VALUE>22</VALUE>`, `65536`, "ReplicationState", `"65536" is not a uint16: value out of range`},
		{
			`<VALUE>20261122213710.000000-000</VALUE>`, `yesterday`, "LastReplicationTime",
			`"yesterday" is not a CIM point in time (yyyymmddHHMMSS.mmmmmm±mmm)`,
		},
	} {
		capture := sample(t)
		_, s := open(t, capture)
		want := read[msvm.ReplicationRelationship](t, s)
		edit(t, capture, "Msvm_ReplicationRelationship.xml", tt.from, `<VALUE>`+tt.text+`</VALUE>`)
		_, s = open(t, capture)
		var rows []msvm.ReplicationRelationship
		invalid, ok := wmiquery.InvalidValues(s.Read(&rows))
		if !ok || len(invalid) != 1 || invalid[0].Err.Error() != tt.err {
			t.Errorf("%s: got invalid values %v", tt.text, invalid)
			continue
		}
		v := invalid[0]
		v.Err = nil
		if v != (wmiquery.InvalidValue{
			Class: "Msvm_ReplicationRelationship", Row: 1, Instance: id, Property: tt.property, Text: tt.text,
		}) {
			t.Errorf("%s: got invalid value %+v", tt.text, v)
		}
		reflect.ValueOf(&want[1]).Elem().FieldByName(tt.property).SetZero()
		if !reflect.DeepEqual(rows, want) {
			t.Errorf("%s: got rows %+v, want %+v", tt.text, rows, want)
		}
	}
}

// An instance that cannot be read is left out, and the error names it.
func TestUnreadableInstanceIsLeftOut(t *testing.T) {
	for _, tt := range []struct{ from, to, err string }{
		{`<PROPERTY NAME="InstanceID"`, `<PROPERTY`, `has no NAME`},
		{`<INSTANCE CLASSNAME="Msvm_ReplicationRelationship">`, `<INSTANCE CLASSNAME="Msvm_Error">`, `found an instance of "Msvm_Error"`},
	} {
		capture := sample(t)
		_, s := open(t, capture)
		want := read[msvm.ReplicationRelationship](t, s)[1:]
		const name = "Msvm_ReplicationRelationship.xml"
		text := string(capture[name].Data)
		if !strings.Contains(text, tt.from) {
			t.Fatalf("%s has no %s", name, tt.from)
		}
		capture[name] = &fstest.MapFile{Data: []byte(strings.Replace(text, tt.from, tt.to, 1))}
		_, s = open(t, capture)
		var rows []msvm.ReplicationRelationship
		invalid, ok := wmiquery.InvalidValues(s.Read(&rows))
		if !ok || len(invalid) != 1 || !reflect.DeepEqual(rows, want) {
			t.Errorf("%s: got %d rows, invalid values %v", tt.to, len(rows), invalid)
			continue
		}
		v := invalid[0]
		if v.Row != -1 || v.Instance != name+", INSTANCE 1" || v.Property != "" || !strings.Contains(v.Err.Error(), tt.err) {
			t.Errorf("%s: got invalid value %+v", tt.to, v)
		}
	}
}

// Without its return code, a reply cannot be read. Without another out parameter, it can.
func TestInvalidOutParameter(t *testing.T) {
	capture := sample(t)
	edit(t, capture, "GetReplicationStatisticsEx.xml", `"ReturnValue"`, `"Nothing"`)
	_, s := open(t, capture)
	service, relationship := read[msvm.ReplicationService](t, s)[0], read[msvm.ReplicationRelationship](t, s)[1]
	call, err := msvm.GetReplicationStatistics(service, msvm.Key{VM: guid(2), Link: msvm.Primary}, relationship)
	if err != nil {
		t.Fatal(err)
	}
	want := `GetReplicationStatisticsEx.xml: CALL 2, "Microsoft:` + guid(2)
	if _, err := s.Call(call); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("call without ReturnValue: got error %v", err)
	}
}

// The texts of errors have a limit, whatever is in the files.
func TestErrorsOfLongTextsAreShort(t *testing.T) {
	long := strings.Repeat("x", 1e6)
	const relationships, statistics = "Msvm_ReplicationRelationship.xml", "GetReplicationStatisticsEx.xml"
	for _, tt := range []struct{ file, from, to string }{
		{"manifest.xml", `TIME="2026`, `TIME="` + long},
		{"manifest.xml", `FORMAT="1"`, `FORMAT="` + long + `"`},
		{"manifest.xml", `CAPTURE`, long},
		{relationships, `</CLASS>`, `</` + long + `>`},
		{relationships, `NAME="Msvm_ReplicationRelationship" NAMESPACE`, `NAME="` + long + `" NAMESPACE`},
		{relationships, `<VALUE>22</VALUE>`, `<VALUE>` + long + `</VALUE>`},
		{relationships, `<VALUE>22</VALUE>`, `<VALUE><` + long + `/></VALUE>`},
		{relationships, `NAME="ReplicationState"`, `NAME="ReplicationState" ` + long + `="` + long + `"`},
		{relationships, `<INSTANCE CLASSNAME="Msvm_ReplicationRelationship">`, `<INSTANCE CLASSNAME="` + long + `">`},
		{"Msvm_VirtualSystemSettingData.xml", `0x80041003`, long},
		{"Msvm_VirtualSystemSettingData.xml", `CODE="0x80041003"`, `CODE="0x80041003">` + long + `</ERROR><NEW x=""`},
		{statistics, `"ReturnValue"`, `"` + long + `"`},
		{statistics, `INSTANCEID="Microsoft`, `INSTANCEID="` + long},
		{statistics, `&lt;INSTANCE`, long},
	} {
		capture := sample(t)
		edit(t, capture, tt.file, tt.from, tt.to)
		h, err := Open(capture, nil)
		errs := []error{err}
		if err == nil {
			s, _ := h.Open()
			var rows []msvm.ReplicationRelationship
			errs = append(errs, s.Read(&rows), s.Read(&[]msvm.VirtualSystemSettingData{}))
			var services []msvm.ReplicationService
			if err := s.Read(&services); err != nil {
				t.Fatal(err)
			}
			for _, call := range calls(services[0], rows) {
				reply, err := s.Call(call)
				errs = append(errs, err)
				_, _, err = msvm.Statistics(reply)
				errs = append(errs, err)
			}
		}
		for _, err := range errs {
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("%s with %.60s: error with %d characters: %.300s", tt.file, tt.to, len(err.Error()), err)
			}
		}
	}
}

func TestReadRejectsInvalidDestination(t *testing.T) {
	_, s := open(t, sample(t))
	for _, dst := range []any{nil, 1, []msvm.ComputerSystem{}, new(int), new([]int)} {
		if err := s.Read(dst); err == nil {
			t.Errorf("no error for destination type %v", reflect.TypeOf(dst))
		}
	}
}
