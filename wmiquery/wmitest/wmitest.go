// Package wmitest has the conformance test of the seam: what every
// implementation of wmiquery.Session must do, shown on the simulated host.
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

// Open makes sessions.
type Open = func() (wmiquery.Session, error)

// Run tests an implementation. Under is given what opens sessions on a simulated
// host, serves that host to the implementation until the test ends, and returns
// what opens sessions of the implementation.
func Run(t *testing.T, under func(t *testing.T, host Open) Open) {
	for _, host := range []string{"HV01", "HV02", "HV03"} {
		t.Run("classes of "+host, func(t *testing.T) { newFixture(t, under, host).classes(t) })
		t.Run("statistics of "+host, func(t *testing.T) { newFixture(t, under, host).statistics(t) })
	}
	for _, fault := range []string{"nulls", "unknown-enum", "hostile-names", "duplicate-names", "service-error"} {
		t.Run("classes with "+fault, func(t *testing.T) {
			f := newFixture(t, under, "HV01")
			f.fault(t, fault)
			f.classes(t)
		})
	}
	for _, fault := range []string{"hostile-names", "relationship-failing", "statistics-job", "statistics-empty"} {
		t.Run("statistics with "+fault, func(t *testing.T) {
			f := newFixture(t, under, "HV01")
			f.fault(t, fault)
			f.statistics(t)
		})
	}
	for _, host := range []string{"HV01", "HV02", "HV03"} {
		t.Run("methods of "+host, func(t *testing.T) { methods(t, under, host) })
	}
	t.Run("errors", func(t *testing.T) { newFixture(t, under, "HV01").errors(t) })
	t.Run("hung", func(t *testing.T) { newFixture(t, under, "HV01").hung(t) })
	t.Run("refusals", func(t *testing.T) { newFixture(t, under, "HV01").refusals(t) })
}

// fixture is a simulated host, read directly and through the implementation.
type fixture struct {
	world  *simulator.World
	direct wmiquery.Session
	pool   *wmiquery.Pool
	late   *atomic.Int64 // nanoseconds by which the clock has moved
}

func newFixture(t *testing.T, under func(*testing.T, Open) Open, host string) *fixture {
	t.Helper()
	var late atomic.Int64
	start := time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC)
	w, err := simulator.New(simulator.Config{Seed: 7, Host: host, Now: func() time.Time { return start.Add(time.Duration(late.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	direct, err := w.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	pool := wmiquery.NewPool(wmiquery.PoolOptions{
		Open: under(t, w.Open), Now: w.Now, Workers: 2, StuckAfter: time.Minute, MaxStuck: 2,
	})
	t.Cleanup(pool.Close)
	t.Cleanup(func() { w.SetFaults(simulator.Faults{}) }) // lets what hangs end before the pool closes
	return &fixture{w, direct, pool, &late}
}

// advance moves the clock.
func (f *fixture) advance(d time.Duration) { f.late.Add(int64(d)) }

func (f *fixture) fault(t *testing.T, specs ...string) {
	t.Helper()
	faults, err := simulator.ParseFaults(specs)
	if err != nil {
		t.Fatal(err)
	}
	f.world.SetFaults(faults)
}

// classes compares every class, row by row and property by property.
func (f *fixture) classes(t *testing.T) {
	for _, class := range msvm.Classes() {
		slice := reflect.SliceOf(reflect.TypeOf(class))
		want, got := reflect.New(slice), reflect.New(slice)
		if err := f.direct.Read(want.Interface()); err != nil {
			t.Fatal(err)
		}
		name := class.WMIClass().Name
		if err := f.pool.Read(t.Context(), got.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := want.Elem().Len(); n != got.Elem().Len() {
			t.Errorf("%s: %d rows, want %d", name, got.Elem().Len(), n)
			continue
		}
		for i := range want.Elem().Len() {
			compare(t, fmt.Sprintf("%s row %d", name, i), got.Elem().Index(i), want.Elem().Index(i))
		}
	}
}

// compare tells which properties differ.
func compare(t *testing.T, where string, got, want reflect.Value) {
	t.Helper()
	for i := range want.NumField() {
		g, w := got.Field(i), want.Field(i)
		if g.Kind() == reflect.Pointer && !g.IsNil() && !w.IsNil() {
			g, w = g.Elem(), w.Elem()
		}
		equal := reflect.DeepEqual(g.Interface(), w.Interface())
		if a, ok := reflect.TypeAssert[time.Time](g); ok {
			equal = a.Equal(w.Interface().(time.Time).Truncate(time.Microsecond)) // CIM has no finer
		}
		if !equal {
			t.Errorf("%s: %s is %#v, want %#v", where, want.Type().Field(i).Name, g.Interface(), w.Interface())
		}
	}
}

// statistics compares the answers for every relationship there is, those that do
// not replicate included.
func (f *fixture) statistics(t *testing.T) {
	service, relationships := f.read(t)
	if len(relationships) == 0 {
		t.Fatal("no relationships to ask for")
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
			t.Errorf("%s: %v", r.InstanceID, err)
			continue
		}
		if got.Code != want.Code || got.Job != want.Job {
			t.Errorf("%s: code %d, job %q; want %d, %q", r.InstanceID, got.Code, got.Job, want.Code, want.Job)
		}
		gotStats, gotIssues, gotErr := msvm.Statistics(got)
		wantStats, wantIssues, wantErr := msvm.Statistics(want)
		if !reflect.DeepEqual(gotStats, wantStats) || !reflect.DeepEqual(gotIssues, wantIssues) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Errorf("%s:\n%+v %v %v\nwant\n%+v %v %v", r.InstanceID, gotStats, gotIssues, gotErr, wantStats, wantIssues, wantErr)
		}
	}
}

func (f *fixture) read(t *testing.T) (msvm.ReplicationService, []msvm.ReplicationRelationship) {
	t.Helper()
	services, err := wmiquery.All[msvm.ReplicationService](t.Context(), f.pool)
	if err != nil || len(services) != 1 {
		t.Fatalf("%d services, %v", len(services), err)
	}
	relationships, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), f.pool)
	if err != nil {
		t.Fatal(err)
	}
	return services[0], relationships
}

// errors: each failure of the host is the sentinel that stands for it, and the
// implementation recovers.
func (f *fixture) errors(t *testing.T) {
	call := f.call(t)
	for _, tt := range []struct {
		fault           string
		read, get       error // nil for success
		code            uint32
		rowsEvenIfThere int // rows that a read gives, -1 for any
	}{
		{fault: "class-missing=Msvm_ReplicationRelationship", read: wmiquery.ErrUnsupported, rowsEvenIfThere: -1},
		{fault: "denied", code: wmiquery.CodeAccessDenied, rowsEvenIfThere: 0},
		{fault: "disconnected", read: wmiquery.ErrUnavailable, get: wmiquery.ErrUnavailable, rowsEvenIfThere: -1},
	} {
		f.fault(t, tt.fault)
		rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), f.pool)
		if !errors.Is(err, tt.read) || err == nil && tt.rowsEvenIfThere >= 0 && len(rows) != tt.rowsEvenIfThere {
			t.Errorf("%s: read gives %d rows and %v, want %v", tt.fault, len(rows), err, tt.read)
		}
		reply, err := f.pool.Get(t.Context(), call)
		if !errors.Is(err, tt.get) || err == nil && reply.Code != tt.code {
			t.Errorf("%s: the call gives code %d and %v, want %d and %v", tt.fault, reply.Code, err, tt.code, tt.get)
		}
		f.fault(t)
		if rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), f.pool); err != nil || len(rows) == 0 {
			t.Errorf("after %s: %d rows, %v", tt.fault, len(rows), err)
		}
	}
}

// call is a call that works.
func (f *fixture) call(t *testing.T) wmiquery.Call {
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
	t.Fatal("no relationship replicates")
	return wmiquery.Call{}
}

// hung: a call that hangs is abandoned in time, costs no other call, and when
// the host answers again everything goes on.
func (f *fixture) hung(t *testing.T) {
	f.fault(t, "hung=Msvm_ReplicationSettingData")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := wmiquery.All[msvm.ReplicationSettingData](ctx, f.pool); !errors.Is(err, wmiquery.ErrTimeout) {
		t.Errorf("a read that hangs: %v", err)
	}
	if rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), f.pool); err != nil || len(rows) == 0 {
		t.Errorf("beside it: %d rows, %v", len(rows), err)
	}
	f.fault(t)
	if rows, err := wmiquery.All[msvm.ReplicationSettingData](t.Context(), f.pool); err != nil || len(rows) == 0 {
		t.Errorf("after it: %d rows, %v", len(rows), err)
	}
}

// refusals: what cannot be done is told apart.
func (f *fixture) refusals(t *testing.T) {
	good := f.call(t)
	change := func(edit func(*wmiquery.Call)) wmiquery.Call {
		c := good
		c.In = append([]wmiquery.Param{}, good.In...)
		edit(&c)
		return c
	}
	other := msvm.VMRef("00000000-0000-0000-0000-000000000000")
	for _, tt := range []struct {
		name string
		call wmiquery.Call
		err  error
		code uint32
	}{
		{"good", good, nil, 0},
		{"no such service", change(func(c *wmiquery.Call) {
			c.Object = msvm.ReplicationService{Name: "nonsense"}.Ref()
		}), wmiquery.ErrNotFound, 0},
		{"no such method", change(func(c *wmiquery.Call) { c.Method = "GetNonsense" }), wmiquery.ErrUnsupported, 0},
		{"no such namespace", change(func(c *wmiquery.Call) { c.Namespace = `root\nonsense` }), wmiquery.ErrUnsupported, 0},
		{"no such VM", change(func(c *wmiquery.Call) { c.In[0].Value = other }), nil, wmiquery.CodeInvalidParam},
		{"no XML", change(func(c *wmiquery.Call) { c.In[1].Value = wmiquery.Embedded("nonsense") }), nil, wmiquery.CodeInvalidParam},
		{"null", change(func(c *wmiquery.Call) { c.In[1].Value = nil }), nil, wmiquery.CodeInvalidParam},
	} {
		reply, err := f.pool.Get(t.Context(), tt.call)
		if !errors.Is(err, tt.err) || reply.Code != tt.code {
			t.Errorf("%s: code %d, %v; want %d, %v", tt.name, reply.Code, err, tt.code, tt.err)
		}
	}
}
