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
	if n := strings.Count(r.gather(t, scrapeTimeout, "job"), "hyperv_replica_operation_failures_total{"); n != 36 {
		t.Errorf("%d counters, want 36, one for each type, so that the first failure is an increase", n)
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

// operationSeries returns the series of a metric about the operation send_delta of a VM.
func operationSeries(metric, vm, id string) string {
	return metric + `{operation="send_delta",vm="` + vm + `",vm_id="` + id + `"}`
}

// Progress and start are those of the operation that is last to end, as far as the host reports them.
func TestOperationWithSeveralJobs(t *testing.T) {
	at := func(d time.Duration) *time.Time { return new(noon.Add(d)) }
	never := time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)
	type job struct {
		percent *uint16
		start   *time.Time
	}
	for _, tt := range []struct {
		name                   string
		jobs                   []job
		count, progress, start string
	}{
		{"one", []job{{new(uint16(40)), at(-time.Minute)}}, "1", "0.4", "1.79534874e+09"},
		{"lowest and earliest first", []job{
			{new(uint16(0)), at(-time.Hour)}, {new(uint16(40)), at(-time.Minute)},
		}, "2", "0", "1.7953452e+09"},
		{"lowest and earliest last", []job{
			{new(uint16(40)), at(-time.Minute)}, {new(uint16(0)), at(-time.Hour)},
		}, "2", "0", "1.7953452e+09"},
		{"null beside a value", []job{{}, {new(uint16(40)), at(-time.Minute)}, {nil, &never}}, "3", "0.4", "1.79534874e+09"},
		{"null", []job{{}, {nil, &never}}, "2", "", ""},
		{"complete", []job{{new(uint16(100)), nil}}, "1", "1", ""},
		{"impossible percentages", []job{{new(uint16(101)), nil}, {new(uint16(65535)), nil}}, "2", "", ""},
		{"impossible percentage beside a value", []job{{new(uint16(101)), nil}, {new(uint16(99)), nil}}, "2", "0.99", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostWithVM(newFakeClock())
			var jobs []msvm.ConcreteJob
			var elements []msvm.AffectedJobElement
			for i, j := range tt.jobs {
				id := string(rune('a' + i))
				one := newJob(id, 105, 4)
				one.PercentComplete, one.StartTime = j.percent, j.start
				jobs = append(jobs, one)
				element := msvm.AffectedJobElement{AffectedElement: msvm.VMRef(appID), AffectingElement: msvm.JobRef(id)}
				elements = append(elements, element, element) // the host may return an association twice
			}
			setRows(h, jobs...)
			setRows(h, elements...)
			checkSeries(t, parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "job")), map[string]string{
				operationSeries("operation_running", "app01", appID):                 tt.count,
				operationSeries("operation_progress_ratio", "app01", appID):          tt.progress,
				operationSeries("operation_start_timestamp_seconds", "app01", appID): tt.start,
			})
		})
	}
}

// A running job without a VM has an empty label vm, unless it started after the relation between jobs
// and VMs was read: its VM is then not known yet.
func TestJobWithoutVM(t *testing.T) {
	at := func(d time.Duration) *time.Time { return new(noon.Add(d)) }
	for _, tt := range []struct {
		name  string
		start *time.Time
		stale time.Duration // age of the relation between jobs and VMs
		want  string
	}{
		{"no start", nil, 0, "1"},
		{"started before", at(-time.Second), 0, "1"},
		{"started when the relation was read", at(0), 0, "1"},
		{"started after", at(time.Second), 0, ""},
		{"started after a relation that is old", at(-30 * time.Second), time.Minute, ""},
		{"started before a relation that is old", at(-2 * time.Minute), time.Minute, "1"},
	} {
		clock := newFakeClock()
		clock.Advance(-tt.stale)
		h := newHostWithVM(clock)
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout, "job")
		if tt.stale > 0 {
			h.setError("Msvm_AffectedJobElement", wmiquery.ErrTimeout)
		}
		clock.Advance(tt.stale)
		job := newJob("a", 105, 4)
		job.StartTime = tt.start
		setRows(h, job)
		got := parseSeries(r.gather(t, scrapeTimeout, "job"))
		if v := got["hyperv_replica_"+operationSeries("operation_running", "", "")]; v != tt.want {
			t.Errorf("%s: operation_running is %q, want %q", tt.name, v, tt.want)
		}
	}
}

// A job belongs to each VM that it affects, in whatever case the host writes the paths, and to no VM
// that it does not affect, such as one whose settings have an InstanceID that looks like that of a VM.
func TestJobOfSeveralVMs(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	setRows(h, newVM(appID, "app01", 2), newVM(testVM1ID, "app01 - Test", 3), newVM(sqlID, "sql01", 1))
	setRows(h, newJob("ab12", 105, 4))
	setRows(h,
		msvm.AffectedJobElement{AffectedElement: msvm.VMRef(appID), AffectingElement: msvm.JobRef("AB12")},
		msvm.AffectedJobElement{
			AffectedElement: msvm.VMRef(strings.ToLower(testVM1ID)), AffectingElement: msvm.JobRef("ab12"),
		},
		msvm.AffectedJobElement{AffectedElement: msvm.VMRef(sqlID), AffectingElement: msvm.JobRef("another")},
		msvm.AffectedJobElement{AffectedElement: adapterRef(checkpointID, 0), AffectingElement: msvm.JobRef("ab12")})
	got := valuesOf(parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "job")), "operation_running", "vm_id")
	if want := map[string]string{appID: "1", testVM1ID: "1"}; !maps.Equal(got, want) {
		t.Errorf("operation_running by VM: %v, want %v", got, want)
	}
}
