package admin

import (
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/problem"
)

// auditRecord returns an audit record about the action.
func (x *execution) auditRecord(event audit.Event) audit.Record {
	r := audit.Record{
		Time: x.server.options.Now().UTC(), Event: event, ID: x.id, User: x.caller.String(), Remote: x.caller.Remote,
		Reason: x.request.Reason, TestResult: x.request.TestResult,
		Action: x.subject.Action, Method: x.subject.Method, VMID: x.subject.VMID, VM: x.subject.VM,
		Relationship: x.subject.Relationship,
	}
	if x.bulk != nil {
		r.BulkID = x.bulk.bulkID
	}
	if x.target != nil {
		r.Seen = x.target
	}
	accepted := audit.Accepted{
		State: x.request.ExpectedState, Mode: x.request.ExpectedMode, MaxLossSeconds: x.request.MaxDataLossSeconds,
		UnknownLoss: x.request.AcceptUnknownLoss, Confirmed: x.confirmed,
	}
	if accepted != (audit.Accepted{}) {
		r.Accepted = &accepted
	}
	if p := x.plan; p != nil {
		r.Action, r.Method, r.VMID, r.VM, r.Parameters = p.Action, p.Method.Name, p.VM, p.VMName, p.Parameters
		if p.Target != nil {
			r.Relationship = string(p.Target.Key.Link)
		}
	}
	return r
}

// auditRefusal writes a refusal to the audit log and returns p. It only logs an error, because nothing is executed.
func (x *execution) auditRefusal(p *problem.Problem) *problem.Problem {
	r := x.auditRecord(audit.Refused)
	r.Status, r.Type, r.Error = p.Type.Status, p.Type.Slug, p.Detail
	if err := x.server.audit.WriteRefused(r); err != nil {
		level.Error(x.server.options.Logger).Log("msg", "cannot write audit record of a refusal", "action", x.id, "err", err)
	}
	return p
}

// auditNotCalled writes the outcome of an intent after which the host was not called.
func (x *execution) auditNotCalled() {
	r := x.auditRecord(audit.Outcome)
	r.Status, r.State, r.Error = problem.Internal.Status, string(job.Failed), "the host was not called"
	x.server.auditAfter(r)
}

// auditUnfinished writes the outcomes of intents that have none, because the program ended during their calls.
func (s *Server) auditUnfinished() error {
	intents, err := s.audit.Unfinished()
	if err != nil {
		return err
	}
	for _, intent := range intents {
		r := intent
		r.Time, r.Event, r.State = s.options.Now().UTC(), audit.Outcome, string(job.Unknown)
		r.Error = "the program ended before the outcome was written"
		var record job.Record
		if found, err := s.store.Get(job.Bucket, r.ID, &record); found && err == nil && record.Action == r.Action &&
			record.State != job.Queued {
			r.State, r.Code, r.Job = string(record.State), record.Code, record.Path
		}
		s.auditAfter(r)
	}
	return nil
}
