package job

import (
	"context"
	"fmt"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// GUIDs of VMs and jobs in the tests.
const (
	vmA    = "4708A0F4-C902-429B-A1E0-D4AB0893E452"
	vmB    = "B8A1C0DE-1111-4222-8333-444455556666"
	testVM = "C0FFEE00-0001-4000-8000-000000000001"
	jobA   = "9947DC62-9DA2-4B25-BB27-BA9A161D75A9"
	jobB   = "0A47DC62-9DA2-4B25-BB27-BA9A161D75A9"
)

// host is a host with the rows that a test gives it.
type host struct {
	wmiquery.Reader
	jobs       []msvm.ConcreteJob
	hidden     bool // no rows of any class, as without permissions or while vmms is stopped
	jobsErr    error
	serviceErr error
	affected   []msvm.AffectedJobElement
	tests      []msvm.ReplicaSystemDependency
	onRead     func() // called when the jobs are read, if it is not nil
	errors     func() (wmiquery.Reply, error)
}

func (h *host) Read(_ context.Context, dst any) error {
	switch dst := dst.(type) {
	case *[]msvm.ConcreteJob:
		if h.onRead != nil {
			h.onRead()
		}
		if h.jobsErr == nil && !h.hidden {
			*dst = h.jobs
		}
		return h.jobsErr
	case *[]msvm.ReplicationService:
		if h.serviceErr == nil && !h.hidden {
			*dst = make([]msvm.ReplicationService, 1)
		}
		return h.serviceErr
	case *[]msvm.AffectedJobElement:
		*dst = h.affected
	case *[]msvm.ReplicaSystemDependency:
		*dst = h.tests
	default:
		return fmt.Errorf("unexpected read of %T", dst)
	}
	return nil
}

func (h *host) Get(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
	if h.errors == nil {
		return wmiquery.Reply{}, wmiquery.ErrNotFound
	}
	return h.errors()
}

// row returns a job of the host with a state by its number.
func row(id string, state uint16) msvm.ConcreteJob {
	return msvm.ConcreteJob{InstanceID: id, JobState: new(msvm.JobState(state))}
}

// testTracker is a tracker of a host with a clock that the test sets.
type testTracker struct {
	*testing.T
	*Tracker
	host  *host
	now   time.Time
	ended []Record // passed to OnEnd
}

var startTime = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newTestTracker(t *testing.T) *testTracker {
	t.Helper()
	tt := &testTracker{T: t, host: &host{}, now: startTime}
	o := options(t, tt.host)
	o.Now = func() time.Time { return tt.now }
	tt.track(o)
	return tt
}

func (tt *testTracker) track(o Options) {
	tt.Helper()
	tt.Tracker = newTracker(tt.T, o)
	tt.OnEnd = func(r Record) { tt.ended = append(tt.ended, r) }
}

// restart replaces the tracker by a new one with the same files.
func (tt *testTracker) restart() {
	tt.Helper()
	tt.track(tt.Options)
}

// begin starts an action whose job the host has started.
func (tt *testTracker) begin(id, vm, path string) {
	tt.Helper()
	if err := tt.Begin(Record{
		ID: id, State: Running, VMID: vm, Action: "suspend", Method: "X", User: "tim", Role: "operator",
		Path: path, Created: tt.now, Updated: tt.now,
	}); err != nil {
		tt.Fatal(err)
	}
}

func (tt *testTracker) refresh() {
	tt.Helper()
	if err := tt.Refresh(tt.Context()); err != nil {
		tt.Error(err)
	}
}

func (tt *testTracker) get(id string) Record {
	tt.Helper()
	r, ok := tt.Get(id)
	if !ok {
		tt.Fatalf("no job %s", id)
	}
	return r
}

func (tt *testTracker) wantState(what, id string, want State) {
	tt.Helper()
	if r := tt.get(id); r.State != want {
		tt.Errorf("%s: the job %s is %s, want %s: %+v", what, id, r.State, want, r)
	}
}

func path(id string) string { return `Msvm_ConcreteJob.InstanceID="` + id + `"` }
