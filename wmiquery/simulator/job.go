package simulator

import (
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// timeBeforeRemoval is Msvm_ConcreteJob.TimeBeforeRemoval: how long a finished job remains visible.
const timeBeforeRemoval = 5 * time.Minute

// job is a long-running operation on one host, an Msvm_ConcreteJob.
type job struct {
	id   string
	kind msvm.JobType
	host *host
	vm   *hostVM // nil if the job is about the host; such a job runs no functions
	// transfer is the link whose disks the job sends, in an initial replication or a resynchronization.
	// It is nil for other jobs. Transfers take long, and some methods can stop them.
	transfer *link
	duration time.Duration

	submitted, begin, end time.Time
	started               bool
	suspendedAt           time.Time     // zero if the job is not suspended
	stalled               bool          // suspended because the disks cannot be sent; JobState does not show it
	suspendedTime         time.Duration // total of earlier suspensions
	cancelled             bool
	failure               *failure
	createdVM             *hostVM // the VM that the job has created

	// Functions that run when the job begins, completes, fails or is cancelled. Each may be nil. A job
	// without onCancel cannot be cancelled.
	onBegin  func(time.Time) *failure
	onEnd    func(time.Time) *failure
	onFail   func(time.Time)
	onCancel func(time.Time)
}

// next is the time of the next event of the job, or zero if there is none.
func (j *job) next() time.Time {
	switch {
	case !j.started:
		return j.begin
	case !j.suspendedAt.IsZero():
		return time.Time{}
	}
	return j.end
}

// advance processes the next event of the job: it begins or ends.
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
	if l := j.transfer; l != nil && j.failure == nil {
		if f := l.receiverFailure(at, l.sender.state); f != nil {
			l.handleFailure(at, f)
			return
		}
	}
	j.finish(at)
	f := j.failure
	if f == nil && j.onEnd != nil {
		f = j.onEnd(at)
	}
	if f != nil {
		j.fail(at, f)
	}
}

// fail ends the job with a failure.
func (j *job) fail(at time.Time, f *failure) {
	j.failure = f
	j.finish(at)
	if j.onFail != nil {
		j.onFail(at)
	}
}

// finish marks the job as ended.
func (j *job) finish(at time.Time) {
	j.resume(at)
	j.end = at
	if j.transfer != nil && j.transfer.transfer == j {
		j.transfer.transfer = nil
	}
	lv := j.vm.logical
	lv.jobs = slices.DeleteFunc(lv.jobs, func(x *job) bool { return x == j })
}

// cancel ends the job early.
func (j *job) cancel(at time.Time) {
	j.cancelled = true
	j.finish(at)
	if j.onCancel != nil {
		j.onCancel(at)
	}
}

// suspend suspends the job.
func (j *job) suspend(at time.Time) {
	j.stall(at)
	j.stalled = false
}

// stall stops the progress of the job until it is resumed. Its state does not change.
func (j *job) stall(at time.Time) {
	if j.suspendedAt.IsZero() {
		j.suspendedAt, j.stalled = at, true
	}
}

// resume resumes a suspended or stalled job.
func (j *job) resume(at time.Time) {
	if j.suspendedAt.IsZero() {
		return
	}
	d := at.Sub(j.suspendedAt)
	j.suspendedAt, j.stalled = time.Time{}, false
	j.suspendedTime += d
	j.end = j.end.Add(d)
}

// state is JobState at a time. The VM must have been advanced to that time.
func (j *job) state(at time.Time) msvm.JobState {
	switch {
	case j.cancelled:
		return msvm.JobTerminated
	case j.stalled:
		return msvm.JobRunning
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

// running reports whether the job is running.
func (j *job) running(at time.Time) bool { return j.state(at) == msvm.JobRunning }

// elapsed is ElapsedTime: how long the job has been running, without suspensions.
func (j *job) elapsed(at time.Time) time.Duration {
	if !j.suspendedAt.IsZero() {
		at = j.suspendedAt
	}
	if at.After(j.end) {
		at = j.end
	}
	return max(0, at.Sub(j.begin)-j.suspendedTime)
}

// percent is PercentComplete. It grows linearly, and only a completed job has 100.
func (j *job) percent(at time.Time) uint16 {
	if j.state(at) == msvm.JobCompleted {
		return 100
	}
	if j.duration <= 0 {
		return 0
	}
	return uint16(min(99, 100*j.elapsed(at)/j.duration))
}

// expired reports whether the job is not visible any more.
func (j *job) expired(at time.Time) bool {
	return j.state(at).Done() && !at.Before(j.end.Add(timeBeforeRemoval))
}

// cancellable reports whether the job can be cancelled. A transfer cannot be cancelled once its final
// merge has begun. Microsoft's description of the resynchronization gives no number for that; 95 percent
// is an assumption.
func (j *job) cancellable(at time.Time) bool {
	return j.onCancel != nil && !j.state(at).Done() && (j.transfer == nil || j.percent(at) < 95)
}
