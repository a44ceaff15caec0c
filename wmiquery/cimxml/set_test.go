package cimxml_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/cimxml"
)

// The text has everything that a host may write: a byte order mark, a declaration, comments, a prefix, system properties,
// qualifiers, properties that no struct has, and characters that are not allowed in XML.
const (
	textBefore = "\uFEFF<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<!-- a > b --><INSTANCE  CLASSNAME='C' >" +
		`<QUALIFIER NAME="dynamic" TYPE="boolean"><VALUE>TRUE</VALUE></QUALIFIER>` +
		`<PROPERTY NAME="__PATH" CLASSORIGIN="___SYSTEM" TYPE="string"><VALUE>\\HV01\root:C.Key="N"</VALUE></PROPERTY>` +
		"\n  <PROPERTY NAME=\"Later\" TYPE=\"string\"><VALUE>a&#x1;\x02\xff<![CDATA[<]]> &amp;\r\n</VALUE></PROPERTY>"
	textNumber = `<PROPERTY NAME="Number" CLASSORIGIN="D" PROPAGATED="true" TYPE="uint16"><!-- x --><VALUE>1</VALUE></PROPERTY >`
	textMiddle = "\t<!-- <PROPERTY NAME=\"Number\"/> -->"
	textNull   = `<PROPERTY NAME="Text" TYPE="string"/>`
	textList   = `<PROPERTY.ARRAY TYPE="string" NAME="List"><VALUE.ARRAY><VALUE>a</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>`
	textPath   = `<PROPERTY.REFERENCE NAME="Path"><VALUE.REFERENCE>x</VALUE.REFERENCE></PROPERTY.REFERENCE>`
	textAfter  = "\n</INSTANCE>\r\n<!-- end -->"
)

// Set changes the given properties only. Everything else stays byte for byte.
func TestSet(t *testing.T) {
	whole := textBefore + textNumber + textMiddle + textNull + textList + textPath + textAfter
	number := cimxml.Property{Name: "NUMBER", Type: "uint16", Values: []string{"2"}}
	for name, tt := range map[string]struct {
		properties []cimxml.Property
		want       string
	}{
		"none": {nil, whole},
		"replace": {
			[]cimxml.Property{number},
			textBefore + `<PROPERTY NAME="Number" TYPE="uint16"><VALUE>2</VALUE></PROPERTY>` + textMiddle + textNull + textList +
				textPath + textAfter,
		},
		"replace null, and escape": {
			[]cimxml.Property{{Name: "Text", Type: "string", Values: []string{`<&>`}}},
			textBefore + textNumber + textMiddle + `<PROPERTY NAME="Text" TYPE="string"><VALUE>&lt;&amp;&gt;</VALUE></PROPERTY>` +
				textList + textPath + textAfter,
		},
		"null": {
			[]cimxml.Property{
				{Name: "Number", Type: "uint16", Null: true}, {Name: "List", Type: "string", Array: true, Null: true},
			},
			textBefore + `<PROPERTY NAME="Number" TYPE="uint16"></PROPERTY>` + textMiddle + textNull +
				`<PROPERTY.ARRAY NAME="List" TYPE="string"></PROPERTY.ARRAY>` + textPath + textAfter,
		},
		"array and reference": {
			[]cimxml.Property{
				{Name: "List", Type: "string", Array: true, Values: []string{"b", ""}},
				{Name: "Path", Type: "reference", Values: []string{"y"}},
			},
			textBefore + textNumber + textMiddle + textNull +
				`<PROPERTY.ARRAY NAME="List" TYPE="string"><VALUE.ARRAY><VALUE>b</VALUE><VALUE></VALUE></VALUE.ARRAY></PROPERTY.ARRAY>` +
				`<PROPERTY.REFERENCE NAME="Path"><VALUE.REFERENCE>y</VALUE.REFERENCE></PROPERTY.REFERENCE>` + textAfter,
		},
		"add": {
			[]cimxml.Property{{Name: "New", Type: "boolean", Values: []string{"TRUE"}}},
			textBefore + textNumber + textMiddle + textNull + textList + textPath + "\n" +
				`<PROPERTY NAME="New" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY>` + strings.TrimPrefix(textAfter, "\n"),
		},
	} {
		if got, err := cimxml.Set(whole, tt.properties...); err != nil || got != tt.want {
			t.Errorf("%s: got error %v and\n%q\nwant\n%q", name, err, got, tt.want)
		}
	}
}

func TestSetFails(t *testing.T) {
	number := cimxml.Property{Name: "Number", Type: "uint16", Values: []string{"2"}}
	for name, text := range map[string]string{
		"not XML":              "x",
		"other element":        `<X NAME="C"></X>`,
		"no end":               `<INSTANCE CLASSNAME="C">` + textNumber,
		"no properties":        `<INSTANCE CLASSNAME="C"/>`,
		"text after the end":   instance(textNumber) + "<INSTANCE/>",
		"there twice":          instance(textNumber + `<PROPERTY NAME="number" TYPE="uint16"/>`),
		"other type":           instance(`<PROPERTY NAME="Number" TYPE="string"/>`),
		"array":                instance(`<PROPERTY.ARRAY NAME="Number" TYPE="uint16"/>`),
		"reference":            instance(`<PROPERTY.REFERENCE NAME="Number"/>`),
		"invalid after number": instance(textNumber + "<PROPERTY>"),
	} {
		if got, err := cimxml.Set(text, number); err == nil || got != "" {
			t.Errorf("%s: got %q, error %v", name, got, err)
		}
	}
}

// What Set returns has the new value, and all other properties as before, in the same order. The text before and after
// the property is the same, byte for byte.
func FuzzSet(f *testing.F) {
	f.Add(textBefore+textNumber+textMiddle+textNull+textAfter, "Number", "uint16", "2", false, false)
	f.Add(instance(textList), "list", "string", "<&>\x00", true, false)
	f.Add(instance(textPath), "Path", "reference", "", false, true)
	f.Add(instance(qualifier), "Added", "string", "a", true, true)
	f.Add(`<INSTANCE CLASSNAME="C"/>`, "Added", "string", "a", false, false)
	f.Fuzz(func(t *testing.T, text, name, kind, value string, array, null bool) {
		before, parseErr := cimxml.Parse(text)
		p := cimxml.Property{Name: name, Type: kind, Array: array, Null: null}
		if !null {
			p.Values = []string{value}
		}
		got, err := cimxml.Set(text, p)
		if err != nil || parseErr != nil || name == "" || strings.HasPrefix(name, "__") || array && kind == "reference" {
			return
		}
		after, err := cimxml.Parse(got)
		if err != nil {
			t.Fatalf("%v in %q", err, got)
		}
		same := func(q cimxml.Property) bool { return strings.EqualFold(q.Name, replaceInvalid(name)) }
		i, was := slices.IndexFunc(after.Properties, same), slices.IndexFunc(before.Properties, same)
		if i < 0 {
			t.Fatalf("%q is not in %q", name, got)
		}
		want := p
		want.Name, want.Type, want.Values = after.Properties[i].Name, after.Properties[i].Type, nil
		if !null {
			want.Values = []string{replaceInvalid(value)}
		}
		if !reflect.DeepEqual(after.Properties[i], want) {
			t.Fatalf("got %+v, want %+v", after.Properties[i], want)
		}
		written := want
		written.Values = p.Values
		element := strings.TrimSuffix(cimxml.Instance{Properties: []cimxml.Property{written}}.String(), "</INSTANCE>")
		if !insertedInto(text, got, strings.TrimPrefix(element, `<INSTANCE CLASSNAME="">`)) {
			t.Fatalf("%q\nhas become\n%q", text, got)
		}
		others := slices.Delete(slices.Clone(after.Properties), i, i+1)
		if was >= 0 {
			before.Properties = slices.Delete(before.Properties, was, was+1)
		}
		if after.Class != before.Class || len(others)+len(before.Properties) > 0 && !reflect.DeepEqual(others, before.Properties) {
			t.Fatalf("%q\nhas become\n%q", text, got)
		}
	})
}

// insertedInto reports whether got is text with a part of it replaced by element.
func insertedInto(text, got, element string) bool {
	for i := range got {
		if !strings.HasPrefix(text, got[:i]) {
			break
		}
		if after, ok := strings.CutPrefix(got[i:], element); ok && strings.HasSuffix(text[i:], after) {
			return true
		}
	}
	return false
}
