package msvm

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ConcreteJob is Msvm_ConcreteJob: an operation that is running or has ended. Hyper-V removes a job after
// TimeBeforeRemoval, five minutes, from its end.
type ConcreteJob struct {
	InstanceID              string // a GUID
	JobType                 *JobType
	JobState                *JobState
	PercentComplete         *uint16 // 0 to 100
	ErrorCode               *uint16 // 0, or a return code of methods
	ErrorDescription        *string // localized
	ErrorSummaryDescription *string // localized
	Cancellable             *bool
	TimeSubmitted           *time.Time
	StartTime               *time.Time
	ScheduledStartTime      *time.Time
	ElapsedTime             *time.Duration
	TimeBeforeRemoval       *time.Duration
}

// WMIClass returns Msvm_ConcreteJob.
func (ConcreteJob) WMIClass() wmiquery.Class { return class(ClassConcreteJob) }

// Ref returns the object path of the job.
func (j ConcreteJob) Ref() wmiquery.Ref { return JobRef(j.InstanceID) }

// JobRef returns the object path of the job with an InstanceID.
func JobRef(id string) wmiquery.Ref { return ref(ClassConcreteJob, "InstanceID", id) }

// JobID returns the InstanceID in the path of a job, in upper case, because Windows uses both cases.
func JobID(path wmiquery.Ref) string {
	return between(strings.ToUpper(string(path)), `INSTANCEID="`, `"`)
}

// AffectedJobElement is Msvm_AffectedJobElement: the association of a job with an object that it affects, such as a VM.
type AffectedJobElement struct {
	AffectedElement  wmiquery.Ref
	AffectingElement wmiquery.Ref // the job
}

// WMIClass returns Msvm_AffectedJobElement.
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
	// JobCompletedWithWarnings is a success, but a method that returns the same number has failed.
	JobCompletedWithWarnings JobState = 32768
)

// Done reports whether the job has ended, with or without success.
func (s JobState) Done() bool {
	switch s {
	case JobCompleted, JobTerminated, JobKilled, JobException, JobCompletedWithWarnings:
		return true
	}
	return false
}

// Succeeded reports whether the job has ended with success.
func (s JobState) Succeeded() bool { return s == JobCompleted || s == JobCompletedWithWarnings }

// JobType is Msvm_ConcreteJob.JobType. Jobs of replication have the numbers 90 to 125.
type JobType uint16

// The types of replication jobs.
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

// jobTypes has the documented names, starting with that of JobModifyServerSettings.
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

// IsReplication reports whether t is the type of a replication job.
func (t JobType) IsReplication() bool {
	return t >= JobModifyServerSettings && t <= JobUpdateDiskSet
}

// String returns the documented name in snake_case, "unknown" for other jobs.
func (t JobType) String() string {
	if !t.IsReplication() {
		return "unknown"
	}
	return jobTypes.name(uint16(t - JobModifyServerSettings))
}

// JobTypes returns the names of the types of replication jobs.
func JobTypes() []string { return jobTypes }
