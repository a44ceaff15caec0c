package wmiquery

import (
	"errors"
	"fmt"
	"reflect"

	"hyperv_replica_exporter/wmiquery/cimxml"
)

// InvalidValue is a value of a property that the type of the property cannot represent, such as a datetime of zeros.
// The property is null instead. The strings have at most 80 characters.
type InvalidValue struct {
	Class    string
	Row      int    // index of the row, -1 for an instance that could not be read at all and has no row
	Instance string // see NameOf; of an instance that could not be read, its position; of an out parameter, the method
	Property string // "" for an instance that could not be read
	Text     string
	Err      error
}

// String describes the value without its text, which is in most errors.
func (v InvalidValue) String() string {
	text := v.Class
	if v.Instance != "" {
		text += fmt.Sprintf(" %q", v.Instance)
	}
	if v.Property != "" {
		text += ": property " + v.Property
	}
	return fmt.Sprintf("%s: %.200v", text, v.Err)
}

// InvalidValuesError means that everything was read except for some values. See [Reader] and [Reply].
type InvalidValuesError struct{ Values []InvalidValue }

// Error returns the number of values, and describes the first one.
func (e *InvalidValuesError) Error() string {
	if n := len(e.Values); n > 1 {
		return fmt.Sprintf("%d invalid values, such as %v", n, e.Values[0])
	}
	return e.Values[0].String()
}

// InvalidValues returns the values that err describes. It returns false if err means that nothing was read.
func InvalidValues(err error) ([]InvalidValue, bool) {
	invalid, ok := errors.AsType[*InvalidValuesError](err)
	if !ok {
		return nil, err == nil
	}
	return invalid.Values, true
}

// NewInvalidValuesError returns an *InvalidValuesError, nil if there are no values.
func NewInvalidValuesError(values []InvalidValue) error {
	if len(values) == 0 {
		return nil
	}
	return &InvalidValuesError{values}
}

// AppendInvalid appends the values that err, an error of package cimxml, describes. The instance of the class has been
// read into row, a pointer to a struct with an index. It returns false if the instance could not be read and must be
// left out; then source describes it.
func AppendInvalid(values []InvalidValue, class, source string, index int, row any, err error) ([]InvalidValue, bool) {
	if err == nil {
		return values, true
	}
	invalid, ok := errors.AsType[*cimxml.InvalidValuesError](err)
	if !ok {
		return append(values, InvalidValue{Class: class, Row: -1, Instance: cimxml.Shorten(source), Err: err}), false
	}
	instance := NameOf(row)
	for _, v := range invalid.Values {
		values = append(values, InvalidValue{class, index, instance, v.Property, v.Text, v.Err})
	}
	return values, true
}

// NameOf returns what identifies row, a pointer to a struct, in an error or in the log: its InstanceID, its Name or
// otherwise its first property that is text, shortened. It returns "" if all are null or empty.
func NameOf(row any) string {
	v := reflect.ValueOf(row).Elem()
	fields := []reflect.Value{v.FieldByName("InstanceID"), v.FieldByName("Name")}
	for _, f := range v.Fields() {
		fields = append(fields, f)
	}
	for _, f := range fields {
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		if f.Kind() == reflect.String && f.Len() > 0 {
			return cimxml.Shorten(f.String())
		}
	}
	return ""
}
