package web

import (
	"slices"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// severity is how much a VM needs attention.
type severity int

const (
	severityNone     severity = iota // does not replicate
	severityOK                       //
	severityUnknown                  // the values do not say
	severityWarning                  //
	severityCritical                 //
)

func (s severity) String() string {
	return [...]string{"none", "ok", "unknown", "warning", "critical"}[s]
}

// verdict is what a VM needs. The zero value is that of a VM that does not replicate.
type verdict struct {
	Severity severity
	Reason   string // "" if nothing is wrong
	Step     string // what to do
	Runbook  string // section of docs/runbooks.md, "" if there is none
	Action   string // of the admin endpoint, "" if there is none
	Cmdlet   string // of the Hyper-V module for PowerShell, with its parameters except the VM; "" if there is none
	blocks   bool   // whether a failover to this host would fail or lose an unknown amount of changes
	order    int    // of the conditions
}

// finding is a condition of a relationship with its verdict.
type finding struct {
	applies func(v *vm, r *relationship) bool
	verdict
}

func stateIn(states ...msvm.ReplicationState) func(*vm, *relationship) bool {
	return func(_ *vm, r *relationship) bool {
		return slices.ContainsFunc(states, func(s msvm.ReplicationState) bool { return r.State == s.String() })
	}
}

func healthIs(h msvm.ReplicationHealth) func(*vm, *relationship) bool {
	return func(_ *vm, r *relationship) bool { return r.Health == h.String() }
}

// findings are the conditions that are looked for. The first that applies to a relationship is its verdict.
var findings = []finding{
	{stateIn(msvm.WaitingToStartResynchronization), verdict{
		Severity: severityCritical, Reason: "Resynchronization required",
		Step:    "Resynchronize. Until then, nothing is replicated.",
		Runbook: "HyperVReplicaResynchronizationRequired", Action: "resynchronize",
		Cmdlet: "Resume-VMReplication -Resynchronize",
	}},
	{stateIn(msvm.Critical, msvm.DiskUpdateCritical), verdict{
		Severity: severityCritical, Reason: "Replication fails",
		Step:    "Find the cause in the health issues, correct it, and resume the replication.",
		Runbook: "HyperVReplicaHealthCritical", Action: "resume", Cmdlet: "Resume-VMReplication",
	}},
	{stateIn(
		msvm.FailoverInProgress, msvm.Recovered, msvm.Committed, msvm.FailbackInProgress, msvm.FailbackComplete,
	), verdict{
		Severity: severityWarning, Reason: "Failed over", Step: "Reverse the replication, or cancel the failover.",
		Runbook: "HyperVReplicaFailedOver", Action: "reverse", Cmdlet: "Set-VMReplication -Reverse", blocks: true,
	}},
	{healthIs(msvm.HealthCritical), verdict{
		Severity: severityCritical, Reason: "Health is critical", Step: "Find the cause in the health issues.",
		Runbook: "HyperVReplicaHealthCritical", Action: "test-connection",
	}},
	{stateIn(msvm.ReadyForReplication, msvm.WaitingToCompleteInitialReplication), verdict{
		Severity: severityWarning, Reason: "Initial replication not complete",
		Step:    "Start the initial replication, or wait for its end.",
		Runbook: "HyperVReplicaInitialReplicationStuck", Action: "start-initial-replication",
		Cmdlet: "Start-VMInitialReplication", blocks: true,
	}},
	{stateIn(msvm.Resynchronizing), verdict{
		Severity: severityWarning, Reason: "Resynchronizing",
		Step:    "Wait for the end. Until then, a failover uses a recovery point from before.",
		Runbook: "HyperVReplicaResynchronizing",
	}},
	{stateIn(msvm.Suspended, msvm.ResynchronizationSuspended), verdict{
		Severity: severityWarning, Reason: "Paused", Step: "Resume the replication when the reason for the pause is gone.",
		Runbook: "HyperVReplicaPaused", Action: "resume", Cmdlet: "Resume-VMReplication",
	}},
	{func(_ *vm, r *relationship) bool { return r.ObjectiveSet && r.Exceeds() }, verdict{
		Severity: severityCritical, Reason: "Objective missed", Step: "Find out why cycles are late or fail.",
		Runbook: "HyperVReplicaObjectiveMissed", Action: "test-connection",
	}},
	{func(_ *vm, r *relationship) bool { return r.Exceeds() }, verdict{
		Severity: severityWarning, Reason: "Lag above two intervals",
		Step:    "Find out why cycles are late or fail. Set an objective with --rpo.objective if the lag is acceptable.",
		Runbook: "HyperVReplicaObjectiveMissed", Action: "test-connection",
	}},
	{healthIs(msvm.HealthWarning), verdict{
		Severity: severityWarning, Reason: "Health is warning", Step: "Find the cause in the health issues.",
		Runbook: "HyperVReplicaHealthWarning",
	}},
	{func(_ *vm, r *relationship) bool { return r.Lag == nil }, verdict{
		Severity: severityUnknown, Reason: "Lag unknown", Step: "See on the page Exporter whether the host answers.",
		Runbook: "HyperVReplicaLagUnknown", blocks: true,
	}},
	{func(v *vm, r *relationship) bool {
		return r.IsReceiver() && v.Points != nil && *v.Points == 0 && r.ConfiguredPoints != nil && *r.ConfiguredPoints > 0
	}, verdict{
		Severity: severityWarning, Reason: "No recovery points", Step: "Check the storage of the replica.",
		Runbook: "HyperVReplicaRecoveryPointsMissing",
	}},
}

// verdictOf returns the verdict on the relationship of a VM that needs most attention.
func verdictOf(v *vm) verdict {
	worst := verdict{order: len(findings) + 1}
	for _, r := range v.Relationships {
		if x := r.Verdict; x.Severity > worst.Severity || x.Severity == worst.Severity && x.order < worst.order {
			worst = x
		}
	}
	return worst
}

// verdictOn returns the verdict on a relationship.
func verdictOn(v *vm, r *relationship) verdict {
	if r.State == msvm.Disabled.String() {
		return verdict{order: len(findings) + 1}
	}
	for i, f := range findings {
		if f.applies(v, r) {
			x := f.verdict
			x.order = i
			return x
		}
	}
	return verdict{Severity: severityOK, order: len(findings)}
}

// Exceeds reports whether the lag is known and exceeds the objective.
func (r *relationship) Exceeds() bool {
	return r.Lag != nil && r.Objective != nil && *r.Lag > *r.Objective
}

// IsReceiver reports whether this host has the copy.
func (r *relationship) IsReceiver() bool {
	return r.Mode == msvm.ModeReplica.String() && r.Name == string(msvm.Primary) ||
		r.Mode == msvm.ModeExtendedReplica.String()
}

// Receiver returns the relationship in which this host has the copy, nil if there is none.
func (v *vm) Receiver() *relationship {
	for _, r := range v.Relationships {
		if r.IsReceiver() && r.State != msvm.Disabled.String() {
			return r
		}
	}
	return nil
}
