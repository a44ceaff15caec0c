package simulator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// visibleJobs are the visible jobs of the host, oldest first.
func (v view) visibleJobs() []*job {
	v.host.advance(v.at) // an automatic resynchronization may have started
	var seen []*job
	for _, j := range v.host.jobs {
		if !j.expired(v.at) {
			seen = append(seen, j)
		}
	}
	// Jobs that start by themselves are appended when the VM is advanced, which may be late.
	slices.SortFunc(seen, func(a, b *job) int {
		return cmp.Or(a.submitted.Compare(b.submitted), strings.Compare(a.id, b.id))
	})
	return seen
}

// concreteJobs are the jobs that are running or scheduled, or that ended less than five minutes ago. The
// short jobs of the replication cycles are not simulated.
func (v view) concreteJobs() []msvm.ConcreteJob {
	jobs := v.visibleJobs()
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
			row.ErrorDescription = new(v.errorDescription(j, f))
		}
		rows = append(rows, row)
	}
	return rows
}

// errorDescription is ErrorDescription of a job that failed: the operation, the VM and the cause.
func (v view) errorDescription(j *job, cause *failure) string {
	about := j.host.name
	if j.vm != nil {
		about = fmt.Sprintf("'%s' (%s)", v.faults.displayName(j.vm), j.vm.id)
	}
	return fmt.Sprintf("%s %s: %s", v.world.scenario.texts.failed, about, cause.text)
}

// affectedJobElements refers each job to its VM, and to the test replica that it has created.
func (v view) affectedJobElements() []msvm.AffectedJobElement {
	var rows []msvm.AffectedJobElement
	for _, j := range v.visibleJobs() {
		for _, vm := range []*hostVM{j.vm, j.createdVM} {
			if vm != nil {
				rows = append(rows, msvm.AffectedJobElement{
					AffectedElement: msvm.VMRef(vm.id), AffectingElement: msvm.JobRef(j.id),
				})
			}
		}
	}
	return rows
}

// jobAt is the visible job with that object path, or nil.
func (v view) jobAt(path wmiquery.Ref) *job {
	for _, j := range v.visibleJobs() {
		if strings.EqualFold(string(msvm.JobRef(j.id)), string(path)) {
			return j
		}
	}
	return nil
}
