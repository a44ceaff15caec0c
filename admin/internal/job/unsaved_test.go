package job

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// If the end of a job cannot be stored, the job has ended nevertheless: its VM is free, its end is reported and counted
// once, and it does not change any more.
func TestEndThatCannotBeStored(t *testing.T) {
	tr := newTestTracker(t)
	tr.begin("a", vmA, path(jobA))
	if err := tr.Store.Close(); err != nil {
		t.Fatal(err)
	}
	tr.host.jobs = []msvm.ConcreteJob{row(jobA, 7)}
	for range 3 {
		tr.refresh()
		tr.RetryUnsaved()
		tr.Update("a", func(r *Record) { r.SetState(Failed, tr.now) })
		tr.now = tr.now.Add(time.Minute)
		tr.host.jobs = []msvm.ConcreteJob{row(jobA, 10)}
	}
	tr.wantState("not stored", "a", Succeeded)
	if r := tr.get("a"); !r.Ended.Equal(startTime) {
		t.Errorf("the end of the job is %v, want %v", r.Ended, startTime)
	}
	if got := tr.Running(""); len(got) != 0 {
		t.Errorf("the running jobs are %+v", got)
	}
	if counts := tr.CountByState(); len(tr.ended) != 1 || len(counts) != 1 || counts[Succeeded] != 1 {
		t.Errorf("the end was reported %d times, the counts are %v", len(tr.ended), counts)
	}
}

// Each end is counted in its state, and each record that has ended is neither scheduled nor cancellable.
func TestEndsAreCounted(t *testing.T) {
	tr := newTestTracker(t)
	for i, state := range []uint16{7, 7, 7, 10, 10, 8, 0} {
		id := string(rune('a' + i))
		tr.begin(id, vmA, path(jobA))
		tr.host.jobs = []msvm.ConcreteJob{{
			InstanceID: jobA, JobState: new(msvm.JobState(2)), Cancellable: new(true), ScheduledStartTime: &startTime,
		}}
		tr.refresh()
		if r := tr.get(id); !r.Scheduled || !r.Cancellable {
			t.Errorf("the job is not scheduled and cancellable: %+v", r)
		}
		tr.host.jobs = []msvm.ConcreteJob{row(jobA, state)}
		if state == 0 {
			tr.host.jobs = nil // the job is gone
		}
		tr.refresh()
		if r := tr.get(id); r.Scheduled || r.Cancellable || r.Ended == nil {
			t.Errorf("state %d: the record is %+v", state, r)
		}
	}
	want := map[State]int{Succeeded: 3, Failed: 2, Cancelled: 1, Unknown: 1}
	if got := tr.CountByState(); !maps.Equal(got, want) {
		t.Errorf("the counts are %v, want %v", got, want)
	}
}

// A test failover that does not succeed has created no test VM, whatever the host shows.
func TestFailedTestFailoverHasNoTestVM(t *testing.T) {
	for state, want := range map[uint16]string{4: "", 7: testVM, 10: "", 8: ""} {
		tr := newTestTracker(t)
		if err := tr.Begin(Record{
			ID: "a", State: Running, VMID: vmA, Method: "TestReplicaSystem", Path: path(jobA), Created: startTime,
		}); err != nil {
			t.Fatal(err)
		}
		tr.host.jobs = []msvm.ConcreteJob{row(jobA, state)}
		tr.host.tests = []msvm.ReplicaSystemDependency{{Antecedent: msvm.VMRef(vmA), Dependent: msvm.VMRef(testVM)}}
		tr.refresh()
		if r := tr.get("a"); r.TestVM != want {
			t.Errorf("state %d: the test VM is %q, want %q", state, r.TestVM, want)
		}
	}
}

// The audit record of the end has the whole action.
func TestAuditRecordOfAnEnd(t *testing.T) {
	r := Record{
		ID: "id", State: Failed, Action: "suspend", Method: "X", VMID: vmA, VM: "web01", Relationship: "extended",
		User: "tim", Path: path(jobA), Error: "no space", Code: new(uint32(4096)), Created: startTime,
		Updated: startTime.Add(90 * time.Second),
	}
	want := audit.Record{
		Time: startTime.Add(time.Hour), Event: "job", ID: "id", State: "failed", Action: "suspend", Method: "X", VMID: vmA,
		VM: "web01", Relationship: "extended", User: "tim", Job: path(jobA), Error: "no space", Code: new(uint32(4096)),
		Duration: new(90.0),
	}
	if got := r.auditEnd(startTime.Add(time.Hour)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A list of jobs has the newest record of each, also if that could not be stored.
func TestListHasRecordsThatCouldNotBeStored(t *testing.T) {
	tr := newTestTracker(t)
	tr.begin("a", vmA, path(jobA))
	stored := tr.Store
	tr.Store = options(t, nil).Store
	if err := tr.Store.Close(); err != nil {
		t.Fatal(err)
	}
	tr.host.jobs = []msvm.ConcreteJob{row(jobA, 7)}
	tr.refresh()
	tr.Store = stored // it still has the job as running
	if all, err := tr.All(); err != nil || len(all) != 1 || all[0].State != Succeeded {
		t.Errorf("got %+v, %v", all, err)
	}
}

// The first state that has ended sets the time of the end.
func TestFirstEndCounts(t *testing.T) {
	r := Record{State: Running, Cancellable: true, Scheduled: true}
	r.SetState(Running, startTime)
	if r.Ended != nil || !r.Cancellable || !r.Scheduled || !r.Updated.Equal(startTime) {
		t.Errorf("the record of a running job is %+v", r)
	}
	for i := range 2 {
		r.SetState(Failed, startTime.Add(time.Duration(i+1)*time.Minute))
	}
	if !r.Ended.Equal(startTime.Add(time.Minute)) || !r.Updated.Equal(startTime.Add(2*time.Minute)) || r.Cancellable ||
		r.Scheduled {
		t.Errorf("the record is %+v", r)
	}
}

// The names of the states never change. Queued and running jobs have not ended.
func TestNamesOfStates(t *testing.T) {
	want := []State{"queued", "running", "succeeded", "failed", "cancelled", "unknown"}
	got := []State{Queued, Running, Succeeded, Failed, Cancelled, Unknown}
	if !slices.Equal(got, want) || !slices.Equal(States(), want) {
		t.Errorf("got %q and %q, want %q", got, States(), want)
	}
	for i, s := range want {
		if s.Ended() != (i >= 2) {
			t.Errorf("%s has ended: %v", s, s.Ended())
		}
	}
}
