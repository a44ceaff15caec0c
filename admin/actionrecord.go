package admin

import (
	"github.com/go-kit/log/level"
)

// record is the action as it begins.
func (d *deal) record() jobRecord {
	r := jobRecord{
		ID: d.id, State: jobQueued, Action: d.plan.action, Method: d.plan.method.Name, VMID: d.plan.vm, VM: d.plan.name,
		User: d.caller.String(), Reason: d.body.Reason, Role: d.plan.needs.String(), Created: d.began, Updated: d.began,
		TestResult: d.body.TestResult, Claimed: d.plan.claimed, Resync: d.plan.resynchronizes(),
	}
	if d.plan.target != nil {
		r.Relationship = string(d.plan.target.key.Link)
	}
	return r
}

// line is a line of the audit log about the action.
func (d *deal) line(event auditEvent) auditLine {
	l := auditLine{
		Time: d.s.o.Now().UTC(), Event: event, ID: d.id, User: d.caller.String(), Remote: d.caller.Remote, Reason: d.body.Reason, Seen: d.seen,
		TestResult: d.body.TestResult,
	}
	if a := d.accepts(); a != (accepts{}) {
		l.Accepted = &a
	}
	if p := d.plan; p != nil {
		l.Action, l.Method, l.VMID, l.VM, l.Parameters = p.action, p.method.Name, p.vm, p.name, p.shown
		if p.target != nil {
			l.Relationship = string(p.target.key.Link)
		}
	}
	return l
}

func (d *deal) accepts() accepts {
	b := d.body
	return accepts{b.ExpectedState, b.ExpectedMode, b.MaxDataLossSeconds, b.AcceptUnknownLoss, d.confirmed}
}

// refused writes a refusal to the audit log. That it cannot be written changes
// nothing: nothing is done.
func (d *deal) refused(p *problem) *problem {
	l := d.line(auditRefused)
	l.Status, l.Type, l.Error = p.kind.status, p.kind.slug, p.detail
	if err := d.s.audit.write(l, false); err != nil {
		level.Error(d.s.o.Logger).Log("msg", "a refusal is missing in the audit log", "err", err)
	}
	return p
}

func (s *Server) noRecord(err error) *problem {
	level.Error(s.o.Logger).Log("msg", "nothing is done, since its record cannot be kept", "err", err)
	return refuse(kindInternal, "the record of the action cannot be kept, so nothing is done")
}

func (s *Server) noAudit(err error) *problem {
	level.Error(s.o.Logger).Log("msg", "nothing is done, since the audit log cannot be written", "err", err)
	return refuse(kindAudit, "look at the log of the program")
}
