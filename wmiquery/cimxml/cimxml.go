// Package cimxml reads and writes embedded instances, which the methods of Hyper-V have as string parameters. It
// supports the part of CIM-XML (DSP0201) that Hyper-V uses, and CIM datetimes (DSP0004).
//
// An embedded instance is a single INSTANCE element, without a CIM or DECLGROUP element around it.
package cimxml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Instance is an instance of any class. Its class needs no Go type.
type Instance struct {
	Class      string
	Properties []Property
}

// Property is a property with its values as strings. A property that is not an array has one value. A null property has
// none.
type Property struct {
	Name   string
	Type   string // the CIM type: uint16, string, datetime, reference …
	Array  bool
	Null   bool
	Values []string
}

const reference = "reference"

// String returns the instance as CIM-XML. Characters that are not allowed in XML, such as control characters, are
// replaced by U+FFFD.
func (i Instance) String() string { return i.text("", "") }

// Lines returns the instance as CIM-XML with a property on each line, for people who read it.
func (i Instance) Lines() string { return i.text("\n  ", "\n") }

// text returns the instance as CIM-XML, with text before each property and before the end.
func (i Instance) text(beforeProperty, beforeEnd string) string {
	var b strings.Builder
	b.Grow(64 + 96*len(i.Properties))
	b.WriteString(`<INSTANCE CLASSNAME="`)
	escape(&b, i.Class)
	b.WriteString(`">`)
	for _, p := range i.Properties {
		b.WriteString(beforeProperty)
		p.write(&b)
	}
	write(&b, beforeEnd, `</INSTANCE>`)
	return b.String()
}

func (p Property) write(b *strings.Builder) {
	element, value := "PROPERTY", "VALUE"
	switch {
	case p.Array:
		element = "PROPERTY.ARRAY"
	case p.Type == reference:
		element, value = "PROPERTY.REFERENCE", "VALUE.REFERENCE"
	}
	write(b, "<", element, ` NAME="`)
	escape(b, p.Name)
	if element != "PROPERTY.REFERENCE" {
		b.WriteString(`" TYPE="`)
		escape(b, p.Type)
	}
	b.WriteString(`">`)
	if p.Array && !p.Null {
		b.WriteString("<VALUE.ARRAY>")
	}
	if !p.Null {
		for _, v := range p.Values {
			write(b, "<", value, ">")
			escape(b, v)
			write(b, "</", value, ">")
		}
	}
	if p.Array && !p.Null {
		b.WriteString("</VALUE.ARRAY>")
	}
	write(b, "</", element, ">")
}

func write(b *strings.Builder, parts ...string) {
	for _, s := range parts {
		b.WriteString(s)
	}
}

// Representable reports whether XML can represent s unchanged: s is valid UTF-8 and has only characters that XML 1.0
// allows, which excludes most control characters.
func Representable(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

func escape(b *strings.Builder, s string) {
	if isPlain(s) && !strings.ContainsAny(s, "<>\"'\t\n") {
		b.WriteString(s)
		return
	}
	_ = xml.EscapeText(b, []byte(s)) // a strings.Builder returns no errors
}

// Parse reads an instance in any of the forms that GetText_, MI and the provider of Hyper-V write. The text may have a
// byte order mark and an XML declaration; the declaration may say utf-16 although the text has been converted. Parse
// leaves out qualifiers and system properties (such as __PATH). A reference must be an object path, not elements.
// Characters that are not allowed in XML are replaced by U+FFFD.
func Parse(text string) (Instance, error) {
	var i Instance
	r, err := newReader(text)
	for err == nil {
		var p Property
		if err = r.property(&p); err != nil || p.Name == "" {
			break
		}
		if strings.HasPrefix(p.Name, "__") {
			err = r.skip()
			continue
		}
		err = r.values(&p)
		i.Properties = append(i.Properties, p)
	}
	if err != nil {
		return Instance{}, fmt.Errorf("embedded instance: %w", err)
	}
	i.Class = r.class
	return i, nil
}

// reader reads an instance property by property. The caller can skip properties that it does not need, even if their
// values cannot be read.
type reader struct {
	scanner
	class   string
	element string // the element of the current property: PROPERTY, PROPERTY.ARRAY or PROPERTY.REFERENCE
}

func newReader(text string) (*reader, error) {
	r := &reader{scanner: scanner{
		rest:  strings.TrimPrefix(text, "\uFEFF"),
		open:  make([]string, 0, 8),
		attrs: make([][2]string, 0, 4),
	}}
	name, ok, err := r.nextChild()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("no XML element found")
	}
	if r.class, err = r.attribute("CLASSNAME"); err == nil && (name != "INSTANCE" || r.class == "") {
		err = fmt.Errorf("found %.40q instead of an INSTANCE with a CLASSNAME", name)
	}
	return r, err
}

// property reads the name and the type of the next property. The caller continues with values or skip. At the end of
// the instance, p has no name.
func (r *reader) property(p *Property) error {
	for {
		name, ok, err := r.nextChild()
		switch {
		case err != nil:
			return err
		case !ok:
			*p = Property{}
			return r.end()
		case strings.HasPrefix(name, "PROPERTY"):
			r.element = name
			*p = Property{Array: name == "PROPERTY.ARRAY", Null: true, Values: p.Values[:0]}
			if p.Name, err = r.attribute("NAME"); err == nil && p.Name == "" {
				err = fmt.Errorf("element %.40q has no NAME", name)
			}
			if err == nil {
				p.Type, err = r.attribute("TYPE")
			}
			return err
		}
		if err := r.skip(); err != nil { // QUALIFIER
			return err
		}
	}
}

// end returns an error if an element or text follows the instance.
func (r *reader) end() error {
	name, more, err := r.nextChild()
	if more {
		err = fmt.Errorf("unexpected second element %.40q", name)
	}
	return err
}

// values reads the values of p. The reader must be at the start of the element of p.
func (r *reader) values(p *Property) error {
	if err := r.value(p); err != nil {
		return fmt.Errorf("property %.40q: %w", p.Name, err)
	}
	return nil
}

func (r *reader) value(p *Property) error {
	element := "VALUE"
	switch r.element {
	case "PROPERTY":
	case "PROPERTY.ARRAY":
		element = "VALUE.ARRAY"
	case "PROPERTY.REFERENCE":
		p.Type, element = reference, "VALUE.REFERENCE"
	default:
		return fmt.Errorf("element %.40q is not supported", r.element)
	}
	for {
		name, ok, err := r.nextChild()
		switch {
		case err != nil || !ok:
			return err
		case name == "QUALIFIER", name == "VALUE.NULL":
			err = r.skip()
		case name != element || !p.Null:
			err = fmt.Errorf("found %.40q, want one %s", name, element)
		case p.Array:
			p.Null = false
			err = r.array(p)
		default:
			p.Null = false
			err = r.text(p)
		}
		if err != nil {
			return err
		}
	}
}

// array reads the values in a VALUE.ARRAY. It reads a null value as an empty string.
func (r *reader) array(p *Property) error {
	for {
		name, ok, err := r.nextChild()
		if err != nil || !ok {
			return err
		}
		if name != "VALUE" && name != "VALUE.NULL" {
			return fmt.Errorf("unexpected %.40q in a VALUE.ARRAY", name)
		}
		if err := r.text(p); err != nil {
			return err
		}
	}
}

func (r *reader) text(p *Property) error {
	v, err := r.content()
	p.Values = append(p.Values, v)
	return err
}
