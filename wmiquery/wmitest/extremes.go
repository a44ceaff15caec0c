package wmitest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// extremeRows is the number of rows of each class of an extremeSession. Each property has each of its values.
const extremeRows = 10

// extremeSession is a session with a host whose rows have extreme values: null, empty, the smallest and the largest
// values of each type, and characters that need escaping. A simulated host has few of them.
type extremeSession struct{}

func (extremeSession) Close() {}

func (extremeSession) Call(wmiquery.Call) (wmiquery.Reply, error) {
	return wmiquery.Reply{}, wmiquery.ErrUnsupported
}

func (extremeSession) Texts(wmiquery.Class) ([]wmiquery.Embedded, error) {
	return nil, wmiquery.ErrUnsupported
}

func (extremeSession) Read(dst any) error {
	rows := reflect.ValueOf(dst).Elem()
	rows.Set(reflect.MakeSlice(rows.Type(), extremeRows, extremeRows))
	for i := range extremeRows {
		row := rows.Index(i)
		for j := range row.NumField() {
			values := extremeValues(row.Field(j).Type())
			// Fields of one type have different values in a row.
			row.Field(j).Set(values[(i+j)%len(values)])
		}
	}
	return nil
}

func (s extremeSession) Associated(dst any, _ wmiquery.Ref, _ wmiquery.Class) error {
	return s.Read(dst)
}

// extremeValues returns at most extremeRows values of the type of a property.
func extremeValues(t reflect.Type) []reflect.Value {
	switch t.Kind() {
	case reflect.Pointer:
		values := []reflect.Value{reflect.Zero(t)}
		for _, v := range extremeValues(t.Elem()) {
			p := reflect.New(t.Elem())
			p.Elem().Set(v)
			values = append(values, p)
		}
		return values
	case reflect.Slice:
		elements := extremeValues(t.Elem())
		all := reflect.Append(reflect.MakeSlice(t, 0, len(elements)), elements...)
		return []reflect.Value{reflect.Zero(t), reflect.MakeSlice(t, 0, 0), all.Slice(0, 1), all}
	}
	var values []reflect.Value
	for _, v := range extremeScalars(t) {
		values = append(values, reflect.ValueOf(v).Convert(t))
	}
	return values
}

func extremeScalars(t reflect.Type) []any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return []any{
			msvm.Never(), time.Unix(0, 0).UTC(), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(2024, 2, 29, 23, 59, 59, 999999000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 1000, time.UTC),
		}
	case reflect.TypeFor[time.Duration]():
		return []any{
			time.Duration(0), time.Microsecond, 24*time.Hour - time.Microsecond, 24 * time.Hour, 106751 * 24 * time.Hour,
		}
	case reflect.TypeFor[wmiquery.Ref]():
		return []any{`C.K="a"`, `C.K="Microsoft:a\\b",L="x:y"`, msvm.VMRef(`虚拟机 "1" <&>'`), `C.K=""`}
	}
	switch t.Kind() {
	case reflect.String:
		return []any{"a", "", " ", `<&>"'\`, "a\tb\r\nc", "虚拟机 😀", "\uFFFD", strings.Repeat("long ", 2000), "Microsoft:a\\b"}
	case reflect.Bool:
		return []any{false, true}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		largest := ^uint64(0) >> (64 - t.Bits())
		return []any{uint64(0), uint64(1), largest / 2, largest/2 + 1, largest - 1, largest}
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		largest := int64(^uint64(0) >> (65 - t.Bits()))
		return []any{int64(0), int64(1), int64(-1), largest, -largest - 1}
	}
	panic(fmt.Sprintf("no values of type %s", t))
}

// compareExtremeValues compares the rows of a host with extreme values.
func compareExtremeValues(t *testing.T, serve Serve) {
	host := extremeSession{}
	pool := newPool(t, serve(t, func() (wmiquery.Session, error) { return host, nil }))
	for _, class := range msvm.Classes() {
		differences, err := compareClass(class, host.Read, func(dst any) error { return pool.Read(t.Context(), dst) })
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differences {
			t.Error(d)
		}
	}
}
