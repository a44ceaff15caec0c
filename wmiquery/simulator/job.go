package simulator

import (
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// beforeRemoval is Msvm_ConcreteJob.TimeBeforeRemoval: how long a job that has
// ended can still be seen.
const timeBeforeRemoval = 5 * time.Minute

// job is something that takes time: a Msvm_ConcreteJob of one host.
type job struct {
	id   string
	kind msvm.JobType
	host *host
	vm   *hostVM // nil if it is about the host; such a job does nothing when it ends
	// transfer is the link whose disks the job sends, nil for other jobs: initial
	// replications and resynchronizations take long, and some calls may stop them.
	transfer *link
	duration time.Duration

	submitted, begin, end time.Time
	started               bool
	suspendedAt           time.Time     // since when it is suspended; zero if it is not
	suspendedTime         time.Duration // that it was suspended before
	cancelled             bool
	failure               *failure
	createdVM             *hostVM // what it made

	// What it does: when it begins, when it ends well, when it fails, and when it
	// is cancelled. Any may be nil; a job without onCancel cannot be cancelled.
	onBegin  func(time.Time) *failure
	onEnd    func(time.Time) *failure
	onFail   func(time.Time)
	onCancel func(time.Time)
}

// next is when something happens to the job by itself, zero for never.
func (j *job) next() time.Time {
	switch {
	case !j.started:
		return j.begin
	case !j.suspendedAt.IsZero():
		return time.Time{}
	}
	return j.end
}

// step has happen what is next: the job begins or ends.
func (j *job) advance(at time.Time) {
	if !j.started {
		j.started = true
		if j.onBegin == nil {
			return
		}
		if f := j.onBegin(at); f != nil {
			j.failure = f
			j.finish(at)
		}
		return
	}
	j.finish(at)
	if j.failure == nil && j.onEnd != nil {
		j.failure = j.onEnd(at)
	}
	if j.failure != nil && j.onFail != nil {
		j.onFail(at)
	}
}

// leave ends the job: nothing more happens to it.
func (j *job) finish(at time.Time) {
	j.resume(at)
	j.end = at
	if j.transfer != nil && j.transfer.transfer == j {
		j.transfer.transfer = nil
	}
	lv := j.vm.logical
	lv.jobs = slices.DeleteFunc(lv.jobs, func(x *job) bool { return x == j })
}

// cancel ends the job before its time.
func (j *job) cancel(at time.Time) {
	j.cancelled = true
	j.finish(at)
	if j.onCancel != nil {
		j.onCancel(at)
	}
}

// pause suspends the job.
func (j *job) suspend(at time.Time) {
	if j.suspendedAt.IsZero() {
		j.suspendedAt = at
	}
}

// resume goes on with a job that is suspended.
func (j *job) resume(at time.Time) {
	if j.suspendedAt.IsZero() {
		return
	}
	d := at.Sub(j.suspendedAt)
	j.suspendedAt = time.Time{}
	j.suspendedTime += d
	j.end = j.end.Add(d)
}

// state is JobState at a time to which the job's guest is advanced.
func (j *job) state(at time.Time) msvm.JobState {
	switch {
	case j.cancelled:
		return msvm.JobTerminated
	case !j.suspendedAt.IsZero():
		return msvm.JobSuspended
	case at.Before(j.begin):
		return msvm.JobNew
	case at.Before(j.end):
		return msvm.JobRunning
	case j.failure != nil:
		return msvm.JobException
	}
	return msvm.JobCompleted
}

// runs tells whether the job is at work.
func (j *job) running(at time.Time) bool { return j.state(at) == msvm.JobRunning }

// worked is how long the job has been at work.
func (j *job) elapsed(at time.Time) time.Duration {
	if !j.suspendedAt.IsZero() {
		at = j.suspendedAt
	}
	if at.After(j.end) {
		at = j.end
	}
	return max(0, at.Sub(j.begin)-j.suspendedTime)
}

// percent is PercentComplete: even from begin to end, and 100 only for what has
// ended well.
func (j *job) percent(at time.Time) uint16 {
	if j.state(at) == msvm.JobCompleted {
		return 100
	}
	if j.duration <= 0 {
		return 0
	}
	return uint16(min(99, 100*j.elapsed(at)/j.duration))
}

// gone tells whether the job cannot be seen any more.
func (j *job) expired(at time.Time) bool {
	return j.state(at).Done() && !at.Before(j.end.Add(timeBeforeRemoval))
}

// cancellable tells whether the job can be cancelled: not once the final merge
// has begun, which Microsoft's description of the resynchronization does not give
// in numbers.
func (j *job) cancellable(at time.Time) bool {
	return j.onCancel != nil && !j.state(at).Done() && (j.transfer == nil || j.percent(at) < 95)
}
