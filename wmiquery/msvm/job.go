package msvm

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ConcreteJob is Msvm_ConcreteJob: an operation that runs or has just ended. It
// disappears TimeBeforeRemoval, five minutes, after its end.
type ConcreteJob struct {
	InstanceID              string // a GUID
	JobType                 *JobType
	JobState                *JobState
	PercentComplete         *uint16 // 0 to 100
	ErrorCode               *uint16 // 0, or one of the methods' return codes
	ErrorDescription        *string // localized
	ErrorSummaryDescription *string // localized
	Cancellable             *bool
	TimeSubmitted           *time.Time
	StartTime               *time.Time
	ScheduledStartTime      *time.Time
	ElapsedTime             *time.Duration
	TimeBeforeRemoval       *time.Duration
}

// WMIClass is Msvm_ConcreteJob.
func (ConcreteJob) WMIClass() wmiquery.Class { return class(ClassConcreteJob) }

// Ref is the job's object path.
func (j ConcreteJob) Ref() wmiquery.Ref { return JobRef(j.InstanceID) }

// JobRef is the object path of the job with that InstanceID.
func JobRef(id string) wmiquery.Ref { return ref(ClassConcreteJob, "InstanceID", id) }

// JobID is the InstanceID in a job's path, in upper case as Windows may write it
// in either.
func JobID(path wmiquery.Ref) string {
	return strings.ToUpper(between(string(path), `InstanceID="`, `"`))
}

// AffectedJobElement is Msvm_AffectedJobElement: what a job is about, a VM among
// others.
type AffectedJobElement struct {
	AffectedElement  wmiquery.Ref
	AffectingElement wmiquery.Ref // the job
}

// WMIClass is Msvm_AffectedJobElement.
func (AffectedJobElement) WMIClass() wmiquery.Class { return class("Msvm_AffectedJobElement") }

// JobState is Msvm_ConcreteJob.JobState.
type JobState uint16

// The states of a job.
const (
	JobNew          JobState = 2
	JobStarting     JobState = 3
	JobRunning      JobState = 4
	JobSuspended    JobState = 5
	JobShuttingDown JobState = 6
	JobCompleted    JobState = 7
	JobTerminated   JobState = 8 // cancelled
	JobKilled       JobState = 9
	JobException    JobState = 10 // failed: see ErrorCode and GetErrorEx
	// JobCompletedWithWarnings is a success. The return code of a method with the
	// same number is a failure.
	JobCompletedWithWarnings JobState = 32768
)

// Done tells whether the job has ended, one way or another.
func (s JobState) Done() bool {
	switch s {
	case JobCompleted, JobTerminated, JobKilled, JobException, JobCompletedWithWarnings:
		return true
	}
	return false
}

// Succeeded tells whether the job has ended as it should.
func (s JobState) Succeeded() bool { return s == JobCompleted || s == JobCompletedWithWarnings }

// JobType is Msvm_ConcreteJob.JobType. Replication has the numbers 90 to 125.
type JobType uint16

// The jobs of replication.
const (
	JobModifyServerSettings JobType = 90 + iota
	JobCreateRelationship
	JobModifyRelationship
	JobRemoveRelationship
	JobStartInitialReplication
	JobImportReplication
	JobStateChange
	JobInitiateFailover
	JobRevertFailover
	JobCommitFailover
	JobInitiateSyncedReplication
	JobCancelSyncedReplication
	JobInitiateTestReplica
	JobRemoveTestReplica
	JobReverseReplication
	JobSendDelta
	JobReceiveDelta
	JobResynchronize
	JobApplyChangeLog
	JobStopInitialReplication
	JobStopResynchronizing
	JobGetStatistics
	JobPrepareConsistencyChecker
	JobConsistencyChecker
	JobStopConsistencyChecker
	JobTestConnection
	JobSendInitialReplica
	JobStartResynchronizingInitialReplication
	JobStartExportInitialReplication
	JobResetStatistics
	JobApplyRegisteredDeltas
	JobResynchronizeExtended
	JobReadTestReplicaConfiguration
	JobChangeModeToPrimary
	JobInitiateFailback
	JobUpdateDiskSet
)

// jobTypes are the documented names, from JobModifyServerSettings on.
var jobTypes = enum{
	"modify_server_settings",
	"create_relationship",
	"modify_relationship",
	"remove_relationship",
	"start_initial_replication",
	"import_replication",
	"state_change",
	"initiate_failover",
	"revert_failover",
	"commit_failover",
	"initiate_synced_replication",
	"cancel_synced_replication",
	"initiate_test_replica",
	"remove_test_replica",
	"reverse_replication",
	"send_delta",
	"receive_delta",
	"resynchronize",
	"apply_change_log",
	"stop_initial_replication",
	"stop_resynchronizing",
	"get_statistics",
	"prepare_consistency_checker",
	"consistency_checker",
	"stop_consistency_checker",
	"test_connection",
	"send_initial_replica",
	"start_resynchronizing_initial_replication",
	"start_export_initial_replication",
	"reset_statistics",
	"apply_registered_deltas",
	"resynchronize_extended",
	"read_test_replica_configuration",
	"change_mode_to_primary",
	"initiate_failback",
	"update_disk_set",
}

// IsReplication tells whether it is a job of replication.
func (t JobType) IsReplication() bool {
	return t >= JobModifyServerSettings && t <= JobUpdateDiskSet
}

// String is the documented name in snake_case, "unknown" for other jobs.
func (t JobType) String() string {
	if !t.IsReplication() {
		return "unknown"
	}
	return jobTypes.name(uint16(t - JobModifyServerSettings))
}

// JobTypes has the names of the jobs of replication.
func JobTypes() []string { return jobTypes }
