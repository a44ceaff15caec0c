package cimxml_test

import (
	"reflect"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// escapes has the characters that are escaped, and how. White space is escaped because readers of XML change it in
// attributes.
var escapes = map[string]string{
	"<": "&lt;", ">": "&gt;", "&": "&amp;", `"`: "&#34;", "'": "&#39;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;",
}

// Each of these characters is escaped alone and between others, wherever it stands in an instance.
func TestEscapesEverywhere(t *testing.T) {
	texts := map[string]string{"a b~": "a b~", "ü😀": "ü😀", "&amp;": "&amp;amp;", "]]>": "]]&gt;"}
	for c, escaped := range escapes {
		texts[c] = escaped
		texts["a"+c+"ü"] = "a" + escaped + "ü"
	}
	for text, escaped := range texts {
		in := cimxml.Instance{Class: "C" + text, Properties: []cimxml.Property{
			{Name: "N" + text, Type: "T" + text, Values: []string{text}},
			{Name: "N" + text, Type: "T" + text, Array: true, Values: []string{text, "", text}},
			{Name: "N" + text, Type: "reference", Values: []string{text}},
			{Name: "N" + text, Type: "T" + text, Null: true},
		}}
		want := strings.ReplaceAll(`<INSTANCE CLASSNAME="C#">`+
			`<PROPERTY NAME="N#" TYPE="T#"><VALUE>#</VALUE></PROPERTY>`+
			`<PROPERTY.ARRAY NAME="N#" TYPE="T#"><VALUE.ARRAY><VALUE>#</VALUE><VALUE></VALUE><VALUE>#</VALUE></VALUE.ARRAY>`+
			`</PROPERTY.ARRAY>`+
			`<PROPERTY.REFERENCE NAME="N#"><VALUE.REFERENCE>#</VALUE.REFERENCE></PROPERTY.REFERENCE>`+
			`<PROPERTY NAME="N#" TYPE="T#"></PROPERTY></INSTANCE>`, "#", escaped)
		got := in.String()
		if got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
		if back, err := cimxml.Parse(got); err != nil || !reflect.DeepEqual(back, in) {
			t.Errorf("%q: got %+v after reading, error %v", text, back, err)
		}
	}
}

// A reader accepts all forms of an escape, in values and in attributes.
func TestReadsAllFormsOfEscapes(t *testing.T) {
	for text, want := range map[string]string{
		"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": `"`, "&apos;": "'",
		"&#60;": "<", "&#x3C;": "<", "&#x3c;": "<", "&#0060;": "<", "&#9;": "\t", "&#10;": "\n", "&#13;": "\r",
		"&#xFC;": "ü", "&#252;": "ü", "&#x1F600;": "😀", "&#x10FFFF;": "\U0010FFFF",
		"&amp;lt;": "&lt;", "&amp;#60;": "&#60;", "&#38;lt;": "&lt;", "a&lt;b&gt;c": "a<b>c",
		"&#0;": "\uFFFD", "&#xB;": "\uFFFD", "&#x1F;": "\uFFFD", "&#xD800;": "\uFFFD", "&#xDFFF;": "\uFFFD",
		"&#xFFFD;": "\uFFFD", "&#xFFFE;": "\uFFFD", "&#xFFFF;": "\uFFFD", "&#x10000;": "\U00010000", "&#x7F;": "\x7f",
	} {
		xml := `<INSTANCE CLASSNAME="C` + text + `"><PROPERTY NAME='N` + text + `' TYPE="string"><VALUE>` + text +
			`</VALUE></PROPERTY></INSTANCE>`
		got, err := cimxml.Parse(xml)
		if err != nil || got.Class != "C"+want || len(got.Properties) != 1 || got.Properties[0].Name != "N"+want ||
			!reflect.DeepEqual(got.Properties[0].Values, []string{want}) {
			t.Errorf("%s: got %+v, error %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"&", "& ", "&;", "&lt", "&LT;", "&#;", "&#x;", "&#X3C;", "&#60", "&#-60;", "&#+60;", "&#x110000;", "&#99999999999;",
		"&nbsp;", "& lt;", "&lt ;", "&#6 0;", "&60;",
	} {
		for _, xml := range []string{
			instance(value("Text", text)), `<INSTANCE CLASSNAME="C` + text + `"/>`,
			instance(`<PROPERTY NAME="N` + text + `" TYPE="string"/>`),
		} {
			if got, err := cimxml.Parse(xml); err == nil {
				t.Errorf("%s: got %+v, want an error", xml, got)
			}
		}
	}
}

// The value of a property may be an embedded instance, whose values may have embedded instances, too.
func TestNestedEmbeddedInstances(t *testing.T) {
	type innermost struct{ Text string }
	type inner struct{ Instances []string }
	type outer struct{ Instance wmiquery.Embedded }
	third, err := cimxml.Marshal("C3", innermost{`<&>"' ü]]>`})
	if err != nil {
		t.Fatal(err)
	}
	second, err := cimxml.Marshal("C2", inner{[]string{third, "", third}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := cimxml.Marshal("C1", outer{wmiquery.Embedded(second)})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(first, "<INSTANCE"); n != 1 || !strings.Contains(first, "&amp;amp;lt;") {
		t.Errorf("got %s, want the inner instances escaped", first)
	}
	var a outer
	var b inner
	var c innermost
	if class, err := cimxml.Unmarshal(first, &a); err != nil || class != "C1" {
		t.Fatalf("got class %q, error %v", class, err)
	}
	if class, err := cimxml.Unmarshal(string(a.Instance), &b); err != nil || class != "C2" || len(b.Instances) != 3 {
		t.Fatalf("got class %q, %+v, error %v", class, b, err)
	}
	for _, n := range []int{0, 2} {
		if class, err := cimxml.Unmarshal(b.Instances[n], &c); err != nil || class != "C3" || c.Text != `<&>"' ü]]>` {
			t.Errorf("instance %d: got class %q, %+v, error %v", n, class, c, err)
		}
	}
}

// Only names that start with two underscores are those of system properties.
func TestParseKeepsNamesWithOneUnderscore(t *testing.T) {
	got, err := cimxml.Parse(instance(value("_A", "1") + value("__B", "2") + value("C__", "3") + value("_", "4")))
	var names []string
	for _, p := range got.Properties {
		names = append(names, p.Name)
	}
	if want := []string{"_A", "C__", "_"}; err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("got properties %q, error %v; want %q", names, err, want)
	}
}

// 32 elements may be nested, the instance included. An instance of a host has at most four.
func TestLimitOfNestedElements(t *testing.T) {
	nested := func(n int) string {
		return instance(strings.Repeat("<Q>", n-1) + strings.Repeat("</Q>", n-1))
	}
	for n, valid := range map[int]bool{1: true, 31: true, 32: true, 33: false, 64: false} {
		if _, err := cimxml.Parse(nested(n)); (err == nil) != valid {
			t.Errorf("%d nested elements: got error %v", n, err)
		}
	}
}

// Attributes with a namespace prefix are other attributes, and an attribute cannot have a tag in its value.
func TestReadsOnlyAttributesWithoutPrefix(t *testing.T) {
	got, err := cimxml.Parse(`<INSTANCE x:CLASSNAME="D" CLASSNAME="C"><PROPERTY xml:NAME="M" NAME="N" TYPE="string"/></INSTANCE>`)
	if err != nil || got.Class != "C" || len(got.Properties) != 1 || got.Properties[0].Name != "N" {
		t.Errorf("got %+v, error %v; want class C with property N", got, err)
	}
	for _, bad := range []string{`<INSTANCE CLASSNAME="C<D"/>`, `<INSTANCE x:CLASSNAME="C"/>`} {
		if got, err := cimxml.Parse(bad); err == nil {
			t.Errorf("%s: got %+v, want an error", bad, got)
		}
	}
}

// XML separates attributes and elements by blanks, tabs and line ends alike.
func TestUnmarshalAcceptsAllWhiteSpace(t *testing.T) {
	for _, space := range []string{" ", "\t", "\n", "\r", "\r\n\t "} {
		text := strings.ReplaceAll(
			`<INSTANCE_CLASSNAME="C"_>_<PROPERTY_NAME="Text"_TYPE="string"_>_<VALUE>a b</VALUE>_</PROPERTY_>_</INSTANCE>_`, "_", space)
		var got sample
		if class, err := cimxml.Unmarshal(text, &got); err != nil || class != "C" || got.Text == nil || *got.Text != "a b" {
			t.Errorf("%q: got class %q, %+v, error %v", space, class, got, err)
		}
	}
}
