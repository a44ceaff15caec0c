package wmiquery_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// openSessions serves a simulated host over COM and opens two sessions with it: one over COM and one directly.
func openSessions(t testing.TB, host *fakewmi.Host) (com, direct wmiquery.Session) {
	t.Helper()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	world, err := simulator.New(simulator.Config{Seed: 3, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	host.Open = world.Open
	fakewmi.Serve(t, host)
	if com, err = wmiquery.OpenCOM(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(com.Close)
	if direct, err = world.Open(); err != nil {
		t.Fatal(err)
	}
	return com, direct
}

func all[T wmiquery.Instance](t testing.TB, s wmiquery.Session) []T {
	t.Helper()
	var rows []T
	if err := s.Read(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// statisticsCall returns a valid call of GetReplicationStatisticsEx.
func statisticsCall(t testing.TB, s wmiquery.Session) wmiquery.Call {
	t.Helper()
	for _, r := range all[msvm.ReplicationRelationship](t, s) {
		if key, err := msvm.ParseKey(r.InstanceID); err == nil && r.Replicates() {
			call, err := msvm.GetReplicationStatistics(all[msvm.ReplicationService](t, s)[0], key, r)
			if err != nil {
				t.Fatal(err)
			}
			return call
		}
	}
	t.Fatal("the simulated host has no replicating relationship")
	return wmiquery.Call{}
}

// If an enumeration ends early, Read returns an error and no rows.
func TestCOMReadFailsIfEnumerationEndsEarly(t *testing.T) {
	var at string
	com, direct := openSessions(t, &fakewmi.Host{Before: func(operation, subject string) error {
		if operation == "next" && subject == at {
			return &fakewmi.Exception{SCode: 0x80041001, Description: "Generic failure"}
		}
		return nil
	}})
	want := all[msvm.ComputerSystem](t, direct)
	for i := range want {
		at = fmt.Sprint(i)
		var rows []msvm.ComputerSystem
		if err := com.Read(&rows); !errors.Is(err, wmiquery.ErrUnavailable) || len(rows) > 0 {
			t.Errorf("enumeration ends at row %d of %d: got %d rows and error %v", i, len(want), len(rows), err)
		}
	}
	at = ""
	if got := all[msvm.ComputerSystem](t, com); len(got) != len(want) {
		t.Errorf("complete enumeration: got %d rows, want %d", len(got), len(want))
	}
}

// A property that cannot be read causes an error. It is not read as null.
func TestCOMReadFailsIfPropertyIsUnreadable(t *testing.T) {
	com, _ := openSessions(t, &fakewmi.Host{Before: func(operation, subject string) error {
		if operation == "property" && subject == "replicationmode" {
			return &fakewmi.Exception{SCode: 0x80041001, Description: "Generic failure"}
		}
		return nil
	}})
	var rows []msvm.ComputerSystem
	if err := com.Read(&rows); err == nil || !strings.Contains(err.Error(), "ReplicationMode") {
		t.Errorf("got %d rows and error %v; want an error that names the property", len(rows), err)
	}
}

// Q66: a query names its columns. If a version of Windows does not have some of them, Read returns the others, with one
// additional query the first time.
func TestCOMReadWithoutMissingProperties(t *testing.T) {
	var queries []string
	com, direct := openSessions(t, &fakewmi.Host{
		MissingProperties: map[string]bool{"ReplicationInterval": true, "ReplicationProvider": true},
		Before: func(operation, subject string) error {
			if operation == "query" {
				queries = append(queries, subject)
			}
			return nil
		},
	})
	want := all[msvm.ReplicationSettingData](t, direct)
	for i := range want {
		want[i].ReplicationInterval, want[i].ReplicationProvider = nil, nil
	}
	for range 3 {
		if got := all[msvm.ReplicationSettingData](t, com); !reflect.DeepEqual(got, want) {
			t.Errorf("got rows\n%+v\nwant\n%+v", got[0], want[0])
		}
	}
	if len(queries) != 4 || strings.Contains(queries[0], "*") || !strings.Contains(queries[3], "*") {
		t.Errorf("got %d queries, want 4, the first one with named columns, the others with all: %q", len(queries), queries)
	}
	queries = nil
	all[msvm.ComputerSystem](t, com)
	if len(queries) != 1 || strings.Contains(queries[0], "*") {
		t.Errorf("got queries %q for another class, want one with named columns", queries)
	}
}

// Errors of queries and calls wrap the sentinel that stands for the code, and no other.
func TestCOMErrorsWrapSentinels(t *testing.T) {
	var where string
	var code uint32
	com, _ := openSessions(t, &fakewmi.Host{Before: func(operation, _ string) error {
		if operation == where {
			return &fakewmi.Exception{SCode: code, Description: "Description by Windows"}
		}
		return nil
	}})
	call := statisticsCall(t, com)
	for _, tt := range []struct {
		where string
		code  uint32
		want  error
	}{
		{"query", 0x80041003, wmiquery.ErrDenied},
		{"query", 0x80070005, wmiquery.ErrDenied},
		{"query", 0x80041010, wmiquery.ErrUnsupported},
		{"query", 0x800706BA, wmiquery.ErrUnavailable},
		{"query", 0x800706BE, wmiquery.ErrUnavailable},
		{"query", 0x80010108, wmiquery.ErrUnavailable},
		{"query", 0x80041033, wmiquery.ErrUnavailable},
		{"query", 0x8004106C, wmiquery.ErrBusy},
		{"query", 0x80041017, nil},
		{"query", 0x80041001, nil},
		{"connect", 0x8004100E, wmiquery.ErrUnsupported},
		{"connect", 0x80041003, wmiquery.ErrDenied},
		{"exec", 0x80041002, wmiquery.ErrNotFound},
		{"exec", 0x80041003, wmiquery.ErrDenied},
		{"exec", 0x800706BA, wmiquery.ErrUnavailable},
		{"exec", 0x80041001, nil},
	} {
		session := com
		if tt.where == "connect" { // a session keeps its connections
			var err error
			if session, err = wmiquery.OpenCOM(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(session.Close)
		}
		where, code = tt.where, tt.code
		var rows []msvm.ComputerSystem
		err := session.Read(&rows)
		if tt.where == "exec" {
			_, err = session.Call(call)
		}
		text := fmt.Sprintf("Description by Windows (0x%08X)", tt.code)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s fails with %#x: got error %v, want %v", tt.where, tt.code, err, tt.want)
		}
		for _, is := range []error{
			wmiquery.ErrNotFound, wmiquery.ErrUnsupported, wmiquery.ErrDenied,
			wmiquery.ErrBusy, wmiquery.ErrTimeout, wmiquery.ErrUnavailable,
		} {
			if errors.Is(err, is) && !errors.Is(is, tt.want) {
				t.Errorf("%s fails with %#x: the error is also %v", tt.where, tt.code, is)
			}
		}
	}
	where = ""
	if reply, err := com.Call(call); err != nil || reply.Code != 0 {
		t.Errorf("call without failure: got %+v, %v", reply, err)
	}
}

// A call with a parameter that cannot be passed fails before the method is called.
func TestCOMCallRejectsInvalidParameter(t *testing.T) {
	sent := false
	com, _ := openSessions(t, &fakewmi.Host{Before: func(operation, _ string) error {
		sent = sent || operation == "exec"
		return nil
	}})
	call := statisticsCall(t, com)
	for name, p := range map[string]wmiquery.Param{
		"unknown parameter": {Name: "Nonsense", Value: "x"},
		"unknown type":      {Name: "ComputerSystem", Value: struct{}{}},
	} {
		bad := call
		bad.In = append([]wmiquery.Param{p}, call.In...)
		if _, err := com.Call(bad); err == nil || !strings.Contains(err.Error(), p.Name) {
			t.Errorf("%s: got error %v, want one that names the parameter", name, err)
		}
	}
	if sent {
		t.Error("the method was called")
	}
}

// Reads and calls release all COM objects and all memory of COM, whether Windows returns embedded instances as strings
// or as objects. The test would detect a string of a reply that is not freed: it has 2 kB, and there are 5,000 calls.
func TestCOMReleasesObjectsAndMemory(t *testing.T) {
	for name, objects := range map[string]bool{"strings": false, "objects": true} {
		t.Run(name, func(t *testing.T) {
			com, _ := openSessions(t, &fakewmi.Host{Objects: objects})
			call := statisticsCall(t, com)
			makeCalls := func(n int) {
				for i := range n {
					reply, err := com.Call(call)
					if err != nil || reply.Code != 0 {
						t.Fatalf("%+v, %v", reply, err)
					}
					if i%100 == 0 {
						all[msvm.ReplicationRelationship](t, com)
					}
				}
			}
			makeCalls(1000)
			before, memory := fakewmi.Live(), workingSet(t)
			makeCalls(5000)
			if n := fakewmi.Live(); n != before {
				t.Errorf("%d COM objects after 5,000 calls, want %d as before", n, before)
			}
			grown := int64(workingSet(t)) - int64(memory)
			t.Logf("%d COM objects; memory has grown by %d from %d bytes after 5,000 calls", before, grown, memory)
			if grown > 8<<20 {
				t.Errorf("memory has grown by %d bytes after 5,000 calls", grown)
			}
		})
	}
}

// workingSet returns the size of the working set of this process in bytes.
func workingSet(t *testing.T) uint64 {
	t.Helper()
	var c struct { // PROCESS_MEMORY_COUNTERS
		size, _    uint32
		_, working uintptr
		_          [6]uintptr
	}
	c.size = uint32(unsafe.Sizeof(c))
	get := windows.NewLazySystemDLL("kernel32.dll").NewProc("K32GetProcessMemoryInfo")
	r, _, err := get.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&c)), uintptr(c.size))
	if r == 0 || c.working == 0 {
		t.Fatal(err)
	}
	return uint64(c.working)
}

// A call whose reply cannot be read has been made: its error is no refusal, whatever the code is, because a refusal
// means that the call has had no effect.
func TestCOMUnreadableReplyIsNoRefusal(t *testing.T) {
	var parameter string
	var code uint32
	com, _ := openSessions(t, &fakewmi.Host{Before: func(operation, subject string) error {
		if operation == "property" && subject == parameter {
			return &fakewmi.Exception{SCode: code, Description: "Description by Windows"}
		}
		return nil
	}})
	call := statisticsCall(t, com)
	for _, parameter = range []string{"returnvalue", "replicationstatistics"} {
		for _, code = range []uint32{0x80041002, 0x80041003, 0x8004106C} {
			_, err := com.Call(call)
			const want = "GetReplicationStatisticsEx was called, but its reply cannot be read"
			if err == nil || !strings.Contains(err.Error(), want) || wmiquery.IsRefusal(err) {
				t.Errorf("%s fails with %#x: got error %v, want one that is no refusal", parameter, code, err)
			}
		}
	}
}
