package admin

import (
	"crypto/sha256"
	"strings"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// bulkConfirmation is what the token of a bulk failover confirms: exactly these VMs in the states that were shown.
type bulkConfirmation struct {
	host  string // name of this host
	count int    // VMs that fail over
	vms   []bulkVM
}

// binding identifies what a token of the request confirms, besides the VMs that are kept with it.
func (b *bulkRequest) binding(c authz.Principal) [sha256.Size]byte {
	return hashOf([]any{
		c.Identity(), bulkAction, b.VMIDs, strings.ToLower(b.PrimaryServer), *b.MaxDataLossSeconds, b.AcceptUnknownLoss,
	})
}

// challengeBulk returns the problem that asks for the confirmation of a bulk failover and contains a new token.
func (c *confirmations) challengeBulk(caller authz.Principal, req *bulkRequest, plan *bulkPlan) *problem.Problem {
	if operation.IsBlank(plan.host) {
		return problem.New(problem.InvalidState, "the name of this host is unknown, so nothing can be confirmed")
	}
	token, expires, ok := c.issue(caller.Identity(), req.binding(caller),
		&bulkConfirmation{plan.host, plan.VMCount, plan.VMs})
	if !ok {
		return rateLimited(tokenLifetime, "too many confirmation tokens are outstanding")
	}
	action, _ := operation.FindAction(bulkVMAction)
	return problem.New(problem.ConfirmationRequired, "%d VMs fail over; this destroys %s; to confirm, repeat the request "+
		"with confirmation_token, reason, host_name (the name of this host) and vm_count", plan.VMCount,
		action.Destroys(nil)).
		With("confirmation_token", token).With("expires", expires.UTC()).With("vm_count", plan.VMCount).
		With("counts", plan.Counts).With("vms", plan.VMs)
}

// confirmBulk redeems the token of a bulk failover.
func (c *confirmations) confirmBulk(caller authz.Principal, req *bulkRequest) (*bulkConfirmation, *problem.Problem) {
	if req.Reason == "" {
		return nil, problem.New(problem.ConfirmationInvalid, "reason is missing")
	}
	confirmed, ok := c.redeem(req.ConfirmationToken, req.binding(caller))
	switch {
	case !ok || confirmed == nil:
		return nil, problem.New(problem.ConfirmationInvalid, "confirmation_token is unknown, used or expired, or was issued "+
			"for other VMs, another data loss or another caller; request a new one")
	case req.HostName != confirmed.host:
		return nil, problem.New(problem.ConfirmationInvalid, "host_name is not the name of this host; request a new token")
	case req.VMCount == nil || *req.VMCount != confirmed.count:
		return nil, problem.New(problem.ConfirmationInvalid,
			"vm_count is not the number of VMs that fail over, %d; none has failed over. Request a new token", confirmed.count)
	}
	return confirmed, nil
}
