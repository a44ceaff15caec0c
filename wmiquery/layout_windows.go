package wmiquery

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery/cimxml"
)

// layout is how rows of a class are read: package wmi fills a struct whose
// fields have types that it reads without loss, and convert makes of it one of
// the class.
type layout struct {
	row     reflect.Type
	raw     reflect.Type
	columns []string
	convert []func(dst, src reflect.Value) error
}

// layouts holds a *layout for each type of row that has been read.
var layouts sync.Map

func layoutOf(row reflect.Type) *layout {
	if l, ok := layouts.Load(row); ok {
		return l.(*layout)
	}
	l := &layout{row: row}
	var fields []reflect.StructField
	for f := range row.Fields() {
		raw, convert := rawField(f.Type)
		fields = append(fields, reflect.StructField{Name: f.Name, Type: raw})
		l.columns = append(l.columns, f.Name)
		l.convert = append(l.convert, convert)
	}
	l.raw = reflect.StructOf(fields)
	layouts.Store(row, l)
	return l
}

// rows makes a slice of the class's rows of a slice of raw ones.
func (l *layout) rows(raw reflect.Value) (reflect.Value, error) {
	rows := reflect.MakeSlice(reflect.SliceOf(l.row), raw.Len(), raw.Len())
	for i := range raw.Len() {
		for j, convert := range l.convert {
			if err := convert(rows.Index(i).Field(j), raw.Index(i).Field(j)); err != nil {
				return rows, fmt.Errorf("%s of row %d: %w", l.columns[j], i, err)
			}
		}
	}
	return rows, nil
}

var (
	typeTime     = reflect.TypeFor[*time.Time]()
	typeDuration = reflect.TypeFor[*time.Duration]()
	typeRef      = reflect.TypeFor[Ref]()
	typeText     = reflect.TypeFor[*string]()
)

// rawField gives the type that package wmi is to fill for a field, and what
// converts it. All are pointers or slices, which are nil for null.
//
//   - Points in time and intervals are read as text: an interval, a wildcard or
//     an empty text would fail the whole query.
//   - Integers keep their exact width: the scripting objects give unsigned ones
//     as signed, which only the same width turns back.
//   - In an array they give integers of 16 and 32 bits as 32 bit signed ones.
//     Package wmi would panic, on a goroutine of its own, on bytes and on nulls;
//     no class of this program has the former, and WMI's arrays hold no nulls.
func rawField(t reflect.Type) (reflect.Type, func(dst, src reflect.Value) error) {
	switch {
	case t == typeTime:
		return typeText, parsed(cimxml.ParseTime)
	case t == typeDuration:
		return typeText, parsed(cimxml.ParseInterval)
	case t == typeRef:
		return typeText, func(dst, src reflect.Value) error {
			if !src.IsNil() {
				dst.SetString(string(Relative(src.Elem().String())))
			}
			return nil
		}
	case t.Kind() == reflect.String:
		return typeText, func(dst, src reflect.Value) error {
			if !src.IsNil() {
				dst.SetString(src.Elem().String())
			}
			return nil
		}
	case t.Kind() == reflect.Pointer:
		plain := reflect.PointerTo(plainTypes[t.Elem().Kind()])
		return plain, func(dst, src reflect.Value) error {
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
	panic(fmt.Sprintf("a %s is no field of a wmiquery.Instance", t))
}

// plainTypes are the types that defined types, such as enumerations, rest on.
var plainTypes = map[reflect.Kind]reflect.Type{
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

// parsed converts a text that parse understands.
func parsed[T any](parse func(string) (T, error)) func(dst, src reflect.Value) error {
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
