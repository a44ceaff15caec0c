package collector_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// failures are the counters that are above 0.
func failures(exposition string) map[string]string {
	got := map[string]string{}
	for s, v := range series(exposition) {
		if kind, ok := strings.CutPrefix(s, `hyperv_replica_operation_failures_total{operation="`); ok && v != "0" {
			got[strings.TrimSuffix(kind, `"}`)] = v
		}
	}
	return got
}

// A job that fails counts once: however many scrapes see it, at once or one after
// the other, and when it is gone. One that had failed before the exporter began,
// one that was cancelled and one that is none of replication do not count.
func TestJobFailures(t *testing.T) {
	clock := newClock()
	h := newFabricatedHost(clock)
	old := jobRow("OLD", msvm.JobResynchronize, msvm.JobException)
	set(h, old, jobRow("a", msvm.JobSendDelta, msvm.JobRunning))
	r := newFabricatedRig(h)
	for _, step := range []struct {
		what string
		jobs []msvm.ConcreteJob
		want map[string]string
	}{
		{"the first answer: nothing has failed since", []msvm.ConcreteJob{old, jobRow("a", msvm.JobSendDelta, msvm.JobRunning)}, nil},
		{"one fails", []msvm.ConcreteJob{old, jobRow("a", msvm.JobSendDelta, msvm.JobException)}, map[string]string{"send_delta": "1"}},
		{"it is still there, in lower case", []msvm.ConcreteJob{jobRow("old", msvm.JobResynchronize, msvm.JobException), jobRow("A", msvm.JobSendDelta, msvm.JobException)}, map[string]string{"send_delta": "1"}},
		{"others end otherwise", []msvm.ConcreteJob{
			jobRow("b", msvm.JobSendDelta, msvm.JobTerminated), jobRow("c", msvm.JobSendDelta, msvm.JobKilled),
			jobRow("d", msvm.JobSendDelta, msvm.JobCompleted), jobRow("e", msvm.JobSendDelta, msvm.JobCompletedWithWarnings),
			jobRow("f", 89, msvm.JobException), jobRow("g", 126, msvm.JobException),
			{InstanceID: "h", JobState: new(msvm.JobException)},
		}, map[string]string{"send_delta": "1"}},
		{"two more fail", []msvm.ConcreteJob{
			jobRow("i", msvm.JobSendDelta, msvm.JobException), jobRow("j", msvm.JobUpdateDiskSet, msvm.JobException),
		}, map[string]string{"send_delta": "2", "update_disk_set": "1"}},
		{"all are gone", nil, map[string]string{"send_delta": "2", "update_disk_set": "1"}},
	} {
		set(h, step.jobs...)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if got := failures(r.gather(t, deadline)); !maps.Equal(got, step.want) {
					t.Errorf("%s: %v, want %v", step.what, got, step.want)
				}
			})
		}
		wg.Wait()
		clock.Advance(time.Minute)
	}
	if n := strings.Count(r.gather(t, deadline, "job"), "hyperv_replica_operation_failures_total{"); n != len(msvm.JobTypes()) {
		t.Errorf("%d counters, want one for each of %d kinds, or the first failure of a kind shows no increase", n, len(msvm.JobTypes()))
	}
}

// The jobs alone are enough to count failures; which operations run is not told
// without the VMs they are of.
func TestJobsWithoutTheirVMs(t *testing.T) {
	for _, class := range []string{"Msvm_AffectedJobElement", "Msvm_ComputerSystem"} {
		clock := newClock()
		h := awkwardHost(t, clock)
		h.fail(class, wmiquery.ErrInvalidState)
		got := series(newFabricatedRig(h).gather(t, deadline, "job"))
		if got[`hyperv_replica_collector_success{collector="job"}`] != "0" {
			t.Errorf("without %s: success", class)
		}
		for s := range got {
			if strings.Contains(s, "operation_running{") || strings.Contains(s, "operation_progress") {
				t.Errorf("without %s: %s", class, s)
			}
		}
		if !slices.Contains(slices.Collect(maps.Keys(got)), `hyperv_replica_operation_failures_total{operation="send_delta"}`) {
			t.Errorf("without %s: no counters", class)
		}
	}
}
