package msvm

import "testing"

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationrelationship.md, property ReplicationState. 15 to 21 exist
// since Windows 10 1703. These are the numbers of WMI: PowerShell has one more from 3 to 16.
func TestReplicationStatesAreAsDocumented(t *testing.T) {
	rows := []row[ReplicationState]{
		{"Disabled", Disabled, 0, "disabled"},
		{"ReadyForReplication", ReadyForReplication, 1, "ready_for_replication"},
		{
			"WaitingToCompleteInitialReplication", WaitingToCompleteInitialReplication,
			2, "waiting_to_complete_initial_replication",
		},
		{"Replicating", Replicating, 3, "replicating"},
		{"SyncedReplicationComplete", SyncedReplicationComplete, 4, "synced_replication_complete"},
		{"Recovered", Recovered, 5, "recovered"},
		{"Committed", Committed, 6, "committed"},
		{"Suspended", Suspended, 7, "suspended"},
		{"Critical", Critical, 8, "critical"},
		{"WaitingToStartResynchronization", WaitingToStartResynchronization, 9, "waiting_to_start_resynchronization"},
		{"Resynchronizing", Resynchronizing, 10, "resynchronizing"},
		{"ResynchronizationSuspended", ResynchronizationSuspended, 11, "resynchronization_suspended"},
		{"FailoverInProgress", FailoverInProgress, 12, "failover_in_progress"},
		{"FailbackInProgress", FailbackInProgress, 13, "failback_in_progress"},
		{"FailbackComplete", FailbackComplete, 14, "failback_complete"},
		{"DiskUpdateInProgress", DiskUpdateInProgress, 15, "disk_update_in_progress"},
		{"DiskUpdateCritical", DiskUpdateCritical, 16, "disk_update_critical"},
		{"StateUnknown", StateUnknown, 17, "unknown"},
		{"RepurposeReplicationInProgress", RepurposeReplicationInProgress, 18, "repurpose_replication_in_progress"},
		{"PreparedForSyncReplication", PreparedForSyncReplication, 19, "prepared_for_sync_replication"},
		{
			"PreparedForGroupReverseReplication", PreparedForGroupReverseReplication,
			20, "prepared_for_group_reverse_replication",
		},
		{"FiredrillInProgress", FiredrillInProgress, 21, "firedrill_in_progress"},
	}
	checkNumbers(t, "ReplicationState", rows)
	checkTexts(t, rows, ReplicationState.String)
	checkList(t, ReplicationStates(), rows, 0)
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationrelationship.md, property ReplicationHealth.
func TestReplicationHealthIsAsDocumented(t *testing.T) {
	rows := []row[ReplicationHealth]{
		{"HealthNotApplicable", HealthNotApplicable, 0, "not_applicable"},
		{"HealthOK", HealthOK, 1, "ok"},
		{"HealthWarning", HealthWarning, 2, "warning"},
		{"HealthCritical", HealthCritical, 3, "critical"},
	}
	checkNumbers(t, "ReplicationHealth", rows)
	checkTexts(t, rows, ReplicationHealth.String)
	checkList(t, ReplicationHealths(), rows, 0)
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-computersystem.md, property ReplicationMode.
func TestReplicationModesAreAsDocumented(t *testing.T) {
	rows := []row[ReplicationMode]{
		{"ModeNone", ModeNone, 0, "none"},
		{"ModePrimary", ModePrimary, 1, "primary"},
		{"ModeReplica", ModeReplica, 2, "replica"},
		{"ModeTestReplica", ModeTestReplica, 3, "test_replica"},
		{"ModeExtendedReplica", ModeExtendedReplica, 4, "extended_replica"},
	}
	checkNumbers(t, "ReplicationMode", rows)
	checkTexts(t, rows, ReplicationMode.String)
	checkList(t, ReplicationModes(), rows, 0)
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationrelationship.md, properties FailedOverReplicationType and
// LastReplicationType.
func TestReplicationTypesAreAsDocumented(t *testing.T) {
	rows := []row[ReplicationType]{
		{"TypeNone", TypeNone, 0, "none"},
		{"TypeRegular", TypeRegular, 1, "regular"},
		{"TypeApplicationConsistent", TypeApplicationConsistent, 2, "application_consistent"},
		{"TypePlanned", TypePlanned, 3, "planned"},
	}
	checkNumbers(t, "ReplicationType", rows)
	checkTexts(t, rows, ReplicationType.String)
	checkList(t, ReplicationTypes(), rows, 0)
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationsettingdata.md, property AuthenticationType (1 and 2), and
// msvm-replicationservicesettingdata.md, property AllowedAuthenticationType (0 to 3).
func TestAuthenticationTypesAreAsDocumented(t *testing.T) {
	rows := []row[Authentication]{
		{"AuthenticationNotDefined", AuthenticationNotDefined, 0, "not_defined"},
		{"AuthenticationKerberos", AuthenticationKerberos, 1, "kerberos"},
		{"AuthenticationCertificate", AuthenticationCertificate, 2, "certificate"},
		{"AuthenticationBoth", AuthenticationBoth, 3, "both"},
	}
	checkNumbers(t, "Authentication", rows)
	checkTexts(t, rows, Authentication.String)
}

// Source: the schema of Msvm_Error, property PerceivedSeverity (the numbers of DMTF). The page msvm-error.md has a
// shorter list with different names.
func TestSeveritiesAreThoseOfTheSchema(t *testing.T) {
	rows := []row[Severity]{
		{"", 0, 0, "unknown"},
		{"", 1, 1, "other"},
		{"", 2, 2, "information"},
		{"", 3, 3, "degraded"},
		{"", 4, 4, "minor"},
		{"", 5, 5, "major"},
		{"", 6, 6, "critical"},
		{"", 7, 7, "fatal"},
	}
	checkNumbers(t, "Severity", rows)
	checkTexts(t, rows, Severity.String)
}

// Sources: MicrosoftDocs/win32, HyperV_v2, msvm-computersystem.md, property EnabledState, where 5 is "not
// applicable", 6 is "enabled but offline" (a saved VM), 7 is "in test", 8 is "deferred" and 9 is "quiesce" (a paused VM),
// with 32768 and 32769 for paused and suspended VMs in the
// text; requeststatechange-msvm-computersystem.md, parameter RequestedState, for 11 and from 32773 on; the page of
// version 1 for 32770, 32771 and 32774. Every other number is not known.
func TestEnabledStatesAreAsDocumented(t *testing.T) {
	power := map[uint16]PowerState{}
	add := func(p PowerState, numbers ...uint16) {
		for _, n := range numbers {
			power[n] = p
		}
	}
	add("on", 2, 32781)
	add("off", 3, 32782)
	add("saved", 6, 32769, 32779, 32784, 32791)
	add("paused", 9, 32768, 32785)
	add("other", 1, 4, 7, 8, 10, 11, 32770, 32771, 32773, 32774, 32776, 32777, 32780)
	add("other", 32783, 32786, 32787, 32788, 32789, 32790, 32792)
	for n := range 1 << 16 {
		want, ok := power[uint16(n)]
		if !ok {
			want = "unknown"
		}
		state := EnabledState(n)
		if got := (ComputerSystem{EnabledState: &state}).Power(); got != want {
			t.Errorf("EnabledState %d: got %q, want %q", n, got, want)
		}
	}
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationservice.md, property OperationalStatus.
func TestOperationalStatusIsAsDocumented(t *testing.T) {
	if StatusOK != 2 {
		t.Errorf("StatusOK is %d, want 2", StatusOK)
	}
	if StatusError != 6 {
		t.Errorf("StatusError is %d, want 6", StatusError)
	}
}
