package wmiquery

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery/cimxml"
)

// rowLayout describes how the rows of a class are read: package wmi fills a raw struct with fields of types that it
// reads without loss, and convert has a function per field that converts it to the type of the field in the row.
type rowLayout struct {
	row     reflect.Type
	raw     reflect.Type
	columns []string
	convert []func(dst, src reflect.Value) error
}

// rowLayouts caches the *rowLayout of each type of row.
var rowLayouts sync.Map

func rowLayoutOf(row reflect.Type) *rowLayout {
	if l, ok := rowLayouts.Load(row); ok {
		return l.(*rowLayout)
	}
	l := &rowLayout{row: row}
	var fields []reflect.StructField
	for f := range row.Fields() {
		raw, convert := rawField(f.Type)
		fields = append(fields, reflect.StructField{Name: f.Name, Type: raw})
		l.columns = append(l.columns, f.Name)
		l.convert = append(l.convert, convert)
	}
	l.raw = reflect.StructOf(fields)
	rowLayouts.Store(row, l)
	return l
}

// convertRows converts a slice of raw structs to a slice of rows.
func (l *rowLayout) convertRows(raw reflect.Value) (reflect.Value, error) {
	rows := reflect.MakeSlice(reflect.SliceOf(l.row), raw.Len(), raw.Len())
	for i := range raw.Len() {
		for j, convert := range l.convert {
			if err := convert(rows.Index(i).Field(j), raw.Index(i).Field(j)); err != nil {
				return rows, fmt.Errorf("row %d, column %s: %w", i, l.columns[j], err)
			}
		}
	}
	return rows, nil
}

var (
	typeTime     = reflect.TypeFor[*time.Time]()
	typeDuration = reflect.TypeFor[*time.Duration]()
	typeRef      = reflect.TypeFor[Ref]()
	typeString   = reflect.TypeFor[*string]()
)

// rawField returns the type that package wmi fills for a field, and the function that converts it. The type is always
// a pointer or a slice, which is nil for null.
//
//   - Points in time and intervals are read as strings: package wmi would fail the whole query because of an interval,
//     a wildcard or an empty string.
//   - Integers keep their exact width: the scripting objects return unsigned integers as signed ones, and only a
//     conversion of the same width restores the value.
//   - In arrays, the scripting objects return integers of 16 and 32 bits as signed 32-bit integers. Package wmi would
//     panic, on its own goroutine, on arrays of bytes and on null elements. No class of this program has an array of
//     bytes, and arrays of WMI have no null elements.
func rawField(t reflect.Type) (reflect.Type, func(dst, src reflect.Value) error) {
	switch {
	case t == typeTime:
		return typeString, parseString(cimxml.ParseTime)
	case t == typeDuration:
		return typeString, parseString(cimxml.ParseInterval)
	case t == typeRef:
		return typeString, func(dst, src reflect.Value) error {
			if !src.IsNil() {
				dst.SetString(string(Relative(src.Elem().String())))
			}
			return nil
		}
	case t.Kind() == reflect.String:
		return typeString, func(dst, src reflect.Value) error {
			if !src.IsNil() {
				dst.SetString(src.Elem().String())
			}
			return nil
		}
	case t.Kind() == reflect.Pointer:
		raw := reflect.PointerTo(basicTypes[t.Elem().Kind()])
		return raw, func(dst, src reflect.Value) error {
			dst.Set(src.Convert(t))
			return nil
		}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return reflect.TypeFor[[]string](), func(dst, src reflect.Value) error {
			dst.Set(src.Convert(t))
			return nil
		}
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		return reflect.TypeFor[[]int32](), func(dst, src reflect.Value) error {
			if src.IsNil() {
				return nil
			}
			dst.Set(reflect.MakeSlice(t, src.Len(), src.Len()))
			for i := range src.Len() {
				dst.Index(i).Set(src.Index(i).Convert(t.Elem()))
			}
			return nil
		}
	}
	panic(fmt.Sprintf("a wmiquery.Instance cannot have a field of type %s", t))
}

// basicTypes has the predeclared type of each kind, which is the underlying type of an enumeration.
var basicTypes = map[reflect.Kind]reflect.Type{
	reflect.String: reflect.TypeFor[string](),
	reflect.Bool:   reflect.TypeFor[bool](),
	reflect.Int8:   reflect.TypeFor[int8](),
	reflect.Int16:  reflect.TypeFor[int16](),
	reflect.Int32:  reflect.TypeFor[int32](),
	reflect.Int64:  reflect.TypeFor[int64](),
	reflect.Uint8:  reflect.TypeFor[uint8](),
	reflect.Uint16: reflect.TypeFor[uint16](),
	reflect.Uint32: reflect.TypeFor[uint32](),
	reflect.Uint64: reflect.TypeFor[uint64](),
}

// parseString returns a conversion that parses a string.
func parseString[T any](parse func(string) (T, error)) func(dst, src reflect.Value) error {
	return func(dst, src reflect.Value) error {
		if src.IsNil() {
			return nil
		}
		v, err := parse(src.Elem().String())
		if err != nil {
			return err
		}
		dst.Set(reflect.ValueOf(&v))
		return nil
	}
}
