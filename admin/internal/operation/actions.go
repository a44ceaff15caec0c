package operation

import (
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Actions returns the table of actions.
func Actions() []Action {
	return []Action{
		{
			Name: "suspend", Method: msvm.MethodRequestReplicationStateChangeEx, State: uint16(msvm.Suspended),
			Role: authz.RoleOperator, AllowedDuringJob: true,
		},
		{
			Name: "resume", Method: msvm.MethodRequestReplicationStateChangeEx, State: uint16(msvm.Replicating),
			Role: authz.RoleOperator, AllowedDuringJob: true, check: checkResume,
		},
		{
			Name: "resynchronize", Method: msvm.MethodResynchronize, Role: authz.RoleOperator,
			Parameters: []string{"StartTime"}, appliesTo: (*Relationship).Sends, check: checkNoOtherResynchronization,
		},
		{
			Name: "cancel-resynchronize", Method: msvm.MethodRequestReplicationStateChangeEx,
			State: uint16(msvm.WaitingToStartResynchronization), Role: authz.RoleOperator, AllowedDuringJob: true,
		},
		{
			Name: "start-initial-replication", Method: msvm.MethodStartReplication, Role: authz.RoleOperator,
			Parameters: []string{"InitialReplicationType", "StartTime"}, appliesTo: (*Relationship).Sends,
		},
		{
			Name: "cancel-initial-replication", Method: msvm.MethodRequestReplicationStateChangeEx,
			State: uint16(msvm.ReadyForReplication), Role: authz.RoleOperator, AllowedDuringJob: true,
			check: checkNoExtendedDiskUpdate,
		},
		{
			Name: "import-initial-replica", Method: msvm.MethodImportInitialReplica, Role: authz.RoleOwner,
			Parameters: []string{"InitialReplicationImportLocation"}, appliesTo: (*Relationship).isPrimary,
		},
		{Name: "reset-statistics", Method: msvm.MethodResetReplicationStatisticsEx, Role: authz.RoleOperator},
		{
			Name: "prepare-failover", Method: msvm.MethodRequestReplicationStateChangeEx,
			State: uint16(msvm.SyncedReplicationComplete), Role: authz.RoleFailover,
		},
		{
			Name: "make-replica", Method: msvm.MethodRequestReplicationStateChangeEx,
			State: uint16(msvm.WaitingToCompleteInitialReplication), Role: authz.RoleFailover,
			appliesTo: (*Relationship).isPrimary,
		},
		{
			Name: "cancel-failover", Method: msvm.MethodRevertFailover, Role: authz.RoleFailover, AllowedDuringJob: true,
			check: checkRevertTarget,
		},
		{
			Name: "failover", Method: msvm.MethodInitiateFailover, Role: authz.RoleFailover,
			Parameters: []string{"SnapshotSettingData"}, appliesTo: (*Relationship).isPrimary, check: checkReplicatedOnce,
		},
		{
			Name: "test-failover", Method: msvm.MethodTestReplicaSystem, Role: authz.RoleOperator,
			Parameters: []string{"SnapshotSettingData"}, appliesTo: (*Relationship).isPrimary, check: checkNoTestVM,
		},
		{
			Name: "cleanup-test-failover", Method: msvm.MethodDestroySystem, Role: authz.RoleOperator,
			appliesTo: (*Relationship).isPrimary,
		},
		{
			Name: "commit-failover", Method: msvm.MethodCommitFailover, Role: authz.RoleFailover,
			appliesTo: (*Relationship).isPrimary,
		},
		{
			Name: "reverse", Method: msvm.MethodReverseReplicationRelationship, Role: authz.RoleFailover,
			appliesTo: (*Relationship).isPrimary, check: checkNotExtended,
		},
		{
			Name: "continue-extended", Method: msvm.MethodChangeReplicationModeToPrimary, Role: authz.RoleFailover,
			appliesTo: (*Relationship).isPrimary, check: checkExtended,
		},
		{
			Name: "shut-down-vm", Method: msvm.MethodInitiateShutdown, Role: authz.RoleFailover,
			Parameters: []string{"Force"}, AllowedDuringJob: true, appliesTo: (*Relationship).hasPower, check: checkShutdown,
		},
		{
			Name: "turn-off-vm", Class: msvm.ClassComputerSystem, Method: msvm.MethodRequestStateChange,
			State: uint16(msvm.EnabledOff), Role: authz.RoleFailover, AllowedDuringJob: true,
			appliesTo: (*Relationship).hasPower,
		},
		{
			Name: "start-vm", Class: msvm.ClassComputerSystem, Method: msvm.MethodRequestStateChange,
			State: uint16(msvm.EnabledOn), Role: authz.RoleFailover, appliesTo: (*Relationship).hasPower, check: checkStart,
		},
		{
			Name: "remove", Method: msvm.MethodRemoveReplicationRelationshipEx, Role: authz.RoleOwner,
			check: checkExtendedRemovedFirst,
		},
		{
			Name: "test-connection", Method: msvm.MethodTestReplicationConnection, Role: authz.RoleOperator,
			appliesTo: (*Relationship).Sends,
		},
	}
}

// checkNoOtherResynchronization allows one resynchronization on the host at a time, because each reads all disks of
// its VM. The problem does not name the other VM, which the caller may have no right to see.
func checkNoOtherResynchronization(s *Snapshot, r *Relationship) *problem.Problem {
	for _, other := range s.Relationships() {
		if other.Key != r.Key && other.Sends() && other.State() == msvm.Resynchronizing {
			return problem.New(problem.ResynchronizationRunning,
				"another resynchronization is running; only one can run at a time").WithHeader("Retry-After", "60")
		}
	}
	return nil
}

// checkResume rejects a resume on the sending side during a resynchronization: only the receiving side ends one that
// way. A resume can also continue a resynchronization, of which only one can run.
func checkResume(s *Snapshot, r *Relationship) *problem.Problem {
	switch {
	case r.Sends() && r.State() == msvm.Resynchronizing:
		return problem.New(problem.InvalidState, "a resynchronization is running: wait, suspend, or cancel-resynchronize")
	case r.resumeResynchronizes():
		return checkNoOtherResynchronization(s, r)
	}
	return checkNoExtendedDiskUpdate(s, r)
}

// checkNoExtendedDiskUpdate rejects an action on an extended relationship during a disk update: the host does not undo
// a disk update there. On the third host the primary relationship is the receiving end of the extended one.
func checkNoExtendedDiskUpdate(_ *Snapshot, r *Relationship) *problem.Problem {
	mode, _ := r.VM.Mode()
	if r.State().IsDiskUpdate() && (r.Key.Link == msvm.Extended || mode == msvm.ModeExtendedReplica) {
		return problem.New(problem.InvalidState,
			"the state is %s; not possible for an extended relationship", r.State())
	}
	return nil
}

// checkReplicatedOnce rejects a failover before the first replication.
func checkReplicatedOnce(_ *Snapshot, r *Relationship) *problem.Problem {
	if _, ok := msvm.Known(r.Row.LastReplicationTime); !ok {
		return problem.New(problem.InvalidState, "no replication has completed yet")
	}
	return nil
}

func checkNoTestVM(s *Snapshot, r *Relationship) *problem.Problem {
	if tests := s.TestVMs(r.Key.VM); len(tests) > 0 {
		return problem.New(problem.InvalidState, "the VM already has a test VM: %s", s.nameAndGUID(tests[0]))
	}
	return checkReplicatedOnce(s, r)
}

// checkRevertTarget makes sure that the host reverts the relationship that the request names. RevertFailover has no
// parameter for it: the host chooses by itself.
func checkRevertTarget(s *Snapshot, r *Relationship) *problem.Problem {
	if r.Sends() != r.prepared() {
		return problem.New(problem.InvalidState,
			"the sending side can only cancel a prepared failover, the receiving side only a failover")
	}
	mode, _ := r.VM.Mode()
	if mode == msvm.ModeReplica && s.link(r.Key.VM, msvm.Primary).failedOver() &&
		s.link(r.Key.VM, msvm.Extended).prepared() {
		return problem.New(problem.InvalidState,
			"the VM has failed over and its extended relationship is prepared, so the host could cancel either")
	}
	return nil
}

// checkShutdown rejects a shutdown of a VM that does not run. Why its guest operating system cannot be shut down is
// known when the call is planned.
func checkShutdown(_ *Snapshot, r *Relationship) *problem.Problem {
	if power := r.VM.Power(); power != msvm.PowerOn {
		return problem.New(problem.InvalidState, "the power state of the VM is %s; requires on", power)
	}
	return nil
}

// checkStart rejects a start that replication does not allow.
func checkStart(s *Snapshot, r *Relationship) *problem.Problem {
	extended := s.link(r.Key.VM, msvm.Extended)
	switch {
	case r.State() == msvm.StateUnknown: // a failover could be prepared
		return problem.New(problem.InvalidState, "the state of the relationship is unknown")
	case r.Sends() && r.prepared():
		return problem.New(problem.InvalidState, "a failover is prepared, during which the VM must stay off: "+
			"fail over on the replica server, or cancel-failover")
	case !r.Sends() && !r.IsFailedOver():
		return problem.New(problem.InvalidState, "a replica cannot start before a failover: "+
			"use failover, or test-failover to start a copy")
	case extended != nil && extended.State() == msvm.StateUnknown:
		return problem.New(problem.InvalidState, "the state of the extended relationship is unknown")
	case extended.prepared():
		return problem.New(problem.InvalidState, "a failover of the extended relationship is prepared, during which the VM "+
			"must stay off: fail over on the extended replica server, or use commit-failover, continue-extended and "+
			"cancel-failover, and start it as the primary VM")
	}
	return nil
}

func checkNotExtended(s *Snapshot, r *Relationship) *problem.Problem {
	if e := s.link(r.Key.VM, msvm.Extended); e != nil && e.Row.Replicates() {
		return problem.New(problem.InvalidState, "the replica has an extended relationship: "+
			"continue-extended makes it the primary of that, or remove the extended relationship first")
	}
	return nil
}

func checkExtended(s *Snapshot, r *Relationship) *problem.Problem {
	if checkNotExtended(s, r) == nil {
		return problem.New(problem.InvalidState, "the replica has no extended relationship")
	}
	return nil
}

// checkExtendedRemovedFirst rejects the removal of a primary relationship while the VM has an extended one.
func checkExtendedRemovedFirst(s *Snapshot, r *Relationship) *problem.Problem {
	if r.Key.Link == msvm.Extended || checkNotExtended(s, r) == nil {
		return nil
	}
	return problem.New(problem.InvalidState, "remove the extended relationship first")
}
