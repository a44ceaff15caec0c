package collector

import (
	"fmt"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Answers that come out of turn, as those of scrapes that overlap may, count no
// job twice; what is long gone is forgotten.
func TestJobFailuresOutOfTurn(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	kind, state := msvm.JobSendDelta, msvm.JobException
	answer := func(at time.Duration, ids ...string) table[msvm.ConcreteJob] {
		a := table[msvm.ConcreteJob]{at: start.Add(at)}
		for _, id := range ids {
			a.rows = append(a.rows, msvm.ConcreteJob{InstanceID: id, JobType: &kind, JobState: &state})
		}
		return a
	}
	f := newJobFailures()
	f.add(answer(0))
	for i, step := range []struct {
		answer table[msvm.ConcreteJob]
		want   float64
	}{
		{answer(2*time.Minute, "a"), 1},
		{answer(time.Minute), 1},        // older: the job was not there yet
		{answer(2*time.Minute, "a"), 1}, // and it must not be new again
		{answer(8 * time.Minute), 1},    // it is gone
		{answer(5*time.Minute, "a"), 1}, // the last good answer, shown once more
		{answer(9*time.Minute, "b"), 2},
	} {
		if got := f.add(step.answer)[kind-msvm.JobModifyServerSettings]; got != step.want {
			t.Errorf("step %d: %v failures, want %v", i, got, step.want)
		}
	}
	for i := range 1000 {
		f.add(answer(time.Duration(i)*5*time.Minute, fmt.Sprint(i)))
	}
	if n := len(f.seen); n > 15 {
		t.Errorf("%d jobs are remembered after 1000 that failed, one in five minutes", n)
	}
}
