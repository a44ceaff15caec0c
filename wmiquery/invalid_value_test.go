package wmiquery_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A read with invalid values returns the rows with the error, and the session is used again.
func TestPoolReturnsRowsWithInvalidValues(t *testing.T) {
	want := &wmiquery.InvalidValuesError{Values: []wmiquery.InvalidValue{{Property: "Size", Err: errors.New("x")}}}
	opened := 0
	p := newPoolWithOpen(t, 1, 0, func() (wmiquery.Session, error) {
		opened++
		return fakeSession{read: func(dst *[]row) error {
			*dst = []row{{"a"}, {"b"}}
			return fmt.Errorf("read Test_Row: %w", want)
		}}, nil
	})
	for range 2 {
		rows, err := wmiquery.All[row](t.Context(), p)
		got, ok := wmiquery.InvalidValues(err)
		if !ok || !reflect.DeepEqual(got, want.Values) || len(rows) != 2 {
			t.Errorf("got rows %v, error %v", rows, err)
		}
	}
	if opened != 1 {
		t.Errorf("opened %d sessions, want 1", opened)
	}
}

// InvalidValues distinguishes errors with data from errors without.
func TestInvalidValuesOfError(t *testing.T) {
	if values, ok := wmiquery.InvalidValues(nil); values != nil || !ok {
		t.Errorf("no error: got %v, %v", values, ok)
	}
	if values, ok := wmiquery.InvalidValues(wmiquery.ErrDenied); values != nil || ok {
		t.Errorf("other error: got %v, %v", values, ok)
	}
	if err := wmiquery.NewInvalidValuesError(nil); err != nil {
		t.Errorf("no values: got error %v", err)
	}
}

// The texts of invalid values have a limit, whatever the host returns.
func TestInvalidValuesAreShort(t *testing.T) {
	long := strings.Repeat("x", 1e6)
	r := msvm.ConcreteJob{InstanceID: long}
	_, err := cimxml.Unmarshal(`<INSTANCE CLASSNAME="`+long+`"><PROPERTY NAME="InstanceID"><VALUE>`+long+
		`</VALUE></PROPERTY><PROPERTY NAME="JobType"><VALUE>`+long+`</VALUE></PROPERTY></INSTANCE>`, &r)
	values, ok := wmiquery.AppendInvalid(nil, "Msvm_ConcreteJob", "", 7, &r, err)
	if !ok || len(values) != 1 || values[0].Row != 7 || values[0].Property != "JobType" {
		t.Fatalf("got %d values, error %.300v", len(values), err)
	}
	for name, text := range map[string]string{
		"instance": values[0].Instance, "text": values[0].Text, "error": values[0].Err.Error(),
		"description": wmiquery.NewInvalidValuesError(values).Error(),
	} {
		if len(text) > 300 || !strings.Contains(text, "xxxxx") {
			t.Errorf("%s has %d characters: %.300q", name, len(text), text)
		}
	}
	values, ok = wmiquery.AppendInvalid(nil, "C", "CLASS 1", 7, &r, errors.New(long))
	if text := wmiquery.NewInvalidValuesError(append(values, values...)).Error(); ok || len(text) > 300 ||
		values[0].Row != -1 || !strings.HasPrefix(text, `2 invalid values, such as C "CLASS 1": xxx`) {
		t.Errorf("unreadable instance: got %v, %d characters: %.300q", ok, len(text), text)
	}
	if text := wmiquery.NewHRESULTError(1, long).Error(); len(text) > 600 {
		t.Errorf("text of a failure has %d characters", len(text))
	}
}

// A row is identified by its InstanceID, its Name or another text.
func TestNameOfRow(t *testing.T) {
	for want, r := range map[string]any{
		"vm":       &msvm.ComputerSystem{Name: "vm", ElementName: new("x")},
		"settings": &msvm.FailoverNetworkAdapterSettingData{InstanceID: new("settings")},
		"id":       &msvm.ReplicationProvider{Name: "id"},
		"name":     &msvm.ComputerSystem{ElementName: new("name")},
		"job":      &msvm.AffectedJobElement{AffectingElement: "job"},
		"":         &msvm.FailoverNetworkAdapterSettingData{IPAddresses: []string{"x"}},
	} {
		if got := wmiquery.NameOf(r); got != want {
			t.Errorf("%T: got %q, want %q", r, got, want)
		}
	}
}
