package wmiquery

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"hyperv_replica_exporter/wmiquery/cimxml"
)

// errNotForWMI means that package wmi cannot read a class, and that the client must read it itself. See wmiRow for the
// classes. It also occurs if package wmi drops rows because of an invalid value.
var errNotForWMI = errors.New("package wmi does not support this")

// queryWMI runs a query through package wmi and adds the rows to r. If it fails with errNotForWMI, the rows in r are
// not complete.
func (s *comSession) queryWMI(namespace, query string, r *rowReader) error {
	t, ok := wmiRow(r.rows.Type().Elem())
	if !ok {
		return errNotForWMI
	}
	raw := reflect.New(reflect.SliceOf(t))
	// "." is the local host. Wine's locator, unlike that of Windows, does not accept null for it.
	err := s.queries.Query(query, raw.Interface(), ".", namespace)
	switch {
	case err != nil && scode(err) == 0: // not an error of COM
		return errors.Join(errNotForWMI, err)
	case err != nil:
		return err
	}
	// Package wmi sets the capacity to the number of rows, but reports no error if the enumeration ends early.
	if n, all := raw.Elem().Len(), raw.Elem().Cap(); n < all {
		return fmt.Errorf("received only %d of %d rows: %w", n, all, ErrUnavailable)
	}
	for i := range raw.Elem().Len() {
		properties := make([]cimxml.Property, 0, t.NumField())
		for f, v := range raw.Elem().Index(i).Fields() {
			p, err := wmiProperty(f.Name, v, r.rows.Type().Elem())
			if err != nil {
				return errors.Join(errNotForWMI, err)
			}
			properties = append(properties, p)
		}
		r.add(properties, nil)
	}
	return nil
}

// wmiRow returns the struct that package wmi fills for a row. Its fields are pointers, nil for null, to types that hold
// what the scripting objects return without loss: they return datetimes, references and 64-bit integers as strings. It
// returns false if the row has an array, which package wmi does not support (it panics on null elements), or a boolean,
// as package wmi reads any text as false.
func wmiRow(row reflect.Type) (reflect.Type, bool) {
	var fields []reflect.StructField
	for f := range row.Fields() {
		raw := reflect.TypeFor[*string]()
		switch k := elem(f.Type).Kind(); {
		case f.Type.Kind() == reflect.Slice, k == reflect.Bool:
			return nil, false
		case k >= reflect.Int8 && k <= reflect.Int32, k >= reflect.Uint8 && k <= reflect.Uint32:
			raw = reflect.TypeFor[*int64]()
		}
		fields = append(fields, reflect.StructField{Name: f.Name, Type: raw})
	}
	return reflect.StructOf(fields), true
}

// wmiProperty returns the value of a field that package wmi has filled as it is in CIM-XML.
func wmiProperty(name string, v reflect.Value, row reflect.Type) (cimxml.Property, error) {
	p := cimxml.Property{Name: name, Null: v.IsNil()}
	if p.Null {
		return p, nil
	}
	x := v.Elem().Interface()
	if n, ok := x.(int64); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
		x = int32(n) // the scripting objects return unsigned integers of 32 bits as signed ones
	}
	field, _ := row.FieldByName(name)
	text, err := valueText(x, elem(field.Type))
	p.Values = []string{text}
	return p, err
}

// elem returns the type that a pointer points to, or t itself.
func elem(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
