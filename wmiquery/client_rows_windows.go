package wmiquery

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"

	"hyperv_replica_exporter/wmiquery/cimxml"
)

// Read selects the columns of the struct. If the class does not have all of them in this version of Windows, Read
// selects all columns, and the fields without a column are null.
func (s *comSession) Read(dst any) error {
	rows := reflect.ValueOf(dst).Elem()
	instance, ok := reflect.TypeAssert[Instance](reflect.Zero(rows.Type().Elem()))
	if !ok {
		return fmt.Errorf("%s is not a wmiquery.Instance", rows.Type().Elem())
	}
	class := instance.WMIClass()
	r := newRowReader(class.Name, rows.Type())
	var err error
	if !s.incomplete[class] {
		query := "SELECT " + strings.Join(columnsOf(rows.Type().Elem()), ", ") + " FROM " + class.Name
		if err = s.queryWMI(class.Namespace, query, r); errors.Is(err, errNotForWMI) {
			r = newRowReader(class.Name, rows.Type())
			err = s.query(class.Namespace, query, r.addObject)
		}
	}
	if s.incomplete[class] || scode(err) == wbemInvalidQuery {
		r = newRowReader(class.Name, rows.Type())
		r.allColumns = true
		if err = s.query(class.Namespace, "SELECT * FROM "+class.Name, r.addObject); err == nil {
			s.incomplete[class] = true
		}
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", class.Name, wmiError(err))
	}
	rows.Set(r.rows)
	return NewInvalidValuesError(r.invalid)
}

// columnsOf returns the names of the properties of a struct.
func columnsOf(row reflect.Type) []string {
	var columns []string
	for f := range row.Fields() {
		columns = append(columns, f.Name)
	}
	return columns
}

// Texts selects all columns: GetText_ returns only the columns that the query selects.
func (s *comSession) Texts(class Class) ([]Embedded, error) {
	var texts []Embedded
	err := s.query(class.Namespace, "SELECT * FROM "+class.Name, func(v *ole.VARIANT) error {
		o, err := object(v, nil)
		if err != nil {
			return err
		}
		defer o.Release()
		text, err := instanceText(o)
		texts = append(texts, Embedded(text))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", class.Name, wmiError(err))
	}
	return texts, nil
}

// query runs a query and calls add with each object, which add must release.
func (s *comSession) query(namespace, wql string, add func(*ole.VARIANT) error) error {
	services, err := s.connect(namespace)
	if err != nil {
		return err
	}
	result, err := object(oleutil.CallMethod(services, "ExecQuery", wql))
	if err != nil {
		return err
	}
	defer result.Release()
	count, err := oleutil.GetProperty(result, "Count")
	if err != nil {
		return err
	}
	defer count.Clear()
	n := 0
	if err := oleutil.ForEach(result, func(v *ole.VARIANT) error { n++; return add(v) }); err != nil {
		return err
	}
	// ForEach returns no error if the enumeration ends early.
	if all := int(count.Val); n < all {
		return fmt.Errorf("received only %d of %d rows: %w", n, all, ErrUnavailable)
	}
	return nil
}

// rowReader converts objects to rows.
type rowReader struct {
	class      string
	allColumns bool          // the objects may lack properties
	rows       reflect.Value // a slice
	invalid    []InvalidValue
}

func newRowReader(class string, rows reflect.Type) *rowReader {
	return &rowReader{class: class, rows: reflect.MakeSlice(rows, 0, 0)}
}

// addObject adds the row for an object, and releases the object.
func (r *rowReader) addObject(v *ole.VARIANT) error {
	o, err := object(v, nil)
	if err != nil {
		return err
	}
	defer o.Release()
	var properties []cimxml.Property
	var unsupported []cimxml.InvalidValue
	for f := range r.rows.Type().Elem().Fields() {
		value, err := oleutil.GetProperty(o, f.Name)
		if err != nil {
			if r.allColumns {
				continue
			}
			return fmt.Errorf("property %s: %w", f.Name, err)
		}
		p, err := property(f, value)
		if err == nil {
			properties = append(properties, p)
		} else {
			unsupported = append(unsupported, cimxml.InvalidValue{Property: f.Name, Err: err})
		}
		value.Clear()
	}
	r.add(properties, unsupported)
	return nil
}

// add adds the row with some properties. unsupported describes those that are missing.
func (r *rowReader) add(properties []cimxml.Property, unsupported []cimxml.InvalidValue) {
	t := r.rows.Type().Elem()
	instance := cimxml.Instance{Class: r.class, Properties: properties}
	row := reflect.New(t)
	for _, err := range []error{
		instance.Unmarshal(row.Interface()), cimxml.NewInvalidValuesError(r.class, unsupported),
	} {
		r.invalid, _ = AppendInvalid(r.invalid, r.class, "", r.rows.Len(), row.Interface(), err)
	}
	for i := range t.NumField() {
		if ref, ok := reflect.TypeAssert[*Ref](row.Elem().Field(i).Addr()); ok {
			*ref = Relative(string(*ref))
		}
	}
	r.rows = reflect.Append(r.rows, row.Elem())
}

// property returns the value of a property as it is in CIM-XML, so that no value can fail the whole query. It fails for
// types that CIM-XML does not have.
func property(f reflect.StructField, v *ole.VARIANT) (p cimxml.Property, err error) {
	p.Name = f.Name
	t := f.Type
	if k := t.Kind(); k == reflect.Pointer || k == reflect.Slice {
		t = t.Elem()
	}
	values := []any{v.Value()}
	if array := v.ToArray(); array != nil {
		p.Array, values = true, array.ToValueArray()
	} else if p.Null = v.VT == ole.VT_NULL || v.VT == ole.VT_EMPTY; p.Null {
		return p, nil
	}
	p.Values = make([]string, len(values))
	for i, x := range values {
		if x == nil && p.Array {
			continue // CIM-XML, too, has an empty string for null in an array
		}
		if p.Values[i], err = valueText(x, t); err != nil {
			break
		}
	}
	return p, err
}

// valueText returns a value of the scripting objects as it is in CIM-XML. They return unsigned integers as signed ones
// of at least the same width; t is the type that the value is for.
func valueText(x any, t reflect.Type) (string, error) {
	n := reflect.ValueOf(x)
	switch {
	case n.CanInt() && reflect.Zero(t).CanUint() && n.Type().Bits() == t.Bits():
		return strconv.FormatUint(uint64(n.Int())&(1<<t.Bits()-1), 10), nil
	case n.Kind() == reflect.String, n.Kind() == reflect.Bool, n.CanInt(), n.CanUint(), n.CanFloat():
		return fmt.Sprint(x), nil
	}
	return "", fmt.Errorf("a %T cannot be the value of a property", x)
}
