package wmitest

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// compareClass compares the rows of a class that an implementation returns with those of the host. It returns the
// differences. The error is that of the host.
func compareClass(class wmiquery.Instance, host, implementation func(dst any) error) ([]string, error) {
	name := class.WMIClass().Name
	slice := reflect.SliceOf(reflect.TypeOf(class))
	want, got := reflect.New(slice), reflect.New(slice)
	err := host(want.Interface())
	wantInvalid, ok := wmiquery.InvalidValues(err)
	if !ok {
		return nil, err
	}
	err = implementation(got.Interface())
	gotInvalid, ok := wmiquery.InvalidValues(err)
	if !ok {
		return []string{fmt.Sprintf("%s: got error %v", name, err)}, nil
	}
	if g, w := describeInvalid(gotInvalid), describeInvalid(wantInvalid); g != w {
		return []string{fmt.Sprintf("%s: got invalid values %s, want %s", name, g, w)}, nil
	}
	if n := want.Elem().Len(); n != got.Elem().Len() {
		return []string{fmt.Sprintf("%s: got %d rows, want %d", name, got.Elem().Len(), n)}, nil
	}
	var differences []string
	for i := range want.Elem().Len() {
		differences = append(differences,
			compareRow(fmt.Sprintf("%s row %d", name, i), got.Elem().Index(i), want.Elem().Index(i))...)
	}
	return differences, nil
}

// describeInvalid describes all fields of invalid values.
func describeInvalid(values []wmiquery.InvalidValue) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "\n%s %d %q: %s %q: %v", v.Class, v.Row, v.Instance, v.Property, v.Text, v.Err)
	}
	return b.String()
}

// compareRow returns a text for each property that differs.
func compareRow(name string, got, want reflect.Value) []string {
	var differences []string
	for i := range want.NumField() {
		g, w := got.Field(i), want.Field(i)
		if g.Kind() == reflect.Pointer && !g.IsNil() && !w.IsNil() {
			g, w = g.Elem(), w.Elem()
		}
		equal := reflect.DeepEqual(g.Interface(), w.Interface())
		if a, ok := reflect.TypeAssert[time.Time](g); ok {
			equal = a.Equal(w.Interface().(time.Time).Truncate(time.Microsecond)) // the resolution of CIM
		}
		if !equal {
			differences = append(differences,
				fmt.Sprintf("%s: got %s %#v, want %#v", name, want.Type().Field(i).Name, g.Interface(), w.Interface()))
		}
	}
	return differences
}
