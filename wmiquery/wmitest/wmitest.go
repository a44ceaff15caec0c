// Package wmitest has the conformance test for implementations of [wmiquery.Session]. It uses a simulated host.
package wmitest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Open opens a session.
type Open = func() (wmiquery.Session, error)

// Serve makes a simulated host available to the implementation until the test ends. host opens sessions with the
// simulated host; the result opens sessions of the implementation with the same host.
type Serve = func(t *testing.T, host Open) Open

// Run tests an implementation.
func Run(t *testing.T, serve Serve) {
	for _, host := range []string{"HV01", "HV02", "HV03"} {
		t.Run("classes of "+host, func(t *testing.T) { newFixture(t, serve, host).compareClasses(t) })
		t.Run("statistics of "+host, func(t *testing.T) { newFixture(t, serve, host).compareStatistics(t) })
	}
	t.Run("extreme values", func(t *testing.T) { compareExtremeValues(t, serve) })
	for _, fault := range []string{
		"nulls", "unknown-enum", "hostile-names", "duplicate-names", "service-error", "invalid-value",
		"invalid-value=Msvm_ComputerSystem.EnabledState", "invalid-value=Msvm_ConcreteJob.InstanceID",
	} {
		t.Run("classes with "+fault, func(t *testing.T) {
			f := newFixture(t, serve, "HV01")
			f.setFaults(t, fault)
			f.compareClasses(t)
			f.compareTexts(t)
		})
	}
	for _, fault := range []string{
		"hostile-names", "relationship-failing", "statistics-job", "statistics-empty", "invalid-value",
	} {
		t.Run("statistics with "+fault, func(t *testing.T) {
			f := newFixture(t, serve, "HV01")
			f.setFaults(t, fault)
			f.compareStatistics(t)
		})
	}
	for _, host := range []string{"HV01", "HV02", "HV03"} {
		t.Run("methods of "+host, func(t *testing.T) { compareMethods(t, serve, host) })
	}
	t.Run("associators", func(t *testing.T) { testAssociators(t, serve) })
	t.Run("texts", func(t *testing.T) { testTexts(t, serve) })
	t.Run("errors", func(t *testing.T) { newFixture(t, serve, "HV01").testErrors(t) })
	t.Run("hanging read", func(t *testing.T) { newFixture(t, serve, "HV01").testHangingRead(t) })
	t.Run("invalid calls", func(t *testing.T) { newFixture(t, serve, "HV01").testInvalidCalls(t) })
}

// fixture is a simulated host with direct sessions and sessions of the implementation.
type fixture struct {
	world   *simulator.World
	direct  wmiquery.Session
	pool    *wmiquery.Pool // of the implementation
	elapsed *atomic.Int64  // nanoseconds by which the clock has advanced
	// onRead is called when a read of the implementation reaches the host, with its destination. It may be nil.
	onRead atomic.Pointer[func(dst any)]
}

func newFixture(t *testing.T, serve Serve, host string) *fixture {
	t.Helper()
	var elapsed atomic.Int64
	start := time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC)
	w, err := simulator.New(simulator.Config{
		Seed: 7, Host: host,
		Now: func() time.Time { return start.Add(time.Duration(elapsed.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	direct, err := w.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	f := &fixture{world: w, direct: direct, elapsed: &elapsed}
	f.pool = newPool(t, serve(t, func() (wmiquery.Session, error) {
		s, err := w.Open()
		return observedSession{s, f}, err
	}))
	t.Cleanup(func() { w.SetFaults(simulator.Faults{}) }) // ends hanging calls before the pool closes
	return f
}

func newPool(t *testing.T, open Open) *wmiquery.Pool {
	t.Helper()
	pool := wmiquery.NewPool(wmiquery.PoolOptions{
		Open: open, Now: time.Now, Workers: 2, StuckAfter: time.Minute, MaxStuck: 2,
	})
	t.Cleanup(pool.Close)
	return pool
}

// observedSession is a session with the simulated host. It reports reads before they are executed.
type observedSession struct {
	wmiquery.Session
	fixture *fixture
}

func (s observedSession) Read(dst any) error {
	if f := s.fixture.onRead.Load(); f != nil {
		(*f)(dst)
	}
	return s.Session.Read(dst)
}

// advance advances the clock of the host.
func (f *fixture) advance(d time.Duration) { f.elapsed.Add(int64(d)) }

func (f *fixture) setFaults(t *testing.T, specs ...string) {
	t.Helper()
	faults, err := simulator.ParseFaults(specs)
	if err != nil {
		t.Fatal(err)
	}
	f.world.SetFaults(faults)
}

// compareClasses compares all properties of all rows of all classes.
func (f *fixture) compareClasses(t *testing.T) {
	for _, class := range msvm.Classes() {
		differences, err := compareClass(class, f.direct.Read, func(dst any) error { return f.pool.Read(t.Context(), dst) })
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differences {
			t.Error(d)
		}
	}
}

// compareStatistics compares the statistics of all relationships, including those that do not replicate.
func (f *fixture) compareStatistics(t *testing.T) {
	service, relationships := f.read(t)
	if len(relationships) == 0 {
		t.Fatal("the host has no relationships")
	}
	for _, r := range relationships {
		key, err := msvm.ParseKey(r.InstanceID)
		if err != nil {
			t.Fatal(err)
		}
		call, err := msvm.GetReplicationStatistics(service, key, r)
		if err != nil {
			t.Fatal(err)
		}
		want, err := f.direct.Call(call)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.pool.Get(t.Context(), call)
		if err != nil {
			t.Errorf("%s: got error %v", r.InstanceID, err)
			continue
		}
		if got.Code != want.Code || got.Job != want.Job {
			t.Errorf("%s: got code %d, job %q; want %d, %q", r.InstanceID, got.Code, got.Job, want.Code, want.Job)
		}
		gotStats, gotIssues, gotErr := msvm.Statistics(got)
		wantStats, wantIssues, wantErr := msvm.Statistics(want)
		if !reflect.DeepEqual(gotStats, wantStats) || !reflect.DeepEqual(gotIssues, wantIssues) ||
			fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Errorf("%s: got\n%+v %v %v\nwant\n%+v %v %v",
				r.InstanceID, gotStats, gotIssues, gotErr, wantStats, wantIssues, wantErr)
		}
	}
}

func (f *fixture) read(t *testing.T) (msvm.ReplicationService, []msvm.ReplicationRelationship) {
	t.Helper()
	services, err := wmiquery.All[msvm.ReplicationService](t.Context(), f.pool)
	if _, ok := wmiquery.InvalidValues(err); !ok || len(services) != 1 {
		t.Fatalf("got %d services, error %v, want 1", len(services), err)
	}
	relationships, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), f.pool)
	if _, ok := wmiquery.InvalidValues(err); !ok {
		t.Fatal(err)
	}
	return services[0], relationships
}

// testErrors checks that errors wrap the sentinel for each failure of the host, and that reads work after the failure.
func (f *fixture) testErrors(t *testing.T) {
	call := f.validCall(t)
	for _, tt := range []struct {
		fault     string
		read, get error // nil for success
		code      uint32
		rows      int // rows of a successful read, -1 for any
	}{
		{fault: "class-missing=Msvm_ReplicationRelationship", read: wmiquery.ErrUnsupported, rows: -1},
		{fault: "denied", code: wmiquery.CodeAccessDenied, rows: 0},
		{fault: "disconnected", read: wmiquery.ErrUnavailable, get: wmiquery.ErrUnavailable, rows: -1},
	} {
		f.setFaults(t, tt.fault)
		rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), f.pool)
		if !errors.Is(err, tt.read) || err == nil && tt.rows >= 0 && len(rows) != tt.rows {
			t.Errorf("%s: read returned %d rows and error %v, want %v", tt.fault, len(rows), err, tt.read)
		}
		texts, err := f.pool.Texts(t.Context(), msvm.ReplicationRelationship{}.WMIClass())
		if !errors.Is(err, tt.read) || err == nil && tt.rows >= 0 && len(texts) != tt.rows {
			t.Errorf("%s: read returned %d texts and error %v, want %v", tt.fault, len(texts), err, tt.read)
		}
		reply, err := f.pool.Get(t.Context(), call)
		if !errors.Is(err, tt.get) || err == nil && reply.Code != tt.code {
			t.Errorf("%s: call returned code %d and error %v, want %d and %v", tt.fault, reply.Code, err, tt.code, tt.get)
		}
		f.setFaults(t)
		if rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), f.pool); err != nil || len(rows) == 0 {
			t.Errorf("after %s: got %d rows, error %v", tt.fault, len(rows), err)
		}
	}
}

// validCall returns a valid call.
func (f *fixture) validCall(t *testing.T) wmiquery.Call {
	t.Helper()
	service, relationships := f.read(t)
	for _, r := range relationships {
		if key, err := msvm.ParseKey(r.InstanceID); err == nil && r.Replicates() {
			call, err := msvm.GetReplicationStatistics(service, key, r)
			if err != nil {
				t.Fatal(err)
			}
			return call
		}
	}
	t.Fatal("the host has no replicating relationship")
	return wmiquery.Call{}
}

// testHangingRead checks that the caller of a hanging read can leave, that the read does not block other reads, and
// that reads of the class work when the host answers again.
func (f *fixture) testHangingRead(t *testing.T) {
	f.setFaults(t, "hung=Msvm_ReplicationSettingData")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	f.onRead.Store(new(func(dst any) {
		if _, ok := dst.(*[]msvm.ReplicationSettingData); ok {
			leave()
		}
	}))
	if _, err := wmiquery.All[msvm.ReplicationSettingData](ctx, f.pool); !errors.Is(err, context.Canceled) {
		t.Errorf("hanging read: got error %v, want context.Canceled", err)
	}
	if rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), f.pool); err != nil || len(rows) == 0 {
		t.Errorf("other class while a read hangs: got %d rows, error %v", len(rows), err)
	}
	f.setFaults(t)
	if rows, err := wmiquery.All[msvm.ReplicationSettingData](t.Context(), f.pool); err != nil || len(rows) == 0 {
		t.Errorf("read after the fault: got %d rows, error %v", len(rows), err)
	}
}

// testInvalidCalls checks the error or the return code of calls that are not valid.
func (f *fixture) testInvalidCalls(t *testing.T) {
	valid := f.validCall(t)
	change := func(edit func(*wmiquery.Call)) wmiquery.Call {
		c := valid
		c.In = append([]wmiquery.Param{}, valid.In...)
		edit(&c)
		return c
	}
	unknownVM := msvm.VMRef("00000000-0000-0000-0000-000000000000")
	invalidXML := wmiquery.Embedded("x")
	for _, tt := range []struct {
		name string
		call wmiquery.Call
		err  error
		code uint32
	}{
		{"valid", valid, nil, 0},
		{"unknown service", change(func(c *wmiquery.Call) {
			c.Object = msvm.ReplicationService{Name: "nonsense"}.Ref()
		}), wmiquery.ErrNotFound, 0},
		{"unknown method", change(func(c *wmiquery.Call) { c.Method = "GetNonsense" }), wmiquery.ErrUnsupported, 0},
		{"unknown namespace", change(func(c *wmiquery.Call) { c.Namespace = `root\nonsense` }), wmiquery.ErrUnsupported, 0},
		{"unknown VM", change(func(c *wmiquery.Call) { c.In[0].Value = unknownVM }), nil, wmiquery.CodeInvalidParam},
		{"invalid XML", change(func(c *wmiquery.Call) { c.In[1].Value = invalidXML }), nil, wmiquery.CodeInvalidParam},
		{"null parameter", change(func(c *wmiquery.Call) { c.In[1].Value = nil }), nil, wmiquery.CodeInvalidParam},
	} {
		reply, err := f.pool.Get(t.Context(), tt.call)
		if !errors.Is(err, tt.err) || reply.Code != tt.code {
			t.Errorf("%s: got code %d, error %v; want %d, %v", tt.name, reply.Code, err, tt.code, tt.err)
		}
	}
}
