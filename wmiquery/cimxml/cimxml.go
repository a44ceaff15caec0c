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
	"io"
	"strings"
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
	b.WriteString("<" + element + ` NAME="`)
	escape(b, p.Name)
	if p.Type != reference {
		b.WriteString(`" TYPE="`)
		escape(b, p.Type)
	}
	b.WriteString(`">`)
	if p.Array && !p.Null {
		b.WriteString("<VALUE.ARRAY>")
	}
	if !p.Null {
		for _, v := range p.Values {
			b.WriteString("<" + value + ">")
			escape(b, v)
			b.WriteString("</" + value + ">")
		}
	}
	if p.Array && !p.Null {
		b.WriteString("</VALUE.ARRAY>")
	}
	b.WriteString("</" + element + ">")
}

func escape(b *strings.Builder, s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '<' || c == '>' || c == '&' || c == '"' || c == '\'' {
			_ = xml.EscapeText(b, []byte(s)) // a Builder does not fail
			return
		}
	}
	b.WriteString(s)
}

// Parse reads one instance. It takes texts as GetText_, MI and Hyper-V's
// provider write them: with or without a byte order mark and an XML declaration
// (which may say utf-16, although the text is not any more), with qualifiers and
// system properties (__PATH and the like), which it leaves out.
func Parse(text string) (Instance, error) {
	p := parser{xml.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "\uFEFF")))}
	p.xml.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	root, err := p.child()
	if err == nil && root == nil {
		err = errors.New("no XML element")
	}
	if err != nil {
		return Instance{}, fmt.Errorf("embedded instance: %w", err)
	}
	i, err := p.instance(*root)
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return Instance{}, fmt.Errorf("embedded instance: %w", err)
	}
	return i, nil
}

type parser struct{ xml *xml.Decoder }

// child is the next element inside the current one, nil at its end. Text other
// than blanks between elements is an error.
func (p parser) child() (*xml.StartElement, error) {
	for {
		token, err := p.xml.Token()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return nil, fmt.Errorf("text %.40q between elements", t)
			}
		}
	}
}

// end checks that nothing but blanks and comments follows.
func (p parser) end() error {
	more, err := p.child()
	if err == nil && more != nil {
		err = fmt.Errorf("a second element, %s", more.Name.Local)
	}
	return err
}

func (p parser) instance(root xml.StartElement) (Instance, error) {
	i := Instance{Class: attribute(root, "CLASSNAME")}
	if root.Name.Local != "INSTANCE" || i.Class == "" {
		return i, fmt.Errorf("%s instead of an INSTANCE with a CLASSNAME", root.Name.Local)
	}
	for {
		e, err := p.child()
		if err != nil || e == nil {
			return i, err
		}
		if !strings.HasPrefix(e.Name.Local, "PROPERTY") {
			if err := p.xml.Skip(); err != nil { // QUALIFIER
				return i, err
			}
			continue
		}
		property, err := p.property(*e)
		if err != nil {
			return i, fmt.Errorf("property %.40q: %w", property.Name, err)
		}
		if !strings.HasPrefix(property.Name, "__") {
			i.Properties = append(i.Properties, property)
		}
	}
}

func (p parser) property(e xml.StartElement) (Property, error) {
	out := Property{Name: attribute(e, "NAME"), Type: attribute(e, "TYPE"), Null: true}
	value := "VALUE"
	switch e.Name.Local {
	case "PROPERTY":
	case "PROPERTY.ARRAY":
		out.Array, value = true, "VALUE.ARRAY"
	case "PROPERTY.REFERENCE":
		out.Type, value = reference, "VALUE.REFERENCE"
	default:
		return out, fmt.Errorf("element %s", e.Name.Local)
	}
	if out.Name == "" {
		return out, errors.New("no NAME")
	}
	for {
		c, err := p.child()
		if err != nil || c == nil {
			return out, err
		}
		switch {
		case c.Name.Local != value:
			err = p.xml.Skip() // QUALIFIER
		case !out.Null:
			err = errors.New("two values")
		case out.Array:
			out.Null = false
			out.Values, err = p.array()
		default:
			out.Null = false
			out.Values = make([]string, 1)
			out.Values[0], err = p.text()
		}
		if err != nil {
			return out, err
		}
	}
}

// array is the values of a VALUE.ARRAY. A null among them is an empty text.
func (p parser) array() ([]string, error) {
	values := []string{}
	for {
		c, err := p.child()
		if err != nil || c == nil {
			return values, err
		}
		v, err := p.text()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
}

// text is what the current element holds, up to its end.
func (p parser) text() (string, error) {
	var text string
	for {
		token, err := p.xml.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.CharData:
			text += string(t)
		case xml.StartElement:
			return "", fmt.Errorf("element %s in a value", t.Name.Local)
		case xml.EndElement:
			return text, nil
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
