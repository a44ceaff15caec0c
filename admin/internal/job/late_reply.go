package job

import (
	"time"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
)

// LateReply is the host's answer to a call whose VM was unlocked before. The state of the record stays Unknown.
type LateReply struct {
	Time  time.Time `json:"time"`
	Code  *uint32   `json:"return_code,omitempty"`
	Path  string    `json:"native_job,omitempty"` // it is not followed
	Error string    `json:"error,omitempty"`
}

// NewLateReply returns the host's answer to a call, like Record.ApplyReply.
func NewLateReply(reply wmiquery.Reply, err error, p *problem.Problem, now time.Time) LateReply {
	r := LateReply{Time: now, Path: string(wmiquery.Relative(string(reply.Job)))}
	if err == nil {
		r.Code = &reply.Code
	}
	if p != nil {
		r.Error = p.Detail
	}
	return r
}

// RecordLate adds the answer to a call whose job had ended before, and returns the new record.
func (t *Tracker) RecordLate(id string, reply LateReply) Record {
	t.updating.Lock()
	defer t.updating.Unlock()
	r, ok := t.Get(id)
	if !ok { // its record has expired or cannot be read; the audit log has the answer
		return Record{ID: id, State: Unknown}
	}
	r.LateReply = &reply
	t.save(r)
	return r
}
