// Package cimxml reads and writes embedded instances, which Hyper-V's methods
// take and give as text: the part of CIM-XML (DSP0201) that it uses, and the
// datetimes of CIM (DSP0004).
//
// Texts come bare, as one INSTANCE element without CIM or DECLGROUP around it.
package cimxml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Instance is an instance whose class needs no Go type.
type Instance struct {
	Class      string
	Properties []Property
}

// Property is one property with its values as text. A property that is no array
// has one value; a null has none.
type Property struct {
	Name   string
	Type   string // uint16, string, datetime …; reference
	Array  bool
	Null   bool
	Values []string
}

const reference = "reference"

// String writes the instance as CIM-XML. What XML cannot carry, such as control
// characters, becomes U+FFFD.
func (i Instance) String() string {
	var b strings.Builder
	b.Grow(64 + 96*len(i.Properties))
	b.WriteString(`<INSTANCE CLASSNAME="`)
	escape(&b, i.Class)
	b.WriteString(`">`)
	for _, p := range i.Properties {
		p.write(&b)
	}
	b.WriteString(`</INSTANCE>`)
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

// Carries tells whether XML can carry a text as it is: it has no other characters than
// those of XML 1.0, which lack most control characters, and is UTF-8.
func Carries(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

func escape(b *strings.Builder, s string) {
	if plain(s) && !strings.ContainsAny(s, "<>\"'\t\n") {
		b.WriteString(s)
		return
	}
	_ = xml.EscapeText(b, []byte(s)) // a Builder does not fail
}

// Parse reads one instance. It takes texts as GetText_, MI and Hyper-V's
// provider write them: with or without a byte order mark and an XML declaration
// (which may say utf-16, although the text is not any more), with qualifiers and
// system properties (__PATH and the like), which it leaves out. A reference must
// be given as its path, not as elements. What XML cannot carry is read as U+FFFD.
func Parse(text string) (Instance, error) {
	var i Instance
	r, err := open(text)
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

// reader reads an instance property by property, so that who wants but some of
// them need not keep, nor even understand, the others.
type reader struct {
	scanner
	class   string
	element string // PROPERTY or a variant: what the last property is
}

func open(text string) (*reader, error) {
	r := &reader{scanner: scanner{
		rest:  strings.TrimPrefix(text, "\uFEFF"),
		open:  make([]string, 0, 8),
		attrs: make([][2]string, 0, 4),
	}}
	name, ok, err := r.child()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("no XML element")
	}
	if r.class, err = r.attribute("CLASSNAME"); err == nil && (name != "INSTANCE" || r.class == "") {
		err = fmt.Errorf("%.40q instead of an INSTANCE with a CLASSNAME", name)
	}
	return r, err
}

// property reads what the next property is, without its values: who calls goes
// on with values or skip. At the end of the instance p has no name.
func (r *reader) property(p *Property) error {
	for {
		name, ok, err := r.child()
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
				err = fmt.Errorf("a %.40q without a NAME", name)
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

// end checks that nothing but blanks and comments follows the instance.
func (r *reader) end() error {
	name, more, err := r.child()
	if more {
		err = fmt.Errorf("a second element, %.40q", name)
	}
	return err
}

// values reads the values of p, whose element just began.
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
		return fmt.Errorf("%.40q cannot be read", r.element)
	}
	for {
		name, ok, err := r.child()
		switch {
		case err != nil || !ok:
			return err
		case name == "QUALIFIER", name == "VALUE.NULL":
			err = r.skip()
		case name != element || !p.Null:
			err = fmt.Errorf("%.40q where one %s belongs", name, element)
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

// array reads what is in a VALUE.ARRAY. A null among the values is an empty text.
func (r *reader) array(p *Property) error {
	for {
		name, ok, err := r.child()
		if err != nil || !ok {
			return err
		}
		if name != "VALUE" && name != "VALUE.NULL" {
			return fmt.Errorf("%.40q in a VALUE.ARRAY", name)
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
