package cimxml

import "strings"

// readPlain reads an instance in the form in which the methods of Hyper-V return statistics: without white space
// between the elements, references to characters, arrays and qualifiers. It returns false if the text has any other
// form, valid or not; fields may then be set. A scrape reads one instance of this form per relationship, and the
// scanner needs twice as long.
func (d *decoder) readPlain(text string) (class string, ok bool) {
	rest, ok := strings.CutPrefix(text, `<INSTANCE CLASSNAME="`)
	if !ok {
		return "", false
	}
	if class, rest, ok = cutPlain(rest, `">`); !ok || class == "" {
		return "", false
	}
	p := Property{Values: make([]string, 1)}
	for rest != "</INSTANCE>" {
		if rest, ok = p.readPlain(rest); !ok {
			return "", false
		}
		if n := d.field(p.Name); n >= 0 {
			d.set(n, p)
		}
	}
	return class, true
}

// readPlain reads a property at the start of text and returns the text after it. It does not read the type, which is of
// no use for a field.
func (p *Property) readPlain(text string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(text, `<PROPERTY NAME="`); !ok {
		return "", false
	}
	if p.Name, rest, ok = cutPlain(rest, `"`); !ok || p.Name == "" {
		return "", false
	}
	rest = strings.TrimPrefix(rest, ` PROPAGATED="true"`)
	if rest, ok = strings.CutPrefix(rest, ` TYPE="`); !ok {
		return "", false
	}
	if _, rest, ok = cutPlain(rest, `">`); !ok {
		return "", false
	}
	value, isValue := strings.CutPrefix(rest, "<VALUE>")
	p.Null = !isValue
	if p.Null {
		return strings.CutPrefix(rest, "</PROPERTY>")
	}
	p.Values[0], rest, ok = cutPlain(value, "</VALUE></PROPERTY>")
	return rest, ok
}

// cutPlain splits s at end, of which no byte may stand alone before it. It returns false if the scanner could read the
// text before end as anything but itself.
func cutPlain(s, end string) (before, after string, ok bool) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == end[0]:
			after, ok = strings.CutPrefix(s[i:], end)
			return s[:i], after, ok
		case c < ' ', c > '~', c == '&', c == '<':
			return "", "", false
		}
	}
	return "", "", false
}
