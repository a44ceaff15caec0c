package admin

import (
	"context"
	"net/http"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// callGetMethod calls a method that only reads. It needs no audit record.
func callGetMethod(ctx context.Context, x *execution) (problem.Response, *problem.Problem) {
	m := x.plan.Method
	reply, err := x.server.options.Reader.Get(ctx, x.plan.Call())
	if err != nil {
		return problem.Response{}, problem.FromHost(m.Name, err)
	}
	if reply.Err() != nil {
		return problem.Response{}, x.plan.Explain(problem.FromCode(m.Name, reply.Code), reply.Code, x.target)
	}
	return problem.JSON(http.StatusOK, methodResult{reply.Code, operation.Result(m, reply.Out)}), nil
}

// methodResult is the result of a method that only reads.
type methodResult struct {
	Code uint32         `json:"return_code"`
	Out  map[string]any `json:"out"`
}

// dryRun returns what the request would do.
func dryRun(ctx context.Context, x *execution, snapshot *operation.Snapshot) (problem.Response, *problem.Problem) {
	p := x.checkPreconditions(snapshot)
	if p == nil && !x.plan.AllowedDuringJob() {
		p = x.server.locks.check(x.lock())
	}
	if p != nil {
		return problem.Response{}, x.auditRefusal(p)
	}
	x.plan.ReadPendingBytes(ctx, x.server.options.Reader, snapshot, x.target)
	if err := x.server.audit.Write(x.auditRecord(audit.DryRun), false); err != nil {
		return problem.Response{}, x.server.auditUnavailable(err)
	}
	result := dryRunResult{DryRun: true, Plan: x.plan.Show(), Confirm: x.plan.Destroys != ""}
	if x.target != nil {
		result.Current = x.target
		if x.plan.LosesUnsent() {
			result.Loss = &x.target.DataLoss
		}
	}
	return problem.JSON(http.StatusOK, result), nil
}

// dryRunResult is the result of a dry run.
type dryRunResult struct {
	DryRun  bool                   `json:"dry_run"`
	Plan    operation.PlannedCall  `json:"plan"`
	Confirm bool                   `json:"requires_confirmation"`
	Current *operation.TargetState `json:"current,omitempty"`
	Loss    *operation.DataLoss    `json:"estimated_loss,omitempty"`
}
