package admin

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// jobState is the state of an action that was begun.
type jobState string

// The states.
const (
	jobQueued    jobState = "queued" // the host was called and has not answered
	jobRunning   jobState = "running"
	jobSucceeded jobState = "succeeded"
	jobFailed    jobState = "failed"
	jobCancelled jobState = "cancelled"
	jobUnknown   jobState = "unknown" // how it ended cannot be found out any more
)

func jobStates() []jobState {
	return []jobState{jobQueued, jobRunning, jobSucceeded, jobFailed, jobCancelled, jobUnknown}
}

func (s jobState) ended() bool { return s != jobQueued && s != jobRunning }

// jobRecord is an action that was begun, and what became of it. Unlike the host's
// own job, it stays.
type jobRecord struct {
	ID           string   `json:"id"`
	State        jobState `json:"state"`
	Warnings     bool     `json:"warnings,omitempty"`  // it succeeded with warnings
	Scheduled    bool     `json:"scheduled,omitempty"` // it has not begun, but will at a time
	Percent      *uint16  `json:"percent_complete,omitempty"`
	Action       string   `json:"action"`
	Method       string   `json:"method"`
	Type         string   `json:"job_type,omitempty"`
	VMID         string   `json:"vm_id,omitempty"`
	VM           string   `json:"vm,omitempty"`
	Claimed      string   `json:"claimed_vm_id,omitempty"` // if not vm_id, the VM about which nothing else is done meanwhile
	Relationship string   `json:"relationship,omitempty"`
	User         string   `json:"user"`
	Reason       string   `json:"reason,omitempty"`
	Role         string   `json:"role"`

	Created time.Time  `json:"created"`
	Updated time.Time  `json:"updated"`
	Ended   *time.Time `json:"ended,omitempty"`

	// Resync reports whether the action is a resynchronization, or a resume that continues
	// one. It is not stored: after a restart the state of the relationship says the same.
	Resync bool `json:"-"`

	Path        string         `json:"native_job,omitempty"` // of the host's own job
	NativeState uint16         `json:"native_state,omitempty"`
	Cancellable bool           `json:"cancellable"`
	Code        *uint32        `json:"return_code,omitempty"`
	ErrorCode   *uint16        `json:"error_code,omitempty"`
	Error       string         `json:"error,omitempty"`
	Errors      []issueModel   `json:"errors,omitempty"` // of GetErrorEx
	Result      map[string]any `json:"result,omitempty"`
	// TestVM is the GUID of the VM that a test failover made; TestResult is what
	// was said when it was cleaned up.
	TestVM     string `json:"test_vm_id,omitempty"`
	TestResult string `json:"test_result,omitempty"`
}

const apiJobs = "/api/v1/jobs"

func (j jobRecord) url() string { return apiJobs + "/" + j.ID }

// at puts the record into a state.
func (j *jobRecord) at(s jobState, now time.Time) {
	j.State, j.Updated = s, now
	if s.ended() && j.Ended == nil {
		j.Ended, j.Cancellable, j.Scheduled = &now, false, false
	}
}

// follow brings the record up to what the host's job shows.
func (j *jobRecord) follow(row msvm.ConcreteJob, now time.Time) {
	j.Percent = row.PercentComplete
	j.Cancellable = row.Cancellable != nil && *row.Cancellable
	if row.JobType != nil && row.JobType.IsReplication() {
		j.Type = row.JobType.String()
	}
	if row.JobState == nil {
		return
	}
	state := *row.JobState
	j.NativeState = uint16(state)
	j.Scheduled = state == msvm.JobNew && row.ScheduledStartTime != nil
	switch {
	case state.Succeeded():
		j.Warnings = state == msvm.JobCompletedWithWarnings
		j.at(jobSucceeded, now)
	case state == msvm.JobTerminated || state == msvm.JobKilled:
		j.at(jobCancelled, now)
	case state.Done():
		j.at(jobFailed, now)
	default:
		j.at(jobRunning, now)
	}
	if !j.State.ended() {
		return
	}
	if row.ErrorCode != nil && *row.ErrorCode != 0 {
		j.ErrorCode = row.ErrorCode
	}
	j.Error = msvm.StringOrEmpty(row.ErrorDescription)
	if j.Error == "" {
		j.Error = msvm.StringOrEmpty(row.ErrorSummaryDescription)
	}
}
