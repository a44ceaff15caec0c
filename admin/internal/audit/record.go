package audit

import "time"

// Event is the kind of a record.
type Event string

// The events.
const (
	Intent      Event = "intent"  // before a call of the host; synced to disk
	Outcome     Event = "outcome" // the host has answered the call
	JobEnded    Event = "job"
	Refused     Event = "refused"
	DryRun      Event = "dry_run"
	Reload      Event = "reload"
	Maintenance Event = "maintenance" // announced or ended, without a call of the host
	Damage      Event = "damage"      // stored records were damaged and are lost
)

// Record is one record of the audit log. It never contains a password, token or key.
type Record struct {
	Time   time.Time `json:"time"`
	Event  Event     `json:"event"`
	ID     string    `json:"id"` // of the action; the same in all its records
	User   string    `json:"user"`
	Remote string    `json:"remote,omitempty"` // address of the client

	Action       string         `json:"action"`
	Method       string         `json:"method,omitempty"`
	VMID         string         `json:"vm_id,omitempty"`
	VM           string         `json:"vm,omitempty"`
	Relationship string         `json:"relationship,omitempty"`
	Parameters   map[string]any `json:"parameters,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	Seen         any            `json:"seen,omitempty"` // state of the target before the call
	Accepted     *Accepted      `json:"accepted,omitempty"`
	TestResult   string         `json:"test_result,omitempty"`

	Status   int      `json:"status,omitempty"` // HTTP status
	Type     string   `json:"type,omitempty"`   // problem type
	Code     *uint32  `json:"code,omitempty"`   // return code of the method
	Job      string   `json:"job,omitempty"`    // object path of the host's job
	State    string   `json:"state,omitempty"`  // state of the job
	Error    string   `json:"error,omitempty"`
	Duration *float64 `json:"duration_seconds,omitempty"`
}

// Accepted is what the request expects and accepts.
type Accepted struct {
	State          string   `json:"expected_state,omitempty"`
	Mode           string   `json:"expected_mode,omitempty"`
	MaxLossSeconds *float64 `json:"max_data_loss_seconds,omitempty"`
	UnknownLoss    bool     `json:"unknown_loss,omitempty"`
	Confirmed      bool     `json:"confirmed,omitempty"` // with a confirmation token
}
