package replay

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/fstest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// A session with a capture of a host returns the same as a session with the host, for all classes and relationships.
// The hosts are simulated, with and without faults.
func TestCaptureReturnsSameAsHost(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC)
	for _, tt := range []struct{ host, fault string }{
		{"HV01", ""},
		{"HV02", ""},
		{"HV03", ""},
		{"HV01", "nulls"},
		{"HV01", "unknown-enum"},
		{"HV01", "hostile-names"},
		{"HV01", "duplicate-names"},
		{"HV01", "denied"},
		{"HV01", "class-missing=Msvm_ReplicationRelationship"},
		{"HV01", "relationship-failing"},
		{"HV01", "statistics-job"},
		{"HV01", "statistics-empty"},
	} {
		t.Run(tt.host+" "+tt.fault, func(t *testing.T) {
			w, err := simulator.New(simulator.Config{Seed: 7, Host: tt.host, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			if tt.fault != "" {
				faults, err := simulator.ParseFaults([]string{tt.fault})
				if err != nil {
					t.Fatal(err)
				}
				w.SetFaults(faults)
			}
			direct, err := w.Open()
			if err != nil {
				t.Fatal(err)
			}
			_, replayed := open(t, capture(t, direct))
			compareClasses(t, replayed, direct)
			compareStatistics(t, replayed, direct)
		})
	}
}

func compareClasses(t *testing.T, got, want wmiquery.Session) {
	for _, class := range msvm.Classes() {
		slice := reflect.SliceOf(reflect.TypeOf(class))
		g, w := reflect.New(slice), reflect.New(slice)
		gotErr, wantErr := got.Read(g.Interface()), want.Read(w.Interface())
		if (gotErr == nil) != (wantErr == nil) ||
			errors.Is(wantErr, wmiquery.ErrUnsupported) != errors.Is(gotErr, wmiquery.ErrUnsupported) {
			t.Errorf("%s: got error %v, want %v", slice, gotErr, wantErr)
		}
		if g.Elem().Len() != w.Elem().Len() {
			t.Errorf("%s: got %d rows, want %d", slice, g.Elem().Len(), w.Elem().Len())
			continue
		}
		for i := range w.Elem().Len() {
			// CIM-XML has exactly the precision of CIM.
			if a, b := marshal(t, g.Elem().Index(i)), marshal(t, w.Elem().Index(i)); a != b {
				t.Errorf("%s row %d: got\n%s\nwant\n%s", slice, i, a, b)
			}
		}
		texts, err := got.Texts(class.WMIClass())
		if fmt.Sprint(err) != fmt.Sprint(gotErr) {
			t.Errorf("%s: got error %v for texts, %v for rows", slice, err, gotErr)
		}
		compareTexts(t, texts, g.Elem())
	}
}

// compareTexts checks that texts have the values of rows. Only object paths differ: those in a text are absolute.
func compareTexts(t *testing.T, texts []wmiquery.Embedded, rows reflect.Value) {
	if len(texts) != rows.Len() {
		t.Errorf("%s: got %d texts of %d rows", rows.Type(), len(texts), rows.Len())
		return
	}
	for i, text := range texts {
		row := reflect.New(rows.Type().Elem())
		if _, err := cimxml.Unmarshal(string(text), row.Interface()); err != nil {
			t.Errorf("%v in %s", err, text)
		}
		for _, field := range row.Elem().Fields() {
			if ref, ok := reflect.TypeAssert[*wmiquery.Ref](field.Addr()); ok {
				*ref = wmiquery.Relative(string(*ref))
			}
		}
		if got, want := marshal(t, row.Elem()), marshal(t, rows.Index(i)); got != want {
			t.Errorf("%s text %d: got\n%s\nwant\n%s", rows.Type(), i, got, want)
		}
	}
}

func compareStatistics(t *testing.T, got, want wmiquery.Session) {
	var services []msvm.ReplicationService
	var relationships []msvm.ReplicationRelationship
	if want.Read(&services) != nil || want.Read(&relationships) != nil || len(services) == 0 {
		return
	}
	for _, r := range relationships {
		if !r.Replicates() {
			continue
		}
		call := calls(services[0], []msvm.ReplicationRelationship{r})[1]
		g, gotErr := got.Call(call)
		w, wantErr := want.Call(call)
		if wantErr != nil || gotErr != nil {
			t.Errorf("%s: got error %v, want %v", r.InstanceID, gotErr, wantErr)
		}
		if len(w.Out) == 0 { // a failed call has null arrays
			g.Out = w.Out
		}
		if !reflect.DeepEqual(g, w) {
			t.Errorf("%s: got %+v\nwant %+v", r.InstanceID, g, w)
		}
	}
}

// capture makes a capture of a host without replacing names.
func capture(t *testing.T, s wmiquery.Session) fstest.MapFS {
	t.Helper()
	r := Recording{Time: time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC), Build: "20348"}
	for _, class := range msvm.Classes() {
		rows := reflect.New(reflect.SliceOf(reflect.TypeOf(class)))
		c := RecordedClass{Class: class.WMIClass(), Err: s.Read(rows.Interface())}
		for i := range rows.Elem().Len() {
			instance, err := cimxml.NewInstance(c.Class.Name, rows.Elem().Index(i).Interface())
			if err != nil {
				t.Fatal(err)
			}
			c.Instances = append(c.Instances, instance)
		}
		r.Classes = append(r.Classes, c)
	}
	statistics := RecordedMethod{Name: msvm.MethodGetReplicationStatisticsEx}
	var services []msvm.ReplicationService
	var relationships []msvm.ReplicationRelationship
	if s.Read(&services) == nil && s.Read(&relationships) == nil && len(services) > 0 {
		for _, r := range relationships {
			if r.Replicates() {
				reply, err := s.Call(calls(services[0], []msvm.ReplicationRelationship{r})[1])
				out, outErr := OutParameters(reply)
				statistics.Calls = append(statistics.Calls, RecordedCall{InstanceID: r.InstanceID, Out: out, Err: errors.Join(err, outErr)})
			}
		}
	}
	r.Methods = []RecordedMethod{statistics, {Name: msvm.MethodGetSystemCertificates}}
	files, err := r.Files()
	if err != nil {
		t.Fatal(err)
	}
	capture := fstest.MapFS{}
	for _, f := range files {
		capture[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return capture
}

// marshal returns a row as CIM-XML.
func marshal(t *testing.T, row reflect.Value) string {
	t.Helper()
	instance := row.Interface().(wmiquery.Instance)
	text, err := cimxml.Marshal(instance.WMIClass().Name, instance)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
