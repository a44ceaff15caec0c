package cimxml_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A value that its field cannot store makes this field null. The fields of the properties before and after it are set.
func TestUnmarshalLeavesOutInvalidValues(t *testing.T) {
	valid := value("Key", "k") + value("S32", "7")
	var want sample
	if _, err := cimxml.Unmarshal(instance(valid), &want); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ content, property, want string }{
		{value("Text", "<B/>"), "Text", `element "B" in a value`},
		{value("Text", "</VALUE><VALUE>"), "Text", `"VALUE", want one VALUE`},
		{property("Text", "<VALUE.ARRAY/>"), "Text", `"VALUE.ARRAY", want one VALUE`},
		{array("Texts", "<VALUE>a</VALUE>"), "Texts", `"VALUE", want one VALUE.ARRAY`},
		{array("Texts", "<VALUE.ARRAY><B/></VALUE.ARRAY>"), "Texts", `"B" in a VALUE.ARRAY`},
		{array("Texts", "<VALUE.ARRAY/><VALUE.ARRAY/>"), "Texts", `"VALUE.ARRAY", want one`},
		{array("Text", "<VALUE.ARRAY/>"), "Text", "unexpected array"},
		{value("Texts", "a"), "Texts", "is not an array"},
		{array("Numbers", "<VALUE.ARRAY><VALUE.NULL/></VALUE.ARRAY>"), "Numbers", `"" is not a uint16`},
		{`<PROPERTY.OBJECT NAME="Text"/>`, "Text", `"PROPERTY.OBJECT" is not supported`},
		{value("Flag", "yes"), "Flag", `"yes" is not a boolean`},
		{value("U8", "0x1"), "U8", "is not a uint8: invalid syntax"},
		{value("U8", ""), "U8", "is not a uint8"},
		{value("U8", "1 2"), "U8", "is not a uint8"},
		{value("R64", "1,5"), "R64", "is not a real64"},
		{value("At", "yesterday"), "At", "is not a CIM point in time"},
		{value("At", "00000000010000.000000:000"), "At", "is not a CIM point in time"},
		{value("For", "20260101000000.000000+000"), "For", "is not a CIM interval"},
	} {
		text := instance(value("Key", "k") + tt.content + value("S32", "7"))
		var got sample
		class, err := cimxml.Unmarshal(text, &got)
		invalid, ok := errors.AsType[*cimxml.InvalidValuesError](err)
		if !ok || class != "C" || invalid.Class != "C" || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got class %q, %+v, error %v", text, class, got, err)
			continue
		}
		if v := invalid.Values; len(v) != 1 || v[0].Property != tt.property || !strings.Contains(v[0].Err.Error(), tt.want) {
			t.Errorf("%s: got invalid values %v; want %s, %s", text, v, tt.property, tt.want)
		}
		if len(err.Error()) > 250 {
			t.Errorf("%s: the error has %d characters", text, len(err.Error()))
		}
	}
}

// The text of an invalid value is its start: it can be of any length.
func TestInvalidValueHasTheStartOfTheText(t *testing.T) {
	long := strings.Repeat("ü", 1e6)
	for content, want := range map[string]string{
		value("At", "tomorrow"):                "tomorrow",
		value("At", ""):                        "",
		value("At", long):                      long[:2*80] + "…",
		value("Texts", long):                   long[:2*80] + "…",
		property("Text", "<OTHER>x</OTHER>"):   "<OTHER>x</OTHER></PROPERTY>",
		array("Numbers", numbers("1", "many")): "1, many",
		array("Numbers", numbers("1", long)):   "1, " + long[:2*77] + "…",
	} {
		var v sample
		_, err := cimxml.Unmarshal(instance(content), &v)
		invalid, ok := errors.AsType[*cimxml.InvalidValuesError](err)
		if !ok || len(invalid.Values) != 1 || invalid.Values[0].Text != want {
			t.Errorf("%.60s: got error %v", content, err)
		}
	}
}

func numbers(values ...string) string {
	return "<VALUE.ARRAY><VALUE>" + strings.Join(values, "</VALUE><VALUE>") + "</VALUE></VALUE.ARRAY>"
}

// Of a property that occurs twice, the last one counts, whether it is valid or not.
func TestLastOfTwoPropertiesCounts(t *testing.T) {
	var v sample
	if _, err := cimxml.Unmarshal(instance(value("U8", "x")+value("U8", "1")), &v); err != nil || v.U8 == nil || *v.U8 != 1 {
		t.Errorf("invalid, then valid: got %v, error %v", v.U8, err)
	}
	_, err := cimxml.Unmarshal(instance(value("U8", "1")+value("U8", "x")), &v)
	if invalid, ok := errors.AsType[*cimxml.InvalidValuesError](err); !ok || len(invalid.Values) != 1 || v.U8 != nil {
		t.Errorf("valid, then invalid: got %v, error %v", v.U8, err)
	}
}

// An instance is stored in a struct like its text.
func TestInstanceUnmarshal(t *testing.T) {
	text := instance(value("key", "k") + value("At", "never") + value("Other", "x") + array("Numbers", numbers("1", "2")))
	i, err := cimxml.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var got, want sample
	gotErr := i.Unmarshal(&got)
	_, wantErr := cimxml.Unmarshal(text, &want)
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotErr, wantErr) || got.Key != "k" {
		t.Errorf("got %+v, error %v; want %+v, error %v", got, gotErr, want, wantErr)
	}
	if err := i.Unmarshal(got); err == nil {
		t.Error("no error for a destination that is not a pointer")
	}
}

// No value of a property changes another property: it is stored, or its field is null and the error names it.
func FuzzInvalidValue(f *testing.F) {
	full := sample{
		Text: new("t"), Key: "k", Flag: new(true), U8: new(uint8(1)), U16: new(uint16(2)), U32: new(uint32(3)),
		U64: new(uint64(4)), S8: new(int8(-1)), S16: new(int16(-2)), S32: new(int32(-3)), S64: new(int64(-4)),
		R32: new(float32(1.5)), R64: new(2.5), Severity: new(msvm.Severity(5)),
		At: new(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)), For: new(time.Hour), Path: `C.K="k"`,
		Texts: []string{"a", "b"}, Numbers: []uint16{1}, Flags: []bool{true}, Times: []time.Time{msvm.Never()},
		Spans: []time.Duration{time.Second}, Paths: nil,
	}
	text, err := cimxml.Marshal("C", full)
	if err != nil {
		f.Fatal(err)
	}
	base, err := cimxml.Parse(text)
	if err != nil {
		f.Fatal(err)
	}
	fields := reflect.TypeFor[sample]()
	for i := range base.Properties {
		for _, value := range []string{"", "0", "x", "00000000000000.000000+000", "20260101000000.000000", "1e999"} {
			f.Add(i, false, value)
			f.Add(i, true, value)
		}
	}
	f.Fuzz(func(t *testing.T, n int, isArray bool, value string) {
		if n < 0 || n >= len(base.Properties) {
			return
		}
		i := cimxml.Instance{Class: "C", Properties: append([]cimxml.Property{}, base.Properties...)}
		name := i.Properties[n].Name
		i.Properties[n] = cimxml.Property{Name: name, Type: "x", Array: isArray, Values: []string{value}}
		var got sample
		class, err := cimxml.Unmarshal(i.String(), &got)
		invalid, ok := errors.AsType[*cimxml.InvalidValuesError](err)
		if class != "C" || err != nil && !ok {
			t.Fatalf("%s: got class %q, error %v", i, class, err)
		}
		field, _ := fields.FieldByName(name)
		stored := reflect.ValueOf(&got).Elem().FieldByIndex(field.Index)
		if ok && (len(invalid.Values) != 1 || invalid.Values[0].Property != name || !stored.IsZero()) {
			t.Fatalf("%s: got invalid values %v, %s %v", i, invalid.Values, name, stored)
		}
		want := full
		stored.SetZero()
		reflect.ValueOf(&want).Elem().FieldByIndex(field.Index).SetZero()
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %+v, want %+v", i, got, want)
		}
	})
}
