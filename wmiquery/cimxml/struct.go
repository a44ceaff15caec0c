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
	stringType   = reflect.TypeFor[string]()

	referenceType = reflect.TypeFor[Reference]()
)

// Reference is a string type whose values are object paths: its CIM type is reference, not string.
type Reference interface {
	CIMReference()
}

// Marshal writes a struct as an instance of a class, see [NewInstance].
func Marshal(class string, v any) (string, error) {
	i, err := NewInstance(class, v)
	if err != nil {
		return "", err
	}
	return i.String(), nil
}

// NewInstance returns a struct, or the struct that a pointer points to, as an instance of a class. The exported fields
// are the properties. The type of a field is a string, boolean or number type, a [Reference], time.Time (a point in
// time), time.Duration (an interval), a pointer to one of these, or a slice of one of these. A nil pointer or slice is
// null.
func NewInstance(class string, v any) (Instance, error) {
	s := reflect.Indirect(reflect.ValueOf(v))
	if s.Kind() != reflect.Struct {
		return Instance{}, fmt.Errorf("cannot marshal a %T as an instance", v)
	}
	names := layoutOf(s.Type()).names
	i := Instance{Class: class, Properties: make([]Property, 0, len(names))}
	for n, name := range names {
		if name == "" {
			continue
		}
		p, err := marshalProperty(name, s.Field(n))
		if err != nil {
			return Instance{}, fmt.Errorf("property %s of %s: %w", name, class, err)
		}
		i.Properties = append(i.Properties, p)
	}
	return i, nil
}

func marshalProperty(name string, v reflect.Value) (Property, error) {
	t := v.Type()
	p := Property{Name: name, Array: t.Kind() == reflect.Slice}
	if p.Array || t.Kind() == reflect.Pointer {
		p.Null = v.IsNil()
		t = t.Elem()
	}
	p.Type = cimType(t)
	var err error
	switch {
	case p.Type == "":
		err = fmt.Errorf("no CIM type for Go type %s", t)
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

// cimType returns the CIM type for a Go type, "" if there is none.
func cimType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		if t != stringType && t.Implements(referenceType) {
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
		return strings.ToUpper(strconv.FormatBool(v.Bool())), nil // like GetText_
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
