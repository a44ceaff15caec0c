package collector_test

import (
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// failureCounts returns the failure counters above 0, by type of operation.
func failureCounts(exposition string) map[string]string {
	got := map[string]string{}
	for s, v := range parseSeries(exposition) {
		if kind, ok := strings.CutPrefix(s, `hyperv_replica_operation_failures_total{operation="`); ok && v != "0" {
			got[strings.TrimSuffix(kind, `"}`)] = v
		}
	}
	return got
}

// A failed job counts once, however many scrapes it appears in, concurrently or one after the
// other. Jobs that had failed before the first scrape, jobs that were cancelled and jobs
// that are not about replication do not count.
func TestFailedJobCountsOnce(t *testing.T) {
	clock := newFakeClock()
	h := newFakeHost(clock)
	old := newJob("OLD", msvm.JobResynchronize, msvm.JobException)
	setRows(h, old, newJob("a", msvm.JobSendDelta, msvm.JobRunning))
	r := newFakeHostRig(h)
	for _, step := range []struct {
		name string
		jobs []msvm.ConcreteJob
		want map[string]string
	}{
		{"first response", []msvm.ConcreteJob{old, newJob("a", msvm.JobSendDelta, msvm.JobRunning)}, nil},
		{"a job fails", []msvm.ConcreteJob{old, newJob("a", msvm.JobSendDelta, msvm.JobException)}, map[string]string{"send_delta": "1"}},
		{"the same jobs with an ID in a different case", []msvm.ConcreteJob{
			newJob("old", msvm.JobResynchronize, msvm.JobException), newJob("A", msvm.JobSendDelta, msvm.JobException),
		}, map[string]string{"send_delta": "1"}},
		{"jobs that do not count", []msvm.ConcreteJob{
			newJob("b", msvm.JobSendDelta, msvm.JobTerminated), newJob("c", msvm.JobSendDelta, msvm.JobKilled),
			newJob("d", msvm.JobSendDelta, msvm.JobCompleted), newJob("e", msvm.JobSendDelta, msvm.JobCompletedWithWarnings),
			newJob("f", 89, msvm.JobException), newJob("g", 126, msvm.JobException),
			{InstanceID: "h", JobState: new(msvm.JobException)},
		}, map[string]string{"send_delta": "1"}},
		{"two more jobs fail", []msvm.ConcreteJob{
			newJob("i", msvm.JobSendDelta, msvm.JobException), newJob("j", msvm.JobUpdateDiskSet, msvm.JobException),
		}, map[string]string{"send_delta": "2", "update_disk_set": "1"}},
		{"no jobs", nil, map[string]string{"send_delta": "2", "update_disk_set": "1"}},
	} {
		setRows(h, step.jobs...)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if got := failureCounts(r.gather(t, scrapeTimeout)); !maps.Equal(got, step.want) {
					t.Errorf("%s: %v, want %v", step.name, got, step.want)
				}
			})
		}
		wg.Wait()
		clock.Advance(time.Minute)
	}
	if n := strings.Count(r.gather(t, scrapeTimeout, "job"), "hyperv_replica_operation_failures_total{"); n != len(msvm.JobTypes()) {
		t.Errorf("%d counters, want %d, one for each type, so that the first failure is an increase", n, len(msvm.JobTypes()))
	}
}

// If the VMs or their relation to the jobs cannot be read, failures are still counted, and
// running operations are not exposed.
func TestJobsWithoutAffectedVMs(t *testing.T) {
	for _, class := range []string{"Msvm_AffectedJobElement", "Msvm_ComputerSystem"} {
		clock := newFakeClock()
		h := edgeCaseHost(t, clock)
		h.setError(class, wmiquery.ErrInvalidState)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "job"))
		if got[`hyperv_replica_collector_success{collector="job"}`] != "0" {
			t.Errorf("without %s: collector succeeds", class)
		}
		for s := range got {
			if strings.Contains(s, "operation_running{") || strings.Contains(s, "operation_progress") {
				t.Errorf("without %s: unexpected series %s", class, s)
			}
		}
		if _, ok := got[`hyperv_replica_operation_failures_total{operation="send_delta"}`]; !ok {
			t.Errorf("without %s: no counters", class)
		}
	}
}
