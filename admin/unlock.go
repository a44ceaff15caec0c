package admin

import (
	"cmp"
	"fmt"
	"net/http"
	"reflect"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// unlockRequest is the body of a request to unlock a VM.
type unlockRequest struct {
	ConfirmationToken string `json:"confirmation_token,omitempty"`
	Reason            string `json:"reason,omitempty"`
	VMName            string `json:"vm_name,omitempty"`
}

// unlockVM handles POST /api/v1/jobs/{id}/unlock. It releases the lock of a call that the host does not answer, so that
// the VM can fail over. It needs a confirmation like a destructive action, because the call can still take effect.
func (s *Server) unlockVM(r *http.Request) (problem.Response, *problem.Problem) {
	req, _, p := operation.ReadRequest(r)
	if p != nil {
		return problem.Response{}, p
	}
	if !reflect.DeepEqual(*req, operation.Request{
		ConfirmationToken: req.ConfirmationToken, Reason: req.Reason, VMName: req.VMName,
	}) {
		return problem.Response{}, problem.New(problem.BadRequest,
			"unlocking has only the fields confirmation_token, reason and vm_name")
	}
	j, p := s.findJob(r)
	if p != nil {
		return problem.Response{}, p
	}
	x := &execution{
		server: s, id: j.ID, caller: principalOf(r), request: req, began: s.options.Now(), key: &idempotentRequest{},
		plan: operation.PlanUnlock(j.ID, j.VMID, j.VM),
	}
	if j.LockVM != "" { // the record does not have the name of the VM that is locked
		x.plan = operation.PlanUnlock(j.ID, j.LockVM, "")
	}
	p = cmp.Or(s.authorize(r, x.plan.Attributes()), s.locks.checkStuck(j.ID, s.options.Now()))
	if p == nil {
		p = s.confirmations.confirm(x.caller, x.plan, req, nil)
	}
	if p != nil {
		return problem.Response{}, x.auditRefusal(p)
	}
	x.confirmed = true
	return x.unlock()
}

// unlock releases the lock and ends the job of the call.
func (x *execution) unlock() (problem.Response, *problem.Problem) {
	s := x.server
	if err := s.audit.Write(x.auditRecord(audit.Unlock), true); err != nil {
		return problem.Response{}, s.auditUnavailable(err)
	}
	j := s.jobs.Update(x.id, func(r *job.Record) {
		r.Error = fmt.Sprintf("the VM was unlocked by %s before the host answered", x.caller)
		r.SetState(job.Unknown, s.options.Now())
	})
	if j.ID == "" {
		return problem.Response{}, x.auditRefusal(problem.New(problem.InvalidState, "the host has answered in the meantime"))
	}
	s.locks.unlock(x.id)
	return problem.JSON(http.StatusOK, j), nil
}
