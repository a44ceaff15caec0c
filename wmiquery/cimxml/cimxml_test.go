package cimxml_test

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// sample has a field of every supported type.
type sample struct {
	Text     *string
	Key      string
	Flag     *bool
	U8       *uint8
	U16      *uint16
	U32      *uint32
	U64      *uint64
	S8       *int8
	S16      *int16
	S32      *int32
	S64      *int64
	R32      *float32
	R64      *float64
	Severity *msvm.Severity
	At       *time.Time
	For      *time.Duration
	Path     wmiquery.Ref
	Texts    []string
	Numbers  []uint16
	Flags    []bool
	Times    []time.Time
	Spans    []time.Duration
	Paths    []wmiquery.Ref
	hidden   string
}

func property(name, content string) string {
	return `<PROPERTY NAME="` + name + `" TYPE="x">` + content + `</PROPERTY>`
}

func value(name, value string) string { return property(name, "<VALUE>"+value+"</VALUE>") }

func array(name, content string) string {
	return `<PROPERTY.ARRAY NAME="` + name + `" TYPE="string">` + content + `</PROPERTY.ARRAY>`
}

func instance(content string) string { return `<INSTANCE CLASSNAME="C">` + content + `</INSTANCE>` }

func TestUnmarshal(t *testing.T) {
	declaration := `<?xml version="1.0" encoding="utf-16"?>`
	for name, c := range map[string]struct {
		text string
		want sample
	}{
		"no properties":        {instance(""), sample{}},
		"empty element":        {`<INSTANCE CLASSNAME="C"/>`, sample{}},
		"value":                {instance(value("Text", "a b")), sample{Text: new("a b")}},
		"null":                 {instance(property("Text", "")), sample{}},
		"null, empty element":  {instance(`<PROPERTY NAME="Text" TYPE="string"/>`), sample{}},
		"null, VALUE.NULL":     {instance(property("Text", "<VALUE.NULL/>")), sample{}},
		"null number":          {instance(property("U32", "")), sample{}},
		"null array":           {instance(array("Texts", "")), sample{}},
		"null without array":   {instance(property("Texts", "")), sample{}},
		"null, not a pointer":  {instance(property("Key", "")), sample{}},
		"empty":                {instance(value("Text", "")), sample{Text: new("")}},
		"empty, empty element": {instance(property("Text", "<VALUE/>")), sample{Text: new("")}},
		"empty array":          {instance(array("Texts", "<VALUE.ARRAY/>")), sample{Texts: []string{}}},
		"array": {
			instance(array("Texts", "<VALUE.ARRAY> <VALUE>a</VALUE>\n<VALUE/><VALUE.NULL/></VALUE.ARRAY>")),
			sample{Texts: []string{"a", "", ""}},
		},
		"array of numbers": {
			instance(array("Numbers", "<VALUE.ARRAY><VALUE>2</VALUE><VALUE>65535</VALUE></VALUE.ARRAY>")),
			sample{Numbers: []uint16{2, 65535}},
		},
		"names ignore case":   {instance(value("TEXT", "a") + value("u8", "1")), sample{Text: new("a"), U8: new(uint8(1))}},
		"TRUE":                {instance(value("Flag", "TRUE")), sample{Flag: new(true)}},
		"False":               {instance(value("Flag", "False")), sample{Flag: new(false)}},
		"true":                {instance(value("Flag", "true")), sample{Flag: new(true)}},
		"space around number": {instance(value("U8", "\r\n 7\t")), sample{U8: new(uint8(7))}},
		"space in string":     {instance(value("Text", " a\r\nb\rc ")), sample{Text: new(" a\nb\nc ")}},
		"entities":            {instance(value("Text", "&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;&#xD;")), sample{Text: new("<>&\"'A😀\r")}},
		"CDATA":               {instance(value("Text", "a<![CDATA[<b>&amp;]]]]><![CDATA[>]]>")), sample{Text: new("a<b>&amp;]]>")}},
		"comments":            {"<!-- a -->" + instance("<!----><!-- <> -->"+value("Text", "a<!-- b -->c")) + "<!-- z -->", sample{Text: new("ac")}},
		"invalid characters":  {instance(value("Text", "a\x00b\xffc&#x1;&#xD800;\uFFFF")), sample{Text: new("a\uFFFDb\uFFFDc\uFFFD\uFFFD\uFFFD")}},
		"byte order mark":     {"\uFEFF" + instance(value("Key", "k")), sample{Key: "k"}},
		"declared utf-16":     {declaration + "\r\n" + instance(value("Key", "ключ")), sample{Key: "ключ"}},
		"mark and utf-16":     {"\uFEFF" + declaration + instance(value("Key", "k")) + "\r\n", sample{Key: "k"}},
		"document type":       {`<!DOCTYPE CIM SYSTEM "cim20.dtd">` + instance(value("Key", "k")), sample{Key: "k"}},
		"namespace":           {`<x:INSTANCE xmlns:x="u" CLASSNAME="C"><x:PROPERTY NAME="Key"><x:VALUE>k</x:VALUE></x:PROPERTY></x:INSTANCE>`, sample{Key: "k"}},
		"attributes":          {instance(`<PROPERTY TYPE = 'string' PROPAGATED="true" CLASSORIGIN="a>b" MODIFIED="true" NAME='Key' ><VALUE >k</VALUE ></PROPERTY>`), sample{Key: "k"}},
		"qualifiers":          {instance(qualifier + property("Key", qualifier+"<VALUE>k</VALUE>")), sample{Key: "k"}},
		"system properties":   {instance(system + value("Key", "k")), sample{Key: "k"}},
		"reference":           {instance(`<PROPERTY.REFERENCE NAME="Path"><VALUE.REFERENCE>C.K="v"</VALUE.REFERENCE></PROPERTY.REFERENCE>`), sample{Path: `C.K="v"`}},
		"without field":       {instance(value("Other", "x") + array("Others", "<VALUE.ARRAY/>") + structured + value("hidden", "x") + value("Key", "k")), sample{Key: "k"}},
		"repeated property":   {instance(value("Text", "a") + property("Text", "") + value("Key", "a") + value("Key", "b")), sample{Key: "b"}},
		"defined type":        {instance(value("Severity", "3")), sample{Severity: new(msvm.Severity(3))}},
	} {
		got := sample{Key: "previous", hidden: "previous"}
		if class, err := cimxml.Unmarshal(c.text, &got); err != nil || class != "C" || !reflect.DeepEqual(got, c.want) {
			written, _ := cimxml.Marshal(class, got) // for the message: shows the values of pointers
			t.Errorf("%s: got %s, error %v", name, written, err)
		}
	}
}

const (
	qualifier = `<QUALIFIER NAME="read" TYPE="boolean" OVERRIDABLE="false"><VALUE>TRUE</VALUE></QUALIFIER>`
	system    = `<PROPERTY NAME="__PATH" CLASSORIGIN="___SYSTEM" TYPE="string"><VALUE>\\H\root:C.K="v"</VALUE></PROPERTY>` +
		`<PROPERTY.ARRAY NAME="__DERIVATION" CLASSORIGIN="___SYSTEM" TYPE="string"><VALUE.ARRAY><VALUE>D</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>`
	structured = `<PROPERTY.REFERENCE NAME="Owner"><VALUE.REFERENCE><INSTANCENAME CLASSNAME="D"><KEYBINDING NAME="K">` +
		`<KEYVALUE>v</KEYVALUE></KEYBINDING></INSTANCENAME></VALUE.REFERENCE></PROPERTY.REFERENCE><PROPERTY.OBJECT NAME="O"/>`
)

func TestUnmarshalRejectsInvalidInstances(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "no XML element found",
		" \n":                                 "no XML element found",
		"{}":                                  "between elements",
		"<>":                                  "is not a tag",
		"<CIM/>":                              `"CIM" instead of an INSTANCE`,
		"<INSTANCE/>":                         "instead of an INSTANCE with a CLASSNAME",
		`<INSTANCE CLASSNAME="C">`:            `end of text in element "INSTANCE"`,
		`<INSTANCE CLASSNAME="C`:              "has no end",
		`<INSTANCE CLASSNAME=C/>`:             "is not an attribute",
		`<INSTANCE CLASSNAME="C"`:             "is not an attribute",
		`<INSTANCE CLASSNAME="&c;"/>`:         "is not an entity",
		`<INSTANCE CLASSNAME="C"></OTHER>`:    "which is not open",
		"</INSTANCE>":                         "which is not open",
		"<!-- ":                               "without -->",
		"<?xml":                               "without ?>",
		instance("") + instance(""):           "second element",
		instance("") + "x":                    "between elements",
		instance("x"):                         "between elements",
		instance("<PROPERTY/>"):               `"PROPERTY" has no NAME`,
		instance(value("Text", "&nbsp;")):     `"&nbsp;`,
		instance(value("Text", "&#x110000;")): "is not an entity",
		instance(value("Text", "&lt")):        "is not an entity",
		instance(value("Text", "<![CDATA[")):  "without ]]>",
		strings.Repeat(`<INSTANCE CLASSNAME="C">`, 1e5): "nested too deeply",
		instance(strings.Repeat("<QUALIFIER>", 1e5)):    "nested too deeply",
	} {
		class, err := cimxml.Unmarshal(text, new(sample))
		if err == nil || class != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: got class %q, error %v; want an error with %q", text, class, err, want)
		}
		if err != nil && len(err.Error()) > 250 {
			t.Errorf("%.80s: the error has %d characters", text, len(err.Error()))
		}
	}
	for _, dst := range []any{nil, sample{}, new(string), (*sample)(nil)} {
		if _, err := cimxml.Unmarshal(instance(""), dst); err == nil {
			t.Errorf("no error for destination type %T", dst)
		}
	}
	if _, err := cimxml.Unmarshal(instance(value("A", "1")), new(struct{ A *int })); err == nil {
		t.Error("no error for a field of type int, which is not a CIM type")
	}
}

// A number outside of the range of its type is an error. It is neither wrapped nor truncated.
func TestUnmarshalChecksIntegerRanges(t *testing.T) {
	for name, limits := range map[string][4]string{
		"U8":  {"0", "255", "-1", "256"},
		"U16": {"0", "65535", "-1", "65536"},
		"U32": {"0", "4294967295", "-1", "4294967296"},
		"U64": {"0", "18446744073709551615", "-1", "18446744073709551616"},
		"S8":  {"-128", "127", "-129", "128"},
		"S16": {"-32768", "32767", "-32769", "32768"},
		"S32": {"-2147483648", "2147483647", "-2147483649", "2147483648"},
		"S64": {"-9223372036854775808", "9223372036854775807", "-9223372036854775809", "9223372036854775808"},
	} {
		for i, text := range limits {
			var s sample
			_, err := cimxml.Unmarshal(instance(value(name, text)), &s)
			if good := i < 2; (err == nil) != good {
				t.Errorf("%s in %s: got error %v", text, name, err)
			}
			if err == nil {
				if got := fmt.Sprint(reflect.ValueOf(s).FieldByName(name).Elem()); got != text {
					t.Errorf("%s in %s: got value %s", text, name, got)
				}
			} else if want := text + `" is not a `; !strings.Contains(err.Error(), want) {
				t.Errorf("%s in %s: %v", text, name, err)
			}
		}
	}
}

func TestMarshal(t *testing.T) {
	text, err := cimxml.Marshal("C", &struct {
		Text   *string
		Empty  string
		Null   *uint32
		Flag   bool
		Number int16
		At     time.Time
		For    *time.Duration
		Path   wmiquery.Ref
		List   []string
		None   []uint8
		Bare   []uint8
		Paths  []wmiquery.Ref
		hidden time.Time
	}{
		Text: new("<&>\"'\n\x01\xff😀"), Flag: true, Number: -5, Path: `A\B`,
		List: []string{"a", ""}, Bare: []uint8{}, Paths: []wmiquery.Ref{"B"},
		At:  time.Date(2026, 3, 4, 5, 6, 7, 890123999, time.FixedZone("", 3600)),
		For: new(25*time.Hour + time.Microsecond),
	})
	const want = `<INSTANCE CLASSNAME="C">` +
		`<PROPERTY NAME="Text" TYPE="string"><VALUE>&lt;&amp;&gt;&#34;&#39;&#xA;` + "\uFFFD\uFFFD😀" + `</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Empty" TYPE="string"><VALUE></VALUE></PROPERTY>` +
		`<PROPERTY NAME="Null" TYPE="uint32"></PROPERTY>` +
		`<PROPERTY NAME="Flag" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Number" TYPE="sint16"><VALUE>-5</VALUE></PROPERTY>` +
		`<PROPERTY NAME="At" TYPE="datetime"><VALUE>20260304040607.890123-000</VALUE></PROPERTY>` +
		`<PROPERTY NAME="For" TYPE="datetime"><VALUE>00000001010000.000001:000</VALUE></PROPERTY>` +
		`<PROPERTY.REFERENCE NAME="Path"><VALUE.REFERENCE>A\B</VALUE.REFERENCE></PROPERTY.REFERENCE>` +
		`<PROPERTY.ARRAY NAME="List" TYPE="string"><VALUE.ARRAY><VALUE>a</VALUE><VALUE></VALUE></VALUE.ARRAY></PROPERTY.ARRAY>` +
		`<PROPERTY.ARRAY NAME="None" TYPE="uint8"></PROPERTY.ARRAY>` +
		`<PROPERTY.ARRAY NAME="Bare" TYPE="uint8"><VALUE.ARRAY></VALUE.ARRAY></PROPERTY.ARRAY>` +
		`<PROPERTY.ARRAY NAME="Paths" TYPE="reference"><VALUE.ARRAY><VALUE>B</VALUE></VALUE.ARRAY></PROPERTY.ARRAY></INSTANCE>`
	if err != nil || text != want {
		t.Errorf("got error %v and\n%s\nwant\n%s", err, text, want)
	}
	for _, bad := range []any{
		nil, 1, (*sample)(nil),
		struct{ A int }{},
		struct{ A *any }{},
		struct{ A map[string]string }{},
		struct{ A **string }{},
		struct{ A []*string }{},
		struct{ A time.Duration }{-1},
		struct{ A []time.Duration }{[]time.Duration{0, -1}},
	} {
		if text, err := cimxml.Marshal("C", bad); err == nil {
			t.Errorf("no error for %#v, got %s", bad, text)
		}
	}
}

// A string type is a reference if it implements cimxml.Reference, whatever its name.
func TestMarshalReferenceType(t *testing.T) {
	type Ref string
	text, err := cimxml.Marshal("C", struct {
		A Ref
		B wmiquery.Ref
	}{"a", "b"})
	want := instance(`<PROPERTY NAME="A" TYPE="string"><VALUE>a</VALUE></PROPERTY>` +
		`<PROPERTY.REFERENCE NAME="B"><VALUE.REFERENCE>b</VALUE.REFERENCE></PROPERTY.REFERENCE>`)
	if err != nil || text != want {
		t.Errorf("got error %v and\n%s\nwant\n%s", err, text, want)
	}
}

func TestParse(t *testing.T) {
	text := instance(system + qualifier + value("A", "1") + property("B", "") +
		array("C", "<VALUE.ARRAY><VALUE>x</VALUE><VALUE>y</VALUE></VALUE.ARRAY>"))
	want := cimxml.Instance{Class: "C", Properties: []cimxml.Property{
		{Name: "A", Type: "x", Values: []string{"1"}},
		{Name: "B", Type: "x", Null: true},
		{Name: "C", Type: "string", Array: true, Values: []string{"x", "y"}},
	}}
	if got, err := cimxml.Parse(text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v; want %+v", got, err, want)
	}
	for _, bad := range []string{
		"", instance("") + "<A/>", instance(structured), instance("<PROPERTY/>"), instance("<A>"),
	} {
		if got, err := cimxml.Parse(bad); err == nil || !reflect.DeepEqual(got, cimxml.Instance{}) {
			t.Errorf("%s: got %+v, error %v; want an error", bad, got, err)
		}
	}
}

// The instances are statistics and a health issue as a host returns them.
func TestUnmarshalInstancesOfHyperV(t *testing.T) {
	at := func(day, hour, minute, second int) *time.Time {
		return new(time.Date(2026, 11, day, hour, minute, second, 0, time.UTC))
	}
	var s msvm.ReplicationStatistics
	class, err := cimxml.Unmarshal(statistics, &s)
	want := msvm.ReplicationStatistics{
		StartStatisticTime: at(22, 9, 0, 0), EndStatisticTime: at(22, 21, 42, 10), ReplicationSuccessCount: new(uint32(150)),
		ReplicationMissCount: new(uint32(2)),
		ReplicationSize:      new(uint64(7864320000)), MaxReplicationSize: new(uint64(524288000)),
		ReplicationLatency: new(uint32(1350)), MaxReplicationLatency: new(uint32(41)), NetworkFailureCount: new(uint32(1)),
		ReplicationFailureCount: new(uint32(0)), ApplicationConsistentSnapshotFailureCount: new(uint32(0)),
		PendingReplicationSize: new(uint64(41943040)), ReplicationHealth: new(uint32(1)),
		LastTestFailoverTime: new(msvm.Never()),
	}
	if err != nil || class != "Msvm_ReplicationStatistics" || !reflect.DeepEqual(s, want) {
		t.Errorf("got class %q, %+v, error %v", class, s, err)
	}
	var e msvm.Error
	_, err = cimxml.Unmarshal(`<INSTANCE CLASSNAME="Msvm_Error">`+value("ErrorType", "0")+value("MessageID", "99006")+
		value("Message", "20 % of cycles missed for 'web01'")+array("MessageArguments", "<VALUE.ARRAY><VALUE>web01</VALUE></VALUE.ARRAY>")+
		value("PerceivedSeverity", "3")+property("ErrorSource", "")+"</INSTANCE>", &e)
	issue := msvm.Error{
		MessageID: new("99006"), Message: new("20 % of cycles missed for 'web01'"),
		MessageArguments: []string{"web01"}, PerceivedSeverity: new(msvm.Severity(3)),
	}
	if err != nil || !reflect.DeepEqual(e, issue) {
		t.Errorf("got %+v, error %v", e, err)
	}
}

// The memory that a value in many pieces needs is proportional to its size.
func TestUnmarshalMemoryOfFragmentedValue(t *testing.T) {
	text := instance(value("Key", strings.Repeat("a<!---->", 1<<17)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var s sample
	_, err := cimxml.Unmarshal(text, &s)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err != nil || len(s.Key) != 1<<17 || used > 32<<20 {
		t.Errorf("got %d characters, %d bytes allocated, error %v", len(s.Key), used, err)
	}
}
