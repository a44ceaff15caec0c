package job

import (
	"fmt"
	"slices"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// State is the state of an action that was started.
type State string

// The states.
const (
	Queued    State = "queued" // the host was called and has not answered yet
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Unknown   State = "unknown" // it is no longer possible to find out how the action ended
)

// States returns all states.
func States() []State { return []State{Queued, Running, Succeeded, Failed, Cancelled, Unknown} }

// Ended reports whether an action in this state has ended.
func (s State) Ended() bool { return s != Queued && s != Running }

// Record is the record of an action that was started. It outlives the host's own job.
type Record struct {
	ID           string  `json:"id"`
	State        State   `json:"state"`
	Warnings     bool    `json:"warnings,omitempty"`  // succeeded with warnings
	Scheduled    bool    `json:"scheduled,omitempty"` // starts at a later time
	Percent      *uint16 `json:"percent_complete,omitempty"`
	Action       string  `json:"action"`
	Method       string  `json:"method"`
	Type         string  `json:"job_type,omitempty"`
	VMID         string  `json:"vm_id,omitempty"`
	VM           string  `json:"vm,omitempty"`
	LockVM       string  `json:"claimed_vm_id,omitempty"` // VM that the action locks, if it is not VMID
	Relationship string  `json:"relationship,omitempty"`
	BulkID       string  `json:"bulk_id,omitempty"` // of the bulk request that the action is part of
	User         string  `json:"user"`
	Reason       string  `json:"reason,omitempty"`
	Role         string  `json:"role"` // role that the action needs

	Created time.Time  `json:"created"`
	Updated time.Time  `json:"updated"`
	Ended   *time.Time `json:"ended,omitempty"`

	// Resync reports whether the action is a resynchronization, or a resume that continues one. It is not stored:
	// after a restart the state of the relationship shows the same.
	Resync bool `json:"-"`
	// ErrorRetries is the number of failed reads of Errors since the start of the program.
	ErrorRetries int `json:"-"`

	Path        string            `json:"native_job,omitempty"` // object path of the host's own job
	NativeState uint16            `json:"native_state,omitempty"`
	Cancellable bool              `json:"cancellable"`
	Code        *uint32           `json:"return_code,omitempty"`
	ErrorCode   *uint16           `json:"error_code,omitempty"`
	Error       string            `json:"error,omitempty"`
	Errors      []operation.Issue `json:"errors,omitempty"` // from GetErrorEx
	Result      map[string]any    `json:"result,omitempty"`
	LateReply   *LateReply        `json:"late_reply,omitempty"`
	// TestVM is the GUID of the VM that a test failover created. TestResult is the result that its clean-up reported.
	TestVM     string `json:"test_vm_id,omitempty"`
	TestResult string `json:"test_result,omitempty"`
}

// Bucket is the bucket of the store that has the records.
const Bucket = "jobs"

// Retention of records of jobs that have ended.
const (
	keepFor    = 30 * 24 * time.Hour
	maxRecords = 10_000
)

// StoreBucket returns the bucket of the records.
func StoreBucket() store.Bucket {
	return store.Bucket{Name: Bucket, New: func() any { return new(Record) }, Expired: expired}
}

// expired returns the keys of the records whose jobs ended too long ago, and of those that are too many. Jobs that have
// not ended are kept.
func expired(values []store.Value, now time.Time) (keys []string) {
	end := func(v store.Value) time.Time {
		r := v.Value.(*Record)
		if r.Ended != nil {
			return *r.Ended
		}
		return r.Created
	}
	latestFirst := slices.SortedFunc(slices.Values(values), func(a, b store.Value) int {
		return end(b).Compare(end(a))
	})
	for i, v := range latestFirst {
		if v.Value.(*Record).State.Ended() && (i >= maxRecords || now.Sub(end(v)) > keepFor) {
			keys = append(keys, v.Key)
		}
	}
	return keys
}

func sortNewestFirst(records []Record) {
	slices.SortFunc(records, func(a, b Record) int { return b.Created.Compare(a.Created) })
}

// Attributes returns the attributes that the policy decides on.
func (r *Record) Attributes(role authz.Role) authz.Attributes {
	return authz.Attributes{Role: role, Names: []string{r.Method, r.Action}, VM: r.VMID, VMName: r.VM}
}

// CancelPlan returns the plan of the job's cancellation. It needs the role that the action needed, operator at least.
func (r *Record) CancelPlan() *operation.Plan {
	role, err := authz.ParseRole(r.Role)
	if err != nil {
		role = authz.RoleOwner
	}
	return operation.PlanCancelJob(wmiquery.Ref(r.Path), r.VMID, r.VM, max(role, authz.RoleOperator))
}

// SetState sets the state. The first state that has ended also sets the end.
func (r *Record) SetState(s State, now time.Time) {
	r.State, r.Updated = s, now
	if s.Ended() && r.Ended == nil {
		r.Ended, r.Cancellable, r.Scheduled = &now, false, false
	}
}

// Elapsed returns the seconds between two times, nil if the clock was set back between them.
func Elapsed(from, to time.Time) *float64 {
	if d := to.Sub(from); d >= 0 {
		return new(d.Seconds())
	}
	return nil
}

// ApplyReply updates the record with the host's answer to the call of a method. The problem is the one that the answer
// is reported as, nil if the call succeeded.
func (r *Record) ApplyReply(m msvm.Method, reply wmiquery.Reply, err error, p *problem.Problem, now time.Time) {
	if err == nil {
		r.Code = &reply.Code
	}
	switch {
	case p != nil && p.Type == problem.OutcomeUnknown:
		r.Error = p.Detail
		r.SetState(Unknown, now)
	case p != nil:
		r.Error = p.Detail
		r.SetState(Failed, now)
	case reply.Code == wmiquery.CodeJobStarted && msvm.JobID(reply.Job) == "":
		r.Error = "the host started a job but did not return its InstanceID"
		r.SetState(Unknown, now)
	case reply.Code == wmiquery.CodeJobStarted:
		r.Path = string(wmiquery.Relative(string(reply.Job)))
		r.SetState(Running, now)
	default:
		r.Result = operation.Result(m, reply.Out)
		if system, ok := reply.Out["ResultingSystem"].(wmiquery.Ref); ok {
			r.TestVM = msvm.VMOf(system)
		}
		r.SetState(Succeeded, now)
	}
}

// ApplyJob updates the record with the current state of the host's job.
func (r *Record) ApplyJob(row msvm.ConcreteJob, now time.Time) {
	r.Percent = row.PercentComplete
	r.Cancellable = row.Cancellable != nil && *row.Cancellable
	if row.JobType != nil && row.JobType.IsReplication() {
		r.Type = row.JobType.String()
	}
	if row.JobState == nil {
		return
	}
	state := *row.JobState
	r.NativeState = uint16(state)
	r.Scheduled = state == msvm.JobNew && row.ScheduledStartTime != nil
	switch {
	case state.Succeeded():
		r.Warnings = state == msvm.JobCompletedWithWarnings
		r.SetState(Succeeded, now)
	case state == msvm.JobTerminated || state == msvm.JobKilled:
		r.SetState(Cancelled, now)
	case state.Done():
		r.SetState(Failed, now)
	default:
		r.SetState(Running, now)
	}
	if !r.State.Ended() {
		return
	}
	if row.ErrorCode != nil && *row.ErrorCode != 0 {
		r.ErrorCode = row.ErrorCode
	}
	r.Error = msvm.StringOrEmpty(row.ErrorDescription)
	if r.Error == "" {
		r.Error = msvm.StringOrEmpty(row.ErrorSummaryDescription)
	}
	if r.Error == "" && r.ErrorCode != nil {
		r.Error = fmt.Sprintf("the host gives no reason: %v", &wmiquery.CodeError{Code: uint32(*r.ErrorCode)})
	}
}

// auditEnd returns the audit record of the job's end.
func (r *Record) auditEnd(now time.Time) audit.Record {
	return audit.Record{
		Time: now.UTC(), Event: audit.JobEnded, ID: r.ID, User: r.User, Action: r.Action, Method: r.Method,
		VMID: r.VMID, VM: r.VM, Relationship: r.Relationship, Job: r.Path, State: string(r.State), Error: r.Error,
		Code: r.Code, Duration: Elapsed(r.Created, r.Updated),
	}
}
