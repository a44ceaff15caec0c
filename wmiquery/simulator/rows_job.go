package simulator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// jobs are those of the host that can be seen, the oldest first.
func (v view) jobs() []*job {
	v.host.advance(v.at) // a resynchronization may have begun by itself
	var seen []*job
	for _, j := range v.host.jobs {
		if !j.expired(v.at) {
			seen = append(seen, j)
		}
	}
	// A job that began by itself came to the list when somebody looked.
	slices.SortFunc(seen, func(a, b *job) int {
		return cmp.Or(a.submitted.Compare(b.submitted), strings.Compare(a.id, b.id))
	})
	return seen
}

// concreteJobs are the jobs that run, are for later, or ended less than five
// minutes ago. They come without the short ones of each cycle.
func (v view) concreteJobs() []msvm.ConcreteJob {
	jobs := v.jobs()
	rows := make([]msvm.ConcreteJob, 0, len(jobs))
	for _, j := range jobs {
		row := msvm.ConcreteJob{
			InstanceID:        j.id,
			JobType:           &j.kind,
			JobState:          new(j.state(v.at)),
			PercentComplete:   new(j.percent(v.at)),
			ErrorCode:         new(uint16(0)),
			Cancellable:       new(j.cancellable(v.at)),
			TimeSubmitted:     &j.submitted,
			ElapsedTime:       new(j.elapsed(v.at)),
			TimeBeforeRemoval: new(timeBeforeRemoval),
		}
		if j.begin.After(j.submitted) {
			row.ScheduledStartTime = &j.begin
		}
		if !v.at.Before(j.begin) {
			row.StartTime = &j.begin
		}
		if f := j.failure; f != nil && row.JobState.Done() {
			row.ErrorCode = new(uint16(f.code))
			row.ErrorSummaryDescription = new(v.world.scenario.texts.failed)
			row.ErrorDescription = new(v.errorDescription(j))
		}
		rows = append(rows, row)
	}
	return rows
}

// explain is why the job failed: what failed for which VM, and the cause.
func (v view) errorDescription(j *job) string {
	about := j.host.name
	if j.vm != nil {
		about = fmt.Sprintf("'%s' (%s)", v.faults.displayName(j.vm), j.vm.id)
	}
	return fmt.Sprintf("%s %s: %s", v.world.scenario.texts.failed, about, j.failure.text)
}

// affectedJobElements has the VM of each job, and the test replica that a job
// made.
func (v view) affectedJobElements() []msvm.AffectedJobElement {
	var rows []msvm.AffectedJobElement
	for _, j := range v.jobs() {
		for _, vm := range []*hostVM{j.vm, j.createdVM} {
			if vm != nil {
				rows = append(rows, msvm.AffectedJobElement{AffectedElement: msvm.VMRef(vm.id), AffectingElement: msvm.JobRef(j.id)})
			}
		}
	}
	return rows
}

// jobAt is the job of the host with that path, nil if there is none any more.
func (v view) jobAt(path wmiquery.Ref) *job {
	for _, j := range v.jobs() {
		if strings.EqualFold(string(msvm.JobRef(j.id)), string(path)) {
			return j
		}
	}
	return nil
}
