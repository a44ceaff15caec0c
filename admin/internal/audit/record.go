package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

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
	Unlock      Event = "unlock"      // the lock of a call that hangs was released
	Damage      Event = "damage"      // stored records were damaged and are lost
	Bulk        Event = "bulk"        // a bulk request was confirmed; each of its VMs has records of its own
)

// Record is one record of the audit log. It never contains a password, token or key.
type Record struct {
	Time   time.Time `json:"time"`
	Event  Event     `json:"event"`
	ID     string    `json:"id"`                // of the action; the same in all its records
	BulkID string    `json:"bulk_id,omitempty"` // of the bulk request that the action is part of
	User   string    `json:"user"`
	Remote string    `json:"remote,omitempty"` // address of the client

	Action       string         `json:"action"`
	Method       string         `json:"method,omitempty"`
	VMID         string         `json:"vm_id,omitempty"`
	VM           string         `json:"vm,omitempty"`
	Relationship string         `json:"relationship,omitempty"`
	Parameters   map[string]any `json:"parameters,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	Seen         any            `json:"seen,omitempty"` // state of the target before the call; a struct of bounded size
	Accepted     *Accepted      `json:"accepted,omitempty"`
	TestResult   string         `json:"test_result,omitempty"`

	Status   int      `json:"status,omitempty"` // HTTP status
	Type     string   `json:"type,omitempty"`   // problem type
	Code     *uint32  `json:"code,omitempty"`   // return code of the method
	Job      string   `json:"job,omitempty"`    // object path of the host's job
	State    string   `json:"state,omitempty"`  // state of the job
	Error    string   `json:"error,omitempty"`
	Duration *float64 `json:"duration_seconds,omitempty"`

	// Repeated is not nil if the record stands for several refusals. The other fields are those of the last one.
	Repeated *Repeated `json:"repeated,omitempty"`
	// Cut has the fields of which the record has only the beginning. The name of a parameter is parameters.NAME.
	Cut map[string]Cut `json:"cut,omitempty"`
}

// Accepted is what the request expects and accepts.
type Accepted struct {
	State          string   `json:"expected_state,omitempty"`
	Mode           string   `json:"expected_mode,omitempty"`
	MaxLossSeconds *float64 `json:"max_data_loss_seconds,omitempty"`
	UnknownLoss    bool     `json:"unknown_loss,omitempty"`
	Confirmed      bool     `json:"confirmed,omitempty"` // with a confirmation token
}

// Cut describes a value of which a record has only the beginning: a text, or the JSON of a parameter.
type Cut struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Limits of a line. A line of the Windows event log can have 31,839 characters.
const (
	maxLineBytes = 16 << 10
	maxTextBytes = 2 << 10 // as JSON; less if the line would be too long
)

// encode returns the line of a record. It cuts what is too long.
func encode(r Record) ([]byte, error) {
	for limit := maxTextBytes; ; limit /= 2 {
		b := bounded{limit: limit, cut: map[string]Cut{}}
		line, err := json.Marshal(b.record(r))
		if err != nil || len(line) <= maxLineBytes || limit <= 64 {
			return line, err
		}
	}
}

// bounded returns values whose JSON has a limit.
type bounded struct {
	limit int // bytes
	cut   map[string]Cut
}

// record returns a record whose fields are bounded.
func (b *bounded) record(r Record) Record {
	for name, text := range map[string]*string{
		"id": &r.ID, "user": &r.User, "remote": &r.Remote, "action": &r.Action, "method": &r.Method, "vm_id": &r.VMID,
		"vm": &r.VM, "relationship": &r.Relationship, "reason": &r.Reason, "job": &r.Job, "error": &r.Error,
	} {
		*text = b.text(name, *text)
	}
	if r.Parameters != nil {
		parameters := map[string]any{}
		for name, value := range r.Parameters {
			parameters[name] = b.value("parameters."+name, value)
		}
		r.Parameters = parameters
	}
	if len(b.cut) > 0 {
		r.Cut = b.cut
	}
	return r
}

// value returns a value, or the beginning of its JSON.
func (b *bounded) value(name string, value any) any {
	text, err := json.Marshal(value)
	if err != nil || len(text) <= b.limit { // the error appears again when the record is encoded
		return value
	}
	return b.text(name, string(text))
}

// text returns a text, or its beginning.
func (b *bounded) text(name, text string) string {
	if fits(text, b.limit) {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	b.cut[name] = Cut{len(text), hex.EncodeToString(sum[:])}
	start := text[:min(len(text), b.limit)]
	for !fits(start, b.limit) {
		start = start[:len(start)*3/4]
	}
	return strings.ToValidUTF8(start, "") + "…"
}

// fits reports whether the JSON of a text is within a limit.
func fits(text string, limit int) bool {
	if len(text) > limit {
		return false
	}
	encoded, err := json.Marshal(text)
	return err == nil && len(encoded) <= limit
}
