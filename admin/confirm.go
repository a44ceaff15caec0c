package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// confirmations issue and redeem the tokens that confirm a destructive action. The tokens are kept in memory as hashes.
// A restart makes all of them invalid.
type confirmations struct {
	now    func() time.Time
	change func(vm string) uint64 // number of the last change of a VM

	mu     sync.Mutex
	issued map[[sha256.Size]byte]confirmation // by the hash of the token
}

// confirmation is what a token confirms.
type confirmation struct {
	binding [sha256.Size]byte // confirmationHash of the action
	caller  string
	expires time.Time
	bulk    *bulkConfirmation // nil for a single VM
}

// Maximum numbers of tokens.
const (
	maxTokens        = 5000
	maxTokensPerUser = 500 // enough to fail over hundreds of VMs
	// maxBulkTokensPerUser is less, because a token of a bulk request has its VMs.
	maxBulkTokensPerUser = 20
)

// tokenLifetime is the lifetime of a token.
const tokenLifetime = 3 * time.Minute

func newConfirmations(now func() time.Time, change func(vm string) uint64) *confirmations {
	return &confirmations{now: now, change: change, issued: map[[sha256.Size]byte]confirmation{}}
}

// confirmationHash identifies what a token confirms: the caller, the call with its parameters, the current state of the
// target, and the last change of the VM.
func confirmationHash(
	c authz.Principal, p *operation.Plan, t *operation.TargetState, change uint64,
) [sha256.Size]byte {
	parts := []any{change, c.Identity(), p.Action, p.Method.Class, p.Method.Name, p.VM, string(p.Object), p.Parameters}
	if p.Target != nil {
		parts = append(parts, p.Target.Key.InstanceID(), t.State, t.Mode)
	}
	return hashOf(parts)
}

// hashOf returns a hash of values, which are written as JSON.
func hashOf(values []any) [sha256.Size]byte {
	text, err := json.Marshal(values)
	if err != nil { // a hash that no token matches
		return sha256.Sum256([]byte(rand.Text()))
	}
	return sha256.Sum256(text)
}

// confirm returns nil if a request confirms a destructive plan. Without a token it returns the problem that contains a
// new token and what the plan destroys.
func (c *confirmations) confirm(
	caller authz.Principal, plan *operation.Plan, req *operation.Request, target *operation.TargetState,
) *problem.Problem {
	if plan.ConfirmName == "" {
		return problem.New(problem.InvalidState, "the name of %s is unknown, so nothing can be confirmed", plan.Subject())
	}
	if req.ConfirmationToken == "" {
		return c.challenge(caller, plan, target)
	}
	if req.Reason == "" {
		return problem.New(problem.ConfirmationInvalid, "reason is missing")
	}
	if !plan.ConfirmedBy(req.VMName) {
		return problem.New(problem.ConfirmationInvalid, "vm_name is not %s", plan.ConfirmTerm())
	}
	if plan.NeedsOldPrimaryOff() && !req.OldPrimaryIsOff {
		return problem.New(problem.ConfirmationInvalid, "old_primary_is_off is missing: set it to true when you have made "+
			"sure that the VM does not run on %s", plan.OldPrimary())
	}
	if target != nil && plan.LosesUnsent() {
		if p := req.CheckDataLoss(target); p != nil {
			return p
		}
	}
	if _, ok := c.redeem(req.ConfirmationToken, confirmationHash(caller, plan, target, c.change(plan.VM))); !ok {
		return problem.New(problem.ConfirmationInvalid, "confirmation_token is unknown, used or expired, or was issued "+
			"for another action or another caller, or the VM has changed; request a new one")
	}
	return nil
}

// confirm checks the confirmation of a destructive plan: a token, or that of the bulk request.
func (x *execution) confirm() *problem.Problem {
	if x.bulk != nil {
		return x.server.confirmations.confirmVM(x.caller, x.plan, x.request, x.target, x.bulk.confirmed)
	}
	return x.server.confirmations.confirm(x.caller, x.plan, x.request, x.target)
}

// challenge returns the problem that asks for a confirmation and contains a new token.
func (c *confirmations) challenge(
	caller authz.Principal, plan *operation.Plan, target *operation.TargetState,
) *problem.Problem {
	token, expires, ok := c.issue(caller.Identity(), confirmationHash(caller, plan, target, c.change(plan.VM)), nil)
	if !ok {
		return rateLimited(tokenLifetime, "too many confirmation tokens are outstanding")
	}
	loss := ""
	if target != nil && plan.LosesUnsent() {
		loss = ", and max_data_loss_seconds (at least lag_seconds of estimated_loss)"
		if target.LagSeconds == nil {
			loss = ", max_data_loss_seconds, and accept_unknown_loss because the lag is unknown"
		}
	}
	if plan.NeedsOldPrimaryOff() {
		loss = ", and old_primary_is_off, which is true when the VM does not run on " + plan.OldPrimary()
	}
	p := problem.New(problem.ConfirmationRequired,
		"this destroys %s; to confirm, repeat the request with confirmation_token, reason, vm_name (%s)%s",
		plan.Destroys, plan.ConfirmTerm(), loss)
	p.With("confirmation_token", token).With("expires", expires.UTC()).With("plan", plan.Show())
	if target != nil {
		p.With("current", target)
		if plan.LosesUnsent() {
			p.With("estimated_loss", target.DataLoss)
		}
	}
	return p
}

// confirmVM returns nil if a bulk request, which has redeemed its token, confirms the plan for one of its VMs. The
// confirmed hash is that of the VM when the token was issued.
func (c *confirmations) confirmVM(
	caller authz.Principal, plan *operation.Plan, req *operation.Request, target *operation.TargetState,
	confirmed [sha256.Size]byte,
) *problem.Problem {
	if target != nil && plan.LosesUnsent() {
		if p := req.CheckDataLoss(target); p != nil {
			return p
		}
	}
	if confirmationHash(caller, plan, target, c.change(plan.VM)) != confirmed {
		return problem.New(problem.ConfirmationInvalid, "the VM has changed since the confirmation was requested")
	}
	return nil
}

// issue returns a new token. bulk is what it confirms in addition, nil for a single VM. issue returns false if too many
// tokens are outstanding.
func (c *confirmations) issue(
	caller string, binding [sha256.Size]byte, bulk *bulkConfirmation,
) (token string, expires time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, own, ownBulk := c.now(), 0, 0
	for key, x := range c.issued {
		switch {
		case !now.Before(x.expires):
			delete(c.issued, key)
		case x.caller == caller && x.bulk != nil:
			ownBulk++
		case x.caller == caller:
			own++
		}
	}
	if len(c.issued) >= maxTokens || own >= maxTokensPerUser || bulk != nil && ownBulk >= maxBulkTokensPerUser {
		return "", time.Time{}, false
	}
	random := make([]byte, 32)
	rand.Read(random)
	token = base64.RawURLEncoding.EncodeToString(random)
	expires = now.Add(tokenLifetime)
	c.issued[sha256.Sum256([]byte(token))] = confirmation{binding, caller, expires, bulk}
	return token, expires, true
}

// redeem reports whether a token was issued for this binding, and returns what it was issued with. In any case the
// token is invalid afterwards.
func (c *confirmations) redeem(token string, binding [sha256.Size]byte) (bulk *bulkConfirmation, ok bool) {
	key := sha256.Sum256([]byte(token)) // the time to compare hashes reveals nothing about the token
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.issued[key]
	delete(c.issued, key)
	return x.bulk, ok && c.now().Before(x.expires) && subtle.ConstantTimeCompare(x.binding[:], binding[:]) == 1
}
