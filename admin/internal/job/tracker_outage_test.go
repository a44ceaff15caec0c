package job

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// While the host shows nothing, a job keeps running: it may well do so on the host. Its VM stays in use.
func TestRunningJobsOutliveAnOutage(t *testing.T) {
	for name, tt := range map[string]struct {
		outage func(*host)
		fails  bool // Refresh returns an error
	}{
		"no permissions, or vmms is stopped": {func(h *host) { h.hidden = true }, false},
		"jobs cannot be read":                {func(h *host) { h.jobsErr = wmiquery.ErrUnavailable }, true},
		"jobs are denied":                    {func(h *host) { h.jobsErr = wmiquery.ErrDenied }, true},
		"jobs take too long":                 {func(h *host) { h.jobsErr = context.DeadlineExceeded }, true},
		"no jobs, service cannot be read": {
			func(h *host) { h.jobs, h.serviceErr = nil, wmiquery.ErrUnavailable }, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTestTracker(t)
			tr.begin("a", vmA, path(jobA))
			tr.begin("b", vmB, path(jobB))
			shown := []msvm.ConcreteJob{row(jobA, 4), row(jobB, 4)}
			tr.host.jobs = shown
			tr.refresh()
			tt.outage(tr.host)
			for range 3 {
				tr.now = tr.now.Add(time.Hour)
				if err := tr.Refresh(t.Context()); (err != nil) != tt.fails {
					t.Errorf("Refresh: error %v, want one: %v", err, tt.fails)
				}
			}
			for id, vm := range map[string]string{"a": vmA, "b": vmB} {
				tr.wantState("during the outage", id, Running)
				if n := len(tr.Running(vm)); n != 1 {
					t.Errorf("during the outage the VM %s has %d running jobs, want 1", vm, n)
				}
			}
			tr.restart()
			tr.wantState("after a restart during the outage", "a", Running)

			*tr.host = host{jobs: []msvm.ConcreteJob{row(jobB, 4), row(jobA, 7)}}
			tr.refresh()
			tr.wantState("after the outage", "a", Succeeded)
			tr.wantState("after the outage", "b", Running)
		})
	}
}

// If the host shows its other jobs, or none but the service, a missing job is gone: its outcome is unknown.
func TestMissingJobHasAnUnknownOutcome(t *testing.T) {
	for name, jobs := range map[string][]msvm.ConcreteJob{"other jobs": {row(jobB, 4)}, "no jobs": nil} {
		tr := newTestTracker(t)
		tr.begin("a", vmA, path(jobA))
		tr.host.jobs = jobs
		tr.refresh()
		tr.wantState(name, "a", Unknown)
		if r := tr.get("a"); !strings.Contains(r.Error, "gone") || r.Ended == nil || len(tr.Running("")) != 0 {
			t.Errorf("%s: the job is %+v", name, r)
		}
		// It stays so, even if the host shows the job again.
		tr.host.jobs = []msvm.ConcreteJob{row(jobA, 7)}
		tr.refresh()
		tr.wantState(name+", and later the job again", "a", Unknown)
		if n := len(tr.ended); n != 1 {
			t.Errorf("%s: the end was reported %d times, want 1", name, n)
		}
	}
}

// Every action has the state of its own job, whatever the case of the GUIDs, the form of the path and the order of the
// rows are. Jobs of others do not matter.
func TestEachActionHasItsOwnJob(t *testing.T) {
	tr := newTestTracker(t)
	tr.begin("a", vmA, path(strings.ToLower(jobA)))
	tr.begin("b", vmA, path(jobB)) // another job of the same VM, allowed for a suspend
	const other = "11111111-2222-3333-4444-555555555555"
	for _, jobs := range [][]msvm.ConcreteJob{
		{row(jobA, 4), row(jobB, 4), row(other, 10)},
		{row(other, 7), row(strings.ToLower(jobB), 10), row(jobA, 4)},
		{row(jobA, 9), row(jobB, 7)},
	} {
		tr.host.jobs = jobs
		tr.refresh()
	}
	tr.wantState("cancelled on the host", "a", Cancelled)
	tr.wantState("failed, and not changed afterwards", "b", Failed)
}

// A job that the host has started after its jobs were read is not gone.
func TestJobThatStartsDuringARead(t *testing.T) {
	tr := newTestTracker(t)
	tr.begin("a", vmA, path(jobA))
	tr.host.jobs = []msvm.ConcreteJob{row(jobA, 4)}
	tr.host.onRead = func() {
		tr.host.onRead = nil
		tr.begin("b", vmB, path(jobB))
	}
	tr.refresh()
	tr.wantState("started during the read", "b", Running)
}

// A call that the host has not answered yet has no job, so the host's jobs say nothing about it.
func TestUnansweredCallIsNotGone(t *testing.T) {
	tr := newTestTracker(t)
	tr.begin("a", vmA, path(jobA))
	if err := tr.Begin(Record{ID: "b", State: Queued, VMID: vmB, Created: tr.now}); err != nil {
		t.Fatal(err)
	}
	tr.host.jobs = []msvm.ConcreteJob{row(jobA, 4)}
	tr.refresh()
	tr.wantState("not answered", "b", Queued)
	if n := len(tr.Running(vmB)); n != 1 {
		t.Errorf("the VM has %d running jobs, want 1", n)
	}
}

// After a restart, a call without an answer has an unknown outcome, a running job is looked for, and a job that has
// ended stays as it was.
func TestRecordsAfterARestart(t *testing.T) {
	tr := newTestTracker(t)
	tr.begin("running", vmA, path(jobA))
	tr.begin("done", vmA, path(jobB))
	if err := tr.Begin(Record{ID: "queued", State: Queued, VMID: vmB, Created: tr.now}); err != nil {
		t.Fatal(err)
	}
	tr.begin("immediate", vmB, "") // the host does it without a job
	tr.host.jobs = []msvm.ConcreteJob{row(jobA, 4), row(jobB, 7)}
	tr.now = startTime.Add(time.Minute)
	tr.refresh()
	tr.Update("immediate", func(r *Record) { r.SetState(Succeeded, tr.now) })
	tr.now = startTime.Add(time.Hour)
	tr.restart()
	tr.wantState("restart", "running", Running)
	tr.wantState("restart", "done", Succeeded)
	tr.wantState("restart", "immediate", Succeeded)
	tr.wantState("restart", "queued", Unknown)
	if r := tr.get("done"); !r.Ended.Equal(startTime.Add(time.Minute)) || !r.Updated.Equal(startTime.Add(time.Minute)) {
		t.Errorf("the end of the job was changed: %+v", r)
	}
	if r := tr.get("queued"); r.Ended == nil || !r.Ended.Equal(tr.now) || r.Error == "" {
		t.Errorf("the call without an answer is %+v", r)
	}
	running := tr.Running("")
	if len(running) != 1 || running[0].ID != "running" {
		t.Errorf("the running jobs are %+v", running)
	}
	counts := tr.CountByState()
	if counts[Running] != 1 || counts[Unknown] != 1 || counts[Succeeded] != 0 {
		t.Errorf("the counts since the start are %v", counts)
	}
}

// The clock can go back. The newest job is the one that was created last by the clock.
func TestJobsAreListedNewestFirst(t *testing.T) {
	tr := newTestTracker(t)
	for i, id := range []string{"first", "second", "third"} {
		tr.now = startTime.Add(time.Duration([]int{0, 20, 10}[i]) * time.Second)
		tr.begin(id, vmA, path(id))
	}
	want := []string{"second", "third", "first"}
	all, err := tr.All()
	if err != nil {
		t.Fatal(err)
	}
	for what, records := range map[string][]Record{"All": all, "Running": tr.Running(vmA)} {
		var got []string
		for _, r := range records {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	if got := tr.Running(vmB); len(got) != 0 {
		t.Errorf("another VM has the jobs %+v", got)
	}
}

// Errors of a failed job that the host will never return are not waited for. A job that has succeeded has none.
func TestErrorsThatTheHostDoesNotHave(t *testing.T) {
	for _, tt := range []struct {
		state uint16
		err   error
		want  State
	}{
		{10, wmiquery.ErrNotFound, Failed},
		{10, wmiquery.ErrUnsupported, Failed},
		{10, errors.New("connection lost"), Running}, // the next refresh reads them again
		{32768, errors.New("connection lost"), Running},
		{7, errors.New("connection lost"), Succeeded},
		{8, errors.New("connection lost"), Cancelled},
	} {
		tr := newTestTracker(t)
		tr.begin("a", vmA, path(jobA))
		tr.host.jobs = []msvm.ConcreteJob{row(jobA, tt.state)}
		tr.host.errors = func() (wmiquery.Reply, error) { return wmiquery.Reply{}, tt.err }
		tr.refresh()
		if r := tr.get("a"); r.State != tt.want {
			t.Errorf("state %d, %v: got %s, want %s", tt.state, tt.err, r.State, tt.want)
		}
	}
}

// The errors of a failed job are read up to six times. Then the job ends without them. Each job has its own count.
func TestErrorsAreReadSixTimesForEachJob(t *testing.T) {
	tr := newTestTracker(t)
	tr.host.errors = func() (wmiquery.Reply, error) { return wmiquery.Reply{}, errors.New("connection lost") }
	tr.host.jobs = []msvm.ConcreteJob{row(jobA, 10), row(jobB, 10)}
	for id, job := range map[string]string{"a": jobA, "b": jobB} {
		tr.begin(id, vmA, path(job))
		for range 5 {
			tr.refresh()
			tr.wantState("while its errors are read", id, Running)
		}
		tr.refresh()
		tr.wantState("after six reads", id, Failed)
	}
}
