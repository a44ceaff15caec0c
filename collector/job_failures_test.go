package collector

import (
	"fmt"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Responses that arrive out of order, as those of overlapping scrapes may, do not count a
// job twice. Jobs are forgotten some time after they are gone.
func TestFailedJobCountsOnceOutOfOrder(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	kind, state := msvm.JobSendDelta, msvm.JobException
	response := func(at time.Duration, ids ...string) table[msvm.ConcreteJob] {
		jobs := table[msvm.ConcreteJob]{at: start.Add(at)}
		for _, id := range ids {
			jobs.rows = append(jobs.rows, msvm.ConcreteJob{InstanceID: id, JobType: &kind, JobState: &state})
		}
		return jobs
	}
	f := newJobFailures()
	f.add(response(0))
	for i, step := range []struct {
		response table[msvm.ConcreteJob]
		want     float64
	}{
		{response(2*time.Minute, "a"), 1},
		{response(time.Minute), 1},        // an older response, from before the job
		{response(2*time.Minute, "a"), 1}, // the job must not count again
		{response(8 * time.Minute), 1},    // the job is gone
		{response(5*time.Minute, "a"), 1}, // the last good response again
		{response(9*time.Minute, "b"), 2},
	} {
		if got := f.add(step.response)[kind-msvm.JobModifyServerSettings]; got != step.want {
			t.Errorf("step %d: %v failures, want %v", i, got, step.want)
		}
	}
	// An older response does not bring forward the time when a job is forgotten.
	hour := time.Hour
	for i, step := range []table[msvm.ConcreteJob]{
		response(2*hour, "c"), response(hour, "c"), response(2*hour + time.Minute), response(2*hour, "c"),
	} {
		if got := f.add(step)[kind-msvm.JobModifyServerSettings]; got != 3 {
			t.Errorf("old responses, step %d: %v failures, want 3", i, got)
		}
	}
	for i := range 1000 {
		f.add(response(time.Duration(i)*5*time.Minute, fmt.Sprint(i)))
	}
	if n := len(f.lastSeen); n > 15 {
		t.Errorf("%d jobs remembered after 1000 failures, one every five minutes; want at most 15", n)
	}
}

// A failed job that the host shows for longer than an hour counts once: the hour starts when the job is gone.
func TestFailedJobThatStaysCountsOnce(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	kind, state := msvm.JobSendDelta, msvm.JobException
	job := msvm.ConcreteJob{InstanceID: "a", JobType: &kind, JobState: &state}
	f := newJobFailures()
	f.add(table[msvm.ConcreteJob]{at: start})
	for _, step := range []struct {
		minutes int
		rows    []msvm.ConcreteJob
	}{
		{30, []msvm.ConcreteJob{job}},
		{60, []msvm.ConcreteJob{job}},
		{91, []msvm.ConcreteJob{job}},
		{120, []msvm.ConcreteJob{job}},
		{150, nil},
		{180, []msvm.ConcreteJob{job}},
	} {
		response := table[msvm.ConcreteJob]{rows: step.rows, at: start.Add(time.Duration(step.minutes) * time.Minute)}
		if got := f.add(response)[kind-msvm.JobModifyServerSettings]; got != 1 {
			t.Errorf("after %d minutes: %v failures, want 1", step.minutes, got)
		}
	}
}
