package msvm

import (
	"slices"
	"testing"
)

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-concretejob.md, property JobState, and
// common-utilities-for-the-virtualization-samples-v2.md for 32768. 11 (service) and 12 (query pending) have no
// constant.
func TestJobStatesAreAsDocumented(t *testing.T) {
	checkNumbers(t, "JobState", []row[JobState]{
		{"JobNew", JobNew, 2, ""},
		{"JobStarting", JobStarting, 3, ""},
		{"JobRunning", JobRunning, 4, ""},
		{"JobSuspended", JobSuspended, 5, ""},
		{"JobShuttingDown", JobShuttingDown, 6, ""},
		{"JobCompleted", JobCompleted, 7, ""},
		{"JobTerminated", JobTerminated, 8, ""},
		{"JobKilled", JobKilled, 9, ""},
		{"JobException", JobException, 10, ""},
		{"JobCompletedWithWarnings", JobCompletedWithWarnings, 32768, ""},
	})
}

// Source: Microsoft's samples for Hyper-V (WmiUtilities), which wait for a job and check its result.
func TestEndedJobsAreAsDocumented(t *testing.T) {
	done, succeeded := []int{7, 8, 9, 10, 32768}, []int{7, 32768}
	for n := range 1 << 16 {
		s := JobState(n)
		if got, want := s.Done(), slices.Contains(done, n); got != want {
			t.Errorf("JobState %d: Done is %v, want %v", n, got, want)
		}
		if got, want := s.Succeeded(), slices.Contains(succeeded, n); got != want {
			t.Errorf("JobState %d: Succeeded is %v, want %v", n, got, want)
		}
	}
}

// Source: the schema of Msvm_ConcreteJob and MicrosoftDocs/win32, HyperV_v2, msvm-concretejob.md, property JobType.
func TestJobTypesAreAsDocumented(t *testing.T) {
	rows := []row[JobType]{
		{"JobModifyServerSettings", JobModifyServerSettings, 90, "modify_server_settings"},
		{"JobCreateRelationship", JobCreateRelationship, 91, "create_relationship"},
		{"JobModifyRelationship", JobModifyRelationship, 92, "modify_relationship"},
		{"JobRemoveRelationship", JobRemoveRelationship, 93, "remove_relationship"},
		{"JobStartInitialReplication", JobStartInitialReplication, 94, "start_initial_replication"},
		{"JobImportReplication", JobImportReplication, 95, "import_replication"},
		{"JobStateChange", JobStateChange, 96, "state_change"},
		{"JobInitiateFailover", JobInitiateFailover, 97, "initiate_failover"},
		{"JobRevertFailover", JobRevertFailover, 98, "revert_failover"},
		{"JobCommitFailover", JobCommitFailover, 99, "commit_failover"},
		{"JobInitiateSyncedReplication", JobInitiateSyncedReplication, 100, "initiate_synced_replication"},
		{"JobCancelSyncedReplication", JobCancelSyncedReplication, 101, "cancel_synced_replication"},
		{"JobInitiateTestReplica", JobInitiateTestReplica, 102, "initiate_test_replica"},
		{"JobRemoveTestReplica", JobRemoveTestReplica, 103, "remove_test_replica"},
		{"JobReverseReplication", JobReverseReplication, 104, "reverse_replication"},
		{"JobSendDelta", JobSendDelta, 105, "send_delta"},
		{"JobReceiveDelta", JobReceiveDelta, 106, "receive_delta"},
		{"JobResynchronize", JobResynchronize, 107, "resynchronize"},
		{"JobApplyChangeLog", JobApplyChangeLog, 108, "apply_change_log"},
		{"JobStopInitialReplication", JobStopInitialReplication, 109, "stop_initial_replication"},
		{"JobStopResynchronizing", JobStopResynchronizing, 110, "stop_resynchronizing"},
		{"JobGetStatistics", JobGetStatistics, 111, "get_statistics"},
		{"JobPrepareConsistencyChecker", JobPrepareConsistencyChecker, 112, "prepare_consistency_checker"},
		{"JobConsistencyChecker", JobConsistencyChecker, 113, "consistency_checker"},
		{"JobStopConsistencyChecker", JobStopConsistencyChecker, 114, "stop_consistency_checker"},
		{"JobTestConnection", JobTestConnection, 115, "test_connection"},
		{"JobSendInitialReplica", JobSendInitialReplica, 116, "send_initial_replica"},
		{
			"JobStartResynchronizingInitialReplication", JobStartResynchronizingInitialReplication,
			117, "start_resynchronizing_initial_replication",
		},
		{"JobStartExportInitialReplication", JobStartExportInitialReplication, 118, "start_export_initial_replication"},
		{"JobResetStatistics", JobResetStatistics, 119, "reset_statistics"},
		{"JobApplyRegisteredDeltas", JobApplyRegisteredDeltas, 120, "apply_registered_deltas"},
		{"JobResynchronizeExtended", JobResynchronizeExtended, 121, "resynchronize_extended"},
		{"JobReadTestReplicaConfiguration", JobReadTestReplicaConfiguration, 122, "read_test_replica_configuration"},
		{"JobChangeModeToPrimary", JobChangeModeToPrimary, 123, "change_mode_to_primary"},
		{"JobInitiateFailback", JobInitiateFailback, 124, "initiate_failback"},
		{"JobUpdateDiskSet", JobUpdateDiskSet, 125, "update_disk_set"},
	}
	checkNumbers(t, "JobType", rows)
	checkTexts(t, rows, JobType.String)
	checkList(t, JobTypes(), rows, 90)
	for n := range 1 << 16 {
		if got, want := JobType(n).IsReplication(), 90 <= n && n <= 125; got != want {
			t.Errorf("JobType %d: IsReplication is %v, want %v", n, got, want)
		}
	}
}
