package job

import (
	"testing"
	"time"

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
