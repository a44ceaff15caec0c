package cimxml

import (
	"errors"
	"fmt"
	"strings"
)

// Set sets properties in the text of an instance, for which [Parse] lists the forms. A property that the text does not
// have is added at the end. Everything else in the text stays as it is, byte for byte: properties that no Go type
// knows, system properties, and characters that are not allowed in XML.
//
// Set fails if a property has another type in the text, or is in the text twice.
func Set(text string, properties ...Property) (string, error) {
	for _, p := range properties {
		var err error
		if text, err = set(text, p); err != nil {
			return "", fmt.Errorf("embedded instance: property %.40q: %w", p.Name, err)
		}
	}
	return text, nil
}

func set(text string, p Property) (string, error) {
	r, err := newReader(text)
	if err != nil {
		return "", err
	}
	from, to := -1, -1 // the element of p in text
	for {
		var found Property
		if err := r.property(&found); err != nil {
			return "", err
		}
		start := len(text) - r.tagStart
		if found.Name == "" {
			if from < 0 {
				from, to = start, start // before the end tag of the instance
			}
			break
		}
		if err := r.skip(); err != nil {
			return "", err
		}
		if !strings.EqualFold(found.Name, p.Name) {
			continue
		}
		if r.element == "PROPERTY.REFERENCE" {
			found.Type = reference
		}
		if from >= 0 {
			return "", errors.New("is there twice")
		}
		if found.Array != p.Array || !strings.EqualFold(found.Type, p.Type) {
			return "", fmt.Errorf("is of type %.40q, not %q", found.Type, p.Type)
		}
		p.Name = found.Name
		from, to = start, len(text)-len(r.rest)
	}
	if from == to && !strings.HasPrefix(text[from:], "</") {
		return "", errors.New("the instance has no properties")
	}
	var b strings.Builder
	b.WriteString(text[:from])
	p.write(&b)
	b.WriteString(text[to:])
	return b.String(), nil
}
