package cimxml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
)

// Marshal writes a struct, or what a pointer to one points to, as an instance
// of class: its exported fields are the properties. Fields are strings, booleans,
// numbers, time.Time (a point in time), time.Duration (an interval), types
// defined on these, pointers to them (nil is null), and slices of them (nil is
// null). A string type named Ref is a reference.
func Marshal(class string, v any) (string, error) {
	s := reflect.Indirect(reflect.ValueOf(v))
	if s.Kind() != reflect.Struct {
		return "", fmt.Errorf("cannot write a %T as an instance", v)
	}
	i := Instance{Class: class, Properties: make([]Property, s.NumField())}
	for n := range s.NumField() {
		p, err := property(s.Type().Field(n).Name, s.Field(n))
		if err != nil {
			return "", err
		}
		i.Properties[n] = p
	}
	return i.String(), nil
}

func property(name string, v reflect.Value) (Property, error) {
	t := v.Type()
	p := Property{Name: name, Array: t.Kind() == reflect.Slice}
	if p.Array || t.Kind() == reflect.Pointer {
		p.Null = v.IsNil()
		t = t.Elem()
	}
	p.Type = typeName(t)
	var err error
	switch {
	case p.Type == "":
		err = fmt.Errorf("property %s: CIM has no type for %s", name, t)
	case p.Null:
	case p.Array:
		p.Values = make([]string, v.Len())
		for i := range p.Values {
			if p.Values[i], err = format(v.Index(i)); err != nil {
				break
			}
		}
	default:
		var s string
		s, err = format(reflect.Indirect(v))
		p.Values = []string{s}
	}
	return p, err
}

// typeName is the CIM type of a Go type, "" if there is none.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		if t.Name() == "Ref" {
			return reference
		}
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return t.Kind().String()
	case reflect.Int64:
		if t == durationType {
			return "datetime"
		}
		return "sint64"
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return "s" + t.Kind().String()
	case reflect.Float32:
		return "real32"
	case reflect.Float64:
		return "real64"
	}
	if t == timeType {
		return "datetime"
	}
	return ""
}

func format(v reflect.Value) (string, error) {
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return strings.ToUpper(strconv.FormatBool(v.Bool())), nil // as GetText_ writes it
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits()), nil
	case reflect.Struct:
		return FormatTime(v.Interface().(time.Time)), nil
	}
	if v.Type() == durationType {
		return FormatInterval(time.Duration(v.Int()))
	}
	return strconv.FormatInt(v.Int(), 10), nil
}

// Unmarshal reads an instance into the struct that v points to, and returns its
// class. Properties go to the fields of their name, in any case; those without a
// field are ignored; fields without a property are null. A value that a field
// cannot hold is an error.
func Unmarshal(text string, v any) (class string, err error) {
	i, err := Parse(text)
	if err != nil {
		return "", err
	}
	s := reflect.ValueOf(v)
	if s.Kind() != reflect.Pointer || s.Elem().Kind() != reflect.Struct {
		return "", fmt.Errorf("cannot read an instance into a %T", v)
	}
	s = s.Elem()
	s.SetZero()
	for _, p := range i.Properties {
		f := field(s, p.Name)
		if !f.IsValid() || p.Null {
			continue
		}
		if err := set(f, p); err != nil {
			return "", fmt.Errorf("property %s of %s: %w", p.Name, i.Class, err)
		}
	}
	return i.Class, nil
}

func field(s reflect.Value, name string) reflect.Value {
	t := s.Type()
	for i := range t.NumField() {
		if strings.EqualFold(t.Field(i).Name, name) {
			return s.Field(i)
		}
	}
	return reflect.Value{}
}

func set(f reflect.Value, p Property) error {
	if (f.Kind() == reflect.Slice) != p.Array {
		return fmt.Errorf("an array where there should be none, or the reverse")
	}
	switch {
	case p.Array:
		f.Set(reflect.MakeSlice(f.Type(), len(p.Values), len(p.Values)))
		for i, text := range p.Values {
			if err := parse(f.Index(i), text); err != nil {
				return err
			}
		}
		return nil
	case f.Kind() == reflect.Pointer:
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	return parse(f, p.Values[0])
}

// parse reads a value as its text stands in XML; only in strings do blanks count.
func parse(f reflect.Value, text string) error {
	if f.Kind() == reflect.String {
		f.SetString(text)
		return nil
	}
	text = strings.TrimSpace(text)
	var err error
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
	case reflect.Float32, reflect.Float64:
		var x float64
		x, err = strconv.ParseFloat(text, f.Type().Bits())
		f.SetFloat(x)
	default:
		err = parseSigned(f, text)
	}
	if err != nil {
		return fmt.Errorf("%.40q is no %s", text, typeName(f.Type()))
	}
	return nil
}

// parseSigned reads signed integers and datetimes.
func parseSigned(f reflect.Value, text string) error {
	switch f.Type() {
	case timeType:
		t, err := ParseTime(text)
		f.Set(reflect.ValueOf(t))
		return err
	case durationType:
		d, err := ParseInterval(text)
		f.SetInt(int64(d))
		return err
	}
	if !f.CanInt() {
		return fmt.Errorf("CIM has no type for %s", f.Type())
	}
	n, err := strconv.ParseInt(text, 10, f.Type().Bits())
	f.SetInt(n)
	return err
}
