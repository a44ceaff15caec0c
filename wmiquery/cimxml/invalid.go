package cimxml

import "fmt"

// InvalidValue is a value that the field of its property cannot store.
type InvalidValue struct {
	Property string // the name of the field
	Text     string // the value, shortened; CIM-XML if the elements of the property are not those of a value
	Err      error
}

// InvalidValuesError means that an instance was read except for some values. The fields of these properties are null.
type InvalidValuesError struct {
	Class  string // the class of the instance
	Values []InvalidValue
}

// NewInvalidValuesError returns an *InvalidValuesError, nil if there are no values.
func NewInvalidValuesError(class string, values []InvalidValue) error {
	if len(values) == 0 {
		return nil
	}
	return &InvalidValuesError{class, values}
}

// Error returns the number of values, and describes the first one.
func (e *InvalidValuesError) Error() string {
	first := e.Values[0]
	text := fmt.Sprintf("property %s: %v", first.Property, first.Err)
	if n := len(e.Values); n > 1 {
		text = fmt.Sprintf("%d invalid values, such as %s", n, text)
	}
	return fmt.Sprintf("embedded instance of %.40q: %s", e.Class, text)
}

// maxText is the length of the texts in errors, in characters.
const maxText = 80

// Shorten returns a copy of s for an error or the log: its start, if it is longer than 80 characters.
func Shorten(s string) string {
	short := fmt.Sprintf("%.*s", maxText, s)
	if len(short) < len(s) {
		short += "…"
	}
	return short
}
