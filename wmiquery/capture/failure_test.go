package capture

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// failing is a Reader whose requests fail.
type failing struct {
	wmiquery.Reader
	err error
}

func (r failing) Read(ctx context.Context, dst any) error {
	if _, ok := dst.(*[]msvm.ComputerSystem); ok {
		return r.err
	}
	return r.Reader.Read(ctx, dst)
}

func (r failing) Get(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
	return wmiquery.Reply{}, r.err
}

// A failure of the host is part of the capture, with its code and without names. Replay returns it.
func TestFailuresAreCaptured(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want error
		text string
	}{
		{wmiquery.NewHRESULTError(0x80041003, "web01 on HV02"), wmiquery.ErrDenied, "vm001 on HOST1 (0x80041003)"},
		{wmiquery.NewHRESULTError(0x80041001, "x"), nil, "x (0x80041001)"},
		{fmt.Errorf("read X: %w", wmiquery.ErrTimeout), wmiquery.ErrTimeout, "read X: timed out (0x80041069)"},
		{wmiquery.ErrUnsupported, wmiquery.ErrUnsupported, "0x80041010"},
		{wmiquery.ErrBusy, wmiquery.ErrBusy, "0x80041045"},
	} {
		folder := newFolder(t)
		result := capture(t, Options{Reader: failing{simulated(t, "HV01"), tt.err}, Folder: folder, CallTimeout: time.Minute})
		if n := len(result.Failures); n < 5 || !strings.HasPrefix(result.Failures[0], "Msvm_ComputerSystem: ") {
			t.Errorf("%v: got failures %q", tt.err, result.Failures)
		}
		s := openReplay(t, folder)
		var services []msvm.ReplicationService
		if err := s.Read(&services); err != nil || len(services) != 1 {
			t.Fatalf("got %d services, error %v", len(services), err)
		}
		_, callErr := s.Call(msvm.GetSystemCertificates(services[0]))
		var systems []msvm.ComputerSystem
		for _, err := range []error{s.Read(&systems), callErr} {
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v: got error %v, want %v with %q", tt.err, err, tt.want, tt.text)
			}
		}
	}
}

// odd is a Reader that returns invalid values for the first VM.
type odd struct{ wmiquery.Reader }

func (r odd) Read(ctx context.Context, dst any) error {
	if err := r.Reader.Read(ctx, dst); err != nil {
		return err
	}
	rows, ok := dst.(*[]msvm.ComputerSystem)
	if !ok {
		return nil
	}
	invalid := func(row int, property, text string) wmiquery.InvalidValue {
		return wmiquery.InvalidValue{Class: "Msvm_ComputerSystem", Row: row, Property: property, Text: text, Err: errors.New("x")}
	}
	(*rows)[1].EnabledState, (*rows)[1].InstallDate, (*rows)[1].ElementName = nil, nil, nil
	return wmiquery.NewInvalidValuesError([]wmiquery.InvalidValue{
		invalid(1, "EnabledState", "on at HV02"), invalid(1, "InstallDate", "00000000000000.000000+000"),
		invalid(1, "ElementName", "web01"), invalid(-1, "", "lost"), invalid(9999, "EnabledState", "lost"),
	})
}

// An invalid value is captured with its text, apart from names. It is invalid in the replay, too.
func TestInvalidValuesAreCaptured(t *testing.T) {
	folder := newFolder(t)
	result := capture(t, Options{Reader: odd{simulated(t, "HV01")}, Folder: folder, CallTimeout: time.Minute})
	if len(result.Failures) != 1 || !strings.Contains(result.Failures[0], "Msvm_ComputerSystem: 5 invalid values") {
		t.Errorf("got failures %q", result.Failures)
	}
	text := readFiles(t, folder)["Msvm_ComputerSystem.xml"]
	for _, want := range []string{
		`<PROPERTY NAME="EnabledState" TYPE="uint16"><VALUE>on at HOST2</VALUE></PROPERTY>`,
		`<PROPERTY NAME="InstallDate" TYPE="datetime"><VALUE>00000000000000.000000+000</VALUE></PROPERTY>`,
		`<PROPERTY.ARRAY NAME="ElementName" TYPE="string"><VALUE.ARRAY><VALUE>vm001</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>`,
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%s is not there once", want)
		}
	}
	var systems []msvm.ComputerSystem
	invalid, ok := wmiquery.InvalidValues(openReplay(t, folder).Read(&systems))
	if len(invalid) != 3 || !ok || len(systems) < 5 || systems[1].EnabledState != nil || systems[2].EnabledState == nil {
		t.Errorf("got %d rows, invalid values %+v", len(systems), invalid)
	}
}

// hanging is a Reader whose host does not answer.
type hanging struct{ wmiquery.Reader }

func (hanging) Read(ctx context.Context, _ any) error {
	<-ctx.Done()
	return wmiquery.ErrTimeout
}

// A host that does not answer does not stop the capture: each call ends after the timeout.
func TestHangingHost(t *testing.T) {
	reader := hanging{simulated(t, "HV01")}
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		result := capture(t, Options{Reader: reader, Folder: newFolder(t), CallTimeout: time.Minute})
		if took := time.Since(started); took != 18*time.Minute || len(result.Failures) != 18 || !result.Empty {
			t.Errorf("took %v, got failures %q", took, result.Failures)
		}
	})
}

// strict is a Reader whose host accepts only its own text of a relationship.
type strict struct{ wmiquery.Reader }

func (r strict) Get(ctx context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
	if c.Method == "GetReplicationStatisticsEx" &&
		!strings.Contains(c.Text("ReplicationRelationship"), `CLASSORIGIN="___SYSTEM"`) {
		return wmiquery.Reply{Code: 32773}, nil
	}
	return r.Reader.Get(ctx, c)
}

// A host that accepts only its own text of a relationship gets it: the capture has the statistics.
func TestCaptureWithHostsOwnText(t *testing.T) {
	folder := newFolder(t)
	capture(t, Options{Reader: strict{simulated(t, "HV01")}, Folder: folder, CallTimeout: time.Minute})
	s := openReplay(t, folder)
	var services []msvm.ReplicationService
	var relationships []msvm.ReplicationRelationship
	if err := errors.Join(s.Read(&services), s.Read(&relationships)); err != nil || len(relationships) == 0 {
		t.Fatalf("got %d relationships, error %v", len(relationships), err)
	}
	captured := 0
	for _, r := range relationships {
		key, err := msvm.ParseKey(r.InstanceID)
		if err != nil || !r.Replicates() {
			continue
		}
		captured++
		call, err := msvm.GetReplicationStatistics(services[0], key, r)
		if err != nil {
			t.Fatal(err)
		}
		if reply, err := s.Call(call); err != nil || reply.Code != 0 {
			t.Errorf("%s: got code %d, error %v", r.InstanceID, reply.Code, err)
		}
	}
	if captured < 10 {
		t.Errorf("the capture has statistics of %d relationships", captured)
	}
}
