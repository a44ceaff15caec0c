package wmitest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// wrongRead returns a read of a host with extreme values whose result is changed by a mistake.
func wrongRead(mistake func(rows reflect.Value)) func(dst any) error {
	return func(dst any) error {
		err := extremeSession{}.Read(dst)
		mistake(reflect.ValueOf(dst).Elem())
		return err
	}
}

// checkDetected checks that the conformance test detects a mistake in the rows of a class, and names the class and
// the property.
func checkDetected(t *testing.T, class wmiquery.Instance, property, name string, mistake func(rows reflect.Value)) {
	t.Helper()
	differences, err := compareClass(class, extremeSession{}.Read, wrongRead(mistake))
	if err != nil {
		t.Fatal(err)
	}
	subject := class.WMIClass().Name
	if text := strings.Join(differences, "\n"); !strings.Contains(text, subject) || !strings.Contains(text, property) {
		t.Errorf("%s %s, %s: not detected, got %.300q", subject, property, name, text)
	}
}

func TestRightRowsAreAccepted(t *testing.T) {
	for _, class := range msvm.Classes() {
		differences, err := compareClass(class, extremeSession{}.Read, extremeSession{}.Read)
		if err != nil || len(differences) > 0 {
			t.Errorf("%s: got differences %q, error %v", class.WMIClass().Name, differences, err)
		}
	}
}

// The conformance test detects a missing row, an additional row and rows in another order of each class.
func TestWrongRowsAreDetected(t *testing.T) {
	for _, class := range msvm.Classes() {
		checkDetected(t, class, "got 9 rows, want 10", "last row missing", func(rows reflect.Value) {
			rows.Set(rows.Slice(0, rows.Len()-1))
		})
		checkDetected(t, class, "got 0 rows, want 10", "no rows", func(rows reflect.Value) { rows.SetZero() })
		checkDetected(t, class, "got 11 rows, want 10", "row twice", func(rows reflect.Value) {
			rows.Set(reflect.Append(rows, rows.Index(0)))
		})
		checkDetected(t, class, "row 0", "rows in another order", func(rows reflect.Value) {
			reflect.Swapper(rows.Interface())(0, 1)
		})
		checkDetected(t, class, "row 3", "same row repeated", func(rows reflect.Value) {
			rows.Index(3).Set(rows.Index(2))
		})
	}
}

// The conformance test detects each of these mistakes in each property of each class for which it is possible.
func TestWrongValuesAreDetected(t *testing.T) {
	for _, class := range msvm.Classes() {
		row := reflect.TypeOf(class)
		for i := range row.NumField() {
			n := 0
			for name, mistake := range mistakes(row.Field(i).Type) {
				n++
				checkDetected(t, class, row.Field(i).Name, name, func(rows reflect.Value) {
					for j := range rows.Len() {
						mistake(rows.Index(j).Field(i))
					}
				})
			}
			if n == 0 {
				t.Errorf("%s: no mistakes for type %s", row, row.Field(i).Type)
			}
		}
	}
}

// mistakes returns realistic mistakes of a client in a property of a type: wrong nulls, and types that are too narrow
// or have the wrong sign.
func mistakes(t reflect.Type) map[string]func(v reflect.Value) {
	all := map[string]func(v reflect.Value){"always zero or null": reflect.Value.SetZero}
	switch t.Kind() {
	case reflect.Pointer:
		all["null is read as zero"] = func(v reflect.Value) {
			if v.IsNil() {
				v.Set(reflect.New(t.Elem()))
			}
		}
		all["zero is read as null"] = func(v reflect.Value) {
			if !v.IsNil() && v.Elem().IsZero() {
				v.SetZero()
			}
		}
		for name, mistake := range mistakes(t.Elem()) {
			all[name] = func(v reflect.Value) {
				if !v.IsNil() {
					mistake(v.Elem())
				}
			}
		}
	case reflect.Slice:
		all["null is read as empty array"] = func(v reflect.Value) {
			if v.IsNil() {
				v.Set(reflect.MakeSlice(t, 0, 0))
			}
		}
		all["empty array is read as null"] = func(v reflect.Value) {
			if v.Len() == 0 {
				v.SetZero()
			}
		}
		all["last element missing"] = func(v reflect.Value) { v.Set(v.Slice(0, max(0, v.Len()-1))) }
		for name, mistake := range mistakes(t.Elem()) {
			all["elements: "+name] = func(v reflect.Value) {
				for i := range v.Len() {
					mistake(v.Index(i))
				}
			}
		}
	case reflect.String:
		all["trimmed"] = func(v reflect.Value) { v.SetString(strings.TrimSpace(v.String())) }
		all["in upper case"] = func(v reflect.Value) { v.SetString(strings.ToUpper(v.String())) }
		all["one byte per character"] = func(v reflect.Value) {
			v.SetString(strings.Map(func(r rune) rune { return r & 0xFF }, v.String()))
		}
		all["backslashes doubled"] = func(v reflect.Value) { v.SetString(strings.ReplaceAll(v.String(), `\`, `\\`)) }
		if t == reflect.TypeFor[wmiquery.Ref]() {
			delete(all, "trimmed") // paths have no white space around them
			all["absolute path"] = func(v reflect.Value) { v.SetString(`\\HV01\root\virtualization\v2:` + v.String()) }
		}
	case reflect.Bool:
		all["always true"] = func(v reflect.Value) { v.SetBool(true) }
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		half := uint64(1) << (t.Bits() - 1)
		all["sign bit lost"] = func(v reflect.Value) { v.SetUint(v.Uint() &^ half) }
		all["too narrow"] = func(v reflect.Value) { v.SetUint(v.Uint() & (1<<(t.Bits()/2) - 1)) }
		all["in floating point"] = func(v reflect.Value) {
			if t.Bits() == 64 {
				v.SetUint(uint64(float64(v.Uint()/2)) * 2)
			} else {
				v.SetUint(v.Uint() &^ 1)
			}
		}
	case reflect.Int64: // an interval
		all["without days"] = func(v reflect.Value) { v.SetInt(v.Int() % (24 * 3600 * 1e9)) }
		all["in milliseconds"] = func(v reflect.Value) { v.SetInt(v.Int() / 1e6 * 1e6) }
	case reflect.Struct: // a point in time
		all["without fractions"] = changeTime(func(t time.Time) time.Time { return t.Truncate(time.Second) })
		all["local time"] = changeTime(func(t time.Time) time.Time { return t.Add(time.Hour) })
		all["never is read as zero"] = changeTime(func(t time.Time) time.Time {
			if t.Equal(msvm.Never()) {
				return time.Time{}
			}
			return t
		})
	}
	return all
}

func changeTime(change func(time.Time) time.Time) func(v reflect.Value) {
	return func(v reflect.Value) { v.Set(reflect.ValueOf(change(v.Interface().(time.Time)))) }
}

// The calls of the conformance test compare errors and out parameters.
func TestWrongRepliesAreDetected(t *testing.T) {
	m, ok := msvm.FindMethod("Msvm_ReplicationService", "GetReplicationStatisticsEx")
	if !ok {
		t.Fatal("the method is missing")
	}
	want := map[string]any{"ReplicationStatistics": []string{"a", ""}, "ReplicationHealthIssues": nil}
	for name, tt := range map[string]struct {
		got  map[string]any
		same bool
	}{
		"same":           {map[string]any{"ReplicationStatistics": []string{"a", ""}, "ReplicationHealthIssues": nil}, true},
		"null missing":   {map[string]any{"ReplicationStatistics": []string{"a", ""}}, true},
		"array missing":  {map[string]any{}, false},
		"empty array":    {map[string]any{"ReplicationStatistics": []string{"a", ""}, "ReplicationHealthIssues": []string{}}, false},
		"untyped array":  {map[string]any{"ReplicationStatistics": []any{"a", ""}}, false},
		"text":           {map[string]any{"ReplicationStatistics": "a"}, false},
		"other elements": {map[string]any{"ReplicationStatistics": []string{"a"}}, false},
		"with Job":       {map[string]any{"ReplicationStatistics": []string{"a", ""}, "Job": nil}, false},
		"with code":      {map[string]any{"ReplicationStatistics": []string{"a", ""}, "ReturnValue": int64(0)}, false},
	} {
		if got := sameOut(m, tt.got, want); got != tt.same {
			t.Errorf("out parameters, %s: got %v, want %v", name, got, tt.same)
		}
	}
	failures := []error{
		nil, errors.New("x"), wmiquery.ErrNotFound, wmiquery.ErrUnsupported, wmiquery.ErrDenied, wmiquery.ErrBusy,
		wmiquery.ErrTimeout, wmiquery.ErrInvalidState, wmiquery.ErrUnavailable,
	}
	for i, a := range failures {
		for j, b := range failures {
			if a != nil {
				a = fmt.Errorf("call X: %w", a)
			}
			if got := sameSentinel(a, b); got != (i == j) {
				t.Errorf("errors %v and %v: got %v", a, b, got)
			}
		}
	}
}

// An error of a read is a difference.
func TestErrorOfReadIsDetected(t *testing.T) {
	fail := func(any) error { return wmiquery.ErrTimeout }
	differences, err := compareClass(msvm.ComputerSystem{}, extremeSession{}.Read, fail)
	if err != nil || len(differences) != 1 || differences[0] != "Msvm_ComputerSystem: got error timed out" {
		t.Errorf("got differences %q, error %v", differences, err)
	}
	if _, err := compareClass(msvm.ComputerSystem{}, fail, extremeSession{}.Read); !errors.Is(err, wmiquery.ErrTimeout) {
		t.Errorf("got error %v, want that of the host", err)
	}
}

// Each property has null, if it may be null, and values other than null and zero.
func TestExtremeValuesOfAllProperties(t *testing.T) {
	for _, class := range msvm.Classes() {
		slice := reflect.New(reflect.SliceOf(reflect.TypeOf(class)))
		if err := (extremeSession{}).Read(slice.Interface()); err != nil {
			t.Fatal(err)
		}
		for f := range reflect.TypeOf(class).Fields() {
			nulls, values := 0, map[string]bool{}
			for i := range slice.Elem().Len() {
				v := slice.Elem().Index(i).FieldByIndex(f.Index)
				if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice) && v.IsNil() {
					nulls++
					continue
				}
				values[fmt.Sprintf("%#v", reflect.Indirect(v))] = true
			}
			mayBeNull := f.Type.Kind() == reflect.Pointer || f.Type.Kind() == reflect.Slice
			if mayBeNull != (nulls > 0) || len(values) < 2 {
				t.Errorf("%s of %T has %d nulls and the values %v", f.Name, class, nulls, values)
			}
		}
	}
}
