package wmiquery_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

func TestRelativePath(t *testing.T) {
	for path, want := range map[string]wmiquery.Ref{
		`\\HV01\root\virtualization\v2:Msvm_X.Name="a"`:             `Msvm_X.Name="a"`,
		`\\hv01.example.com\root\virtualization\v2:Msvm_X.Name="a"`: `Msvm_X.Name="a"`,
		`\\HV01\root\virtualization\v2:Msvm_X.Name="C:\\a"`:         `Msvm_X.Name="C:\\a"`,
		`\\.\root\cimv2:Win32_X.Name="a:b"`:                         `Win32_X.Name="a:b"`,
		`Msvm_X.Name="a"`:                                           `Msvm_X.Name="a"`,
		`Msvm_X.InstanceID="Microsoft:a\\b"`:                        `Msvm_X.InstanceID="Microsoft:a\\b"`,
		`\\HV01\root\virtualization\v2`:                             `\\HV01\root\virtualization\v2`,
		`\:`:                                                        `\:`,
		"":                                                          "",
	} {
		if got := wmiquery.Relative(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestClassOfPath(t *testing.T) {
	for path, want := range map[wmiquery.Ref]string{
		`Msvm_X.Name="hv01.example.com"`: "Msvm_X",
		`Msvm_X`:                         "Msvm_X",
		"":                               "",
	} {
		if got := path.Class(); got != want {
			t.Errorf("%s: got class %q, want %q", path, got, want)
		}
	}
}

// A parameter is text whether it comes from this program or from COM, which has only strings.
func TestTextOfParameter(t *testing.T) {
	call := wmiquery.Call{In: []wmiquery.Param{
		{Name: "ComputerSystem", Value: wmiquery.Ref("ref")},
		{Name: "Relationship", Value: wmiquery.Embedded("embedded")},
		{Name: "Location", Value: "string"},
		{Name: "Null", Value: nil},
		{Name: "State", Value: uint16(3)},
		{Name: "Array", Value: []string{"a"}},
	}}
	for name, want := range map[string]string{
		"ComputerSystem": "ref", "computersystem": "ref", "RELATIONSHIP": "embedded", "Location": "string",
		"Null": "", "State": "", "Array": "", "Computer": "", "": "",
	} {
		if got := call.Text(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// Only methods whose names start with Get are called without a reason to change the host.
func TestIsGetMethod(t *testing.T) {
	for name, want := range map[string]bool{
		"GetReplicationStatisticsEx": true, "GetErrorEx": true, "ResetReplicationStatisticsEx": false,
		"ForgetReplication": false, "TargetGet": false, "": false, "InitiateFailover": false,
	} {
		if got := wmiquery.IsGetMethod(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// reader returns rows or fails.
type reader struct {
	wmiquery.Reader
	rows []row
	err  error
}

func (r reader) Read(_ context.Context, dst any) error {
	*dst.(*[]row) = r.rows
	return r.err
}

func (reader) Texts(context.Context, wmiquery.Class) ([]wmiquery.Embedded, error) { return nil, nil }

func (reader) Get(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
	return wmiquery.Reply{}, nil
}

func (reader) Now() time.Time { return time.Time{} }

func TestAllReturnsRowsAndError(t *testing.T) {
	rows, err := wmiquery.All[row](t.Context(), reader{rows: []row{{"a"}, {"b"}}})
	if err != nil || len(rows) != 2 || rows[1].Name != "b" {
		t.Errorf("got rows %v, error %v", rows, err)
	}
	if _, err := wmiquery.All[row](t.Context(), reader{err: wmiquery.ErrDenied}); !errors.Is(err, wmiquery.ErrDenied) {
		t.Errorf("got error %v, want ErrDenied", err)
	}
}
