package cimxml

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unmarshal reads an instance into the struct that v points to and returns the class of the instance. A property is
// stored in the field of the same name, ignoring case. A property without a field is ignored, and a field without a
// property is null. If fields cannot store their values, these fields are null, all others are set, and the error is an
// *InvalidValuesError. See [Parse] for the syntax.
func Unmarshal(text string, v any) (class string, err error) {
	d, err := newDecoder(v)
	if err != nil {
		return "", err
	}
	class, ok := d.readPlain(text)
	if !ok {
		d.reset()
		if class, err = d.scan(text); err != nil {
			return "", err
		}
	}
	return class, NewInvalidValuesError(class, d.invalid)
}

// Unmarshal stores the instance in the struct that v points to, like the function [Unmarshal].
func (i Instance) Unmarshal(v any) error {
	d, err := newDecoder(v)
	if err != nil {
		return err
	}
	for _, p := range i.Properties {
		if n := d.field(p.Name); n >= 0 {
			d.set(n, p)
		}
	}
	return NewInvalidValuesError(i.Class, d.invalid)
}

// decoder stores properties in the fields of a struct.
type decoder struct {
	dst     reflect.Value
	layout  *layout
	targets reflect.Value // a struct of type layout.targets, once a pointer has been set
	next    int           // the next field, if the properties are in the order of the fields
	invalid []InvalidValue
}

// newDecoder returns a decoder for the struct that v points to, and sets all its fields to null.
func newDecoder(v any) (d decoder, err error) {
	s := reflect.ValueOf(v)
	if s.Kind() != reflect.Pointer || s.Elem().Kind() != reflect.Struct {
		return d, fmt.Errorf("cannot unmarshal an instance into a %T", v)
	}
	d = decoder{dst: s.Elem(), layout: layoutOf(s.Elem().Type())}
	d.reset()
	return d, nil
}

// reset sets all fields to null.
func (d *decoder) reset() {
	d.dst.SetZero()
	d.next, d.invalid = 0, nil
}

// field returns the index of the field for a property, or -1.
func (d *decoder) field(property string) int {
	n, names := d.next, d.layout.names
	if n >= len(names) || names[n] != property {
		n = slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, property) })
	}
	if n >= 0 {
		d.next = n + 1
	}
	return n
}

// scan reads an instance in any form and returns its class.
func (d *decoder) scan(text string) (class string, err error) {
	r, err := newReader(text)
	if err != nil {
		return "", fmt.Errorf("embedded instance: %w", err)
	}
	if err := d.readAll(r); err != nil {
		return "", fmt.Errorf("embedded instance of %.40q: %w", r.class, err)
	}
	return r.class, nil
}

// readAll stores all properties of an instance. The error is one of the syntax: the rest cannot be read.
func (d *decoder) readAll(r *reader) error {
	var p Property
	for {
		if err := r.property(&p); err != nil || p.Name == "" {
			return err
		}
		n := d.field(p.Name)
		if n < 0 {
			if err := r.skip(); err != nil {
				return err
			}
			continue
		}
		outside, source := len(r.open)-1, r.rest
		if invalid := r.value(&p); invalid != nil {
			if err := r.skipTo(outside); err != nil {
				return fmt.Errorf("property %s: %w", d.layout.names[n], err)
			}
			d.dst.Field(n).SetZero()
			d.report(d.layout.names[n], source[:len(source)-len(r.rest)], invalid)
			continue
		}
		d.set(n, p)
	}
}

// set stores a property in field n.
func (d *decoder) set(n int, p Property) {
	f := d.dst.Field(n)
	err := d.setField(n, p)
	if err != nil {
		f.SetZero()
	}
	if err != nil || len(d.invalid) > 0 {
		d.report(d.layout.names[n], strings.Join(p.Values[:min(len(p.Values), maxText)], ", "), err)
	}
}

// report adds an invalid value, or removes the one of the property if err is nil: of a property that occurs twice, the
// last one counts.
func (d *decoder) report(property, text string, err error) {
	d.invalid = slices.DeleteFunc(d.invalid, func(v InvalidValue) bool { return v.Property == property })
	if err != nil {
		d.invalid = append(d.invalid, InvalidValue{property, Shorten(text), err})
	}
}

func (d *decoder) setField(n int, p Property) error {
	f := d.dst.Field(n)
	switch {
	case p.Null:
		f.SetZero() // of a property that occurs twice, the last one counts
		return nil
	case p.Array && f.Kind() != reflect.Slice:
		return errors.New("unexpected array")
	case !p.Array && f.Kind() == reflect.Slice:
		return errors.New("value is not an array")
	case p.Array:
		f.Set(reflect.MakeSlice(f.Type(), len(p.Values), len(p.Values)))
		for i, text := range p.Values {
			if err := parseValue(f.Index(i), text); err != nil {
				return err
			}
		}
		return nil
	case f.Kind() == reflect.Pointer:
		if !d.targets.IsValid() {
			d.targets = reflect.New(d.layout.targets).Elem()
		}
		f.Set(d.targets.Field(n).Addr())
		f = f.Elem()
	}
	return parseValue(f, p.Values[0])
}

// parseValue sets f to the value of a string. White space around the value is significant only for string types.
func parseValue(f reflect.Value, text string) error {
	if f.Kind() == reflect.String {
		f.SetString(strings.Clone(text)) // a substring would keep the whole instance in memory
		return nil
	}
	text = strings.TrimSpace(text)
	switch f.Type() {
	case timeType:
		var err error
		*f.Addr().Interface().(*time.Time), err = ParseTime(text)
		return err
	case durationType:
		d, err := ParseInterval(text)
		f.SetInt(int64(d))
		return err
	}
	if err := parseScalar(f, text); err != nil {
		if number, ok := errors.AsType[*strconv.NumError](err); ok {
			err = number.Err // without the function name and the text
		}
		return fmt.Errorf("%.40q is not a %s: %w", text, cimType(f.Type()), err)
	}
	return nil
}

func parseScalar(f reflect.Value, text string) (err error) {
	switch f.Kind() {
	case reflect.Bool:
		f.SetBool(strings.EqualFold(text, "true"))
		if !f.Bool() && !strings.EqualFold(text, "false") {
			err = strconv.ErrSyntax
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var n uint64
		n, err = strconv.ParseUint(text, 10, f.Type().Bits())
		f.SetUint(n)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, f.Type().Bits())
		f.SetInt(n)
	case reflect.Float32, reflect.Float64:
		var x float64
		x, err = strconv.ParseFloat(text, f.Type().Bits())
		f.SetFloat(x)
	default:
		err = fmt.Errorf("no CIM type for Go type %s", f.Type())
	}
	return err
}
