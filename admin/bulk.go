package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// bulkRequest is the body of a request to fail over several VMs.
type bulkRequest struct {
	DryRun bool `json:"dry_run,omitempty"`
	// VMIDs are the GUIDs of the VMs in the order in which they fail over. PrimaryServer stands for all replicas of a
	// server. A request has one of the two.
	VMIDs         []string `json:"vm_ids,omitempty"`
	PrimaryServer string   `json:"primary_server,omitempty"`
	// MaxDataLossSeconds and AcceptUnknownLoss are for each VM. A VM that would lose more is left out. Only a dry run can
	// be without MaxDataLossSeconds.
	MaxDataLossSeconds *float64 `json:"max_data_loss_seconds,omitempty"`
	AcceptUnknownLoss  bool     `json:"accept_unknown_loss,omitempty"`
	// ConfirmationToken, Reason, HostName and VMCount confirm the request.
	ConfirmationToken string `json:"confirmation_token,omitempty"`
	Reason            string `json:"reason,omitempty"`
	HostName          string `json:"host_name,omitempty"` // of this host
	VMCount           *int   `json:"vm_count,omitempty"`  // VMs that fail over
}

// Names of a bulk failover in the audit log, and of the action that it runs.
const (
	bulkAction   = "bulk-failover"
	bulkVMAction = "failover"
)

// maxBulkVMs is the maximum number of VMs of a bulk failover.
//
// Source: learn.microsoft.com, "Plan for Hyper-V scalability in Windows Server": a host can run 1,024 VMs.
const maxBulkVMs = 1024

// check returns a problem if the request is incomplete or exceeds a limit. It changes the GUIDs to upper case.
func (b *bulkRequest) check() *problem.Problem {
	seen := map[string]bool{}
	for i, id := range b.VMIDs {
		id = strings.ToUpper(id)
		switch {
		case !msvm.IsGUID(id):
			return problem.New(problem.InvalidParameter, "vm_ids: %.80q is not a GUID", id)
		case seen[id]:
			return problem.New(problem.InvalidParameter, "vm_ids: duplicate %s", id)
		}
		seen[id], b.VMIDs[i] = true, id
	}
	switch {
	case (len(b.VMIDs) > 0) == (b.PrimaryServer != ""):
		return problem.New(problem.InvalidParameter, "either vm_ids or primary_server is required")
	case b.PrimaryServer != "" && operation.IsBlank(b.PrimaryServer):
		return problem.New(problem.InvalidParameter, "primary_server: is blank")
	case max(len(b.PrimaryServer), len(b.HostName)) > operation.MaxTextBytes:
		return problem.New(problem.BadRequest, "body: a text is longer than %d bytes", operation.MaxTextBytes)
	case len(b.VMIDs) > maxBulkVMs:
		return tooManyVMs(len(b.VMIDs))
	case !b.DryRun && b.MaxDataLossSeconds == nil:
		return problem.New(problem.InvalidParameter, "max_data_loss_seconds: is required unless dry_run is true")
	}
	return b.forVM().Validate()
}

func tooManyVMs(n int) *problem.Problem {
	return problem.New(problem.InvalidParameter,
		"%d VMs; a bulk failover can have up to %d; list a part of them in vm_ids", n, maxBulkVMs)
}

// forVM returns the request for the action on one of the VMs.
func (b *bulkRequest) forVM() *operation.Request {
	return &operation.Request{
		Reason: b.Reason, MaxDataLossSeconds: b.MaxDataLossSeconds, AcceptUnknownLoss: b.AcceptUnknownLoss,
		ConfirmationToken: b.ConfirmationToken,
	}
}

// startBulkFailover handles POST /api/v1/bulk-failovers.
func (s *Server) startBulkFailover(r *http.Request) (problem.Response, *problem.Problem) {
	req := &bulkRequest{}
	body, p := operation.ReadJSON(r, req)
	if p == nil {
		p = req.check()
	}
	if p != nil {
		return problem.Response{}, p
	}
	setMethodLabel(r, msvm.MethodInitiateFailover)
	c, key := principalOf(r), &idempotentRequest{}
	if !req.DryRun {
		var stored *problem.Response
		if key, stored, p = s.idempotency.begin(r, c, body); p != nil {
			return problem.Response{}, s.auditBulkRefusal(c, req, p)
		}
		if stored != nil {
			return *stored, nil
		}
		defer key.close()
	}
	var response problem.Response
	if req.DryRun || req.ConfirmationToken == "" {
		response, p = s.planBulkFailover(r.Context(), c, req)
	} else {
		response, p = s.runBulkFailover(r, req, key)
	}
	if p != nil {
		return problem.Response{}, s.auditBulkRefusal(c, req, p)
	}
	return response, nil
}

// planBulkFailover returns what the request would do, or the problem that asks for a confirmation.
func (s *Server) planBulkFailover(
	ctx context.Context, c authz.Principal, req *bulkRequest,
) (problem.Response, *problem.Problem) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	plan, p := s.readBulkPlan(ctx, c, req)
	if p != nil {
		return problem.Response{}, p
	}
	switch {
	case req.DryRun:
		if err := s.audit.Write(s.bulkAuditRecord(audit.DryRun, c, req, plan.VMs), false); err != nil {
			return problem.Response{}, s.auditUnavailable(err)
		}
	case plan.VMCount > 0:
		return problem.Response{}, s.confirmations.challengeBulk(c, req, plan)
	case plan.Counts[bulkRefused] > 0:
		return problem.Response{}, plan.refusal()
	}
	return problem.JSON(http.StatusOK, plan), nil
}

// runBulkFailover redeems the confirmation and starts the failovers. The state of each VM is checked when its turn
// comes.
func (s *Server) runBulkFailover(
	r *http.Request, req *bulkRequest, key *idempotentRequest,
) (problem.Response, *problem.Problem) {
	c := principalOf(r)
	confirmed, p := s.confirmations.confirmBulk(c, req)
	if p != nil {
		s.metrics.refused.Inc()
		return problem.Response{}, p
	}
	run := newBulkRun(c, req, confirmed.vms, s.options.Now())
	record := s.bulkAuditRecord(audit.Bulk, c, req, run.record.VMs)
	record.ID, record.BulkID, record.Accepted.Confirmed = run.record.ID, run.record.ID, true
	if err := s.audit.Write(record, true); err != nil {
		return problem.Response{}, s.auditUnavailable(err)
	}
	response := run.record.view(s, r).response(http.StatusAccepted)
	if err := s.bulk.start(run, key.answered(run.record.ID, response)); err != nil {
		level.Error(s.options.Logger).Log("msg", "request rejected, cannot store bulk failover", "err", err)
		return problem.Response{}, problem.New(problem.Internal, "the request was not executed: cannot store its record")
	}
	return response, nil
}

// bulkAuditRecord returns an audit record about a bulk failover and the VMs that it fails over.
func (s *Server) bulkAuditRecord(event audit.Event, c authz.Principal, req *bulkRequest, vms []bulkVM) audit.Record {
	ids := []string{}
	for _, vm := range vms {
		if vm.State == bulkReady || vm.State == bulkPending {
			ids = append(ids, vm.VMID)
		}
	}
	parameters := map[string]any{"vm_ids": ids, "vm_count": len(ids)}
	if req.PrimaryServer != "" {
		parameters["primary_server"] = req.PrimaryServer
	}
	return audit.Record{
		Time: s.options.Now().UTC(), Event: event, ID: newID(s.options.Now()), User: c.String(), Remote: c.Remote,
		Action: bulkAction, Reason: req.Reason, Parameters: parameters,
		Accepted: &audit.Accepted{MaxLossSeconds: req.MaxDataLossSeconds, UnknownLoss: req.AcceptUnknownLoss},
	}
}

// auditBulkRefusal writes a refusal to the audit log and returns p. It only logs an error, because nothing is executed.
func (s *Server) auditBulkRefusal(c authz.Principal, req *bulkRequest, p *problem.Problem) *problem.Problem {
	vms, _ := p.Member("vms").([]bulkVM)
	r := s.bulkAuditRecord(audit.Refused, c, req, vms)
	r.Status, r.Type, r.Error = p.Type.Status, p.Type.Slug, p.Detail
	if err := s.audit.WriteRefused(r); err != nil {
		level.Error(s.options.Logger).Log("msg", "cannot write audit record of a refusal", "action", r.Action, "err", err)
	}
	return p
}
