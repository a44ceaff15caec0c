package msvm

// This file has the enumerations. Their String methods return the documented name in snake_case, or "unknown" for a
// number that is not documented: a future version of Windows may have new numbers, and they must not count as 0. The
// numbers are those of WMI. PowerShell has different ones.

// enum has the names of an enumeration by number, without gaps.
type enum []string

func (e enum) name(n uint16) string {
	if int(n) < len(e) {
		return e[n]
	}
	return "unknown"
}

// ReplicationState is Msvm_ReplicationRelationship.ReplicationState.
type ReplicationState uint16

// The states of a relationship. States 15 to 21 exist since Windows 10 1703.
const (
	Disabled ReplicationState = iota
	ReadyForReplication
	WaitingToCompleteInitialReplication
	Replicating
	SyncedReplicationComplete
	Recovered
	Committed
	Suspended
	Critical
	WaitingToStartResynchronization
	Resynchronizing
	ResynchronizationSuspended
	FailoverInProgress
	FailbackInProgress
	FailbackComplete
	DiskUpdateInProgress
	DiskUpdateCritical
	StateUnknown
	RepurposeReplicationInProgress
	PreparedForSyncReplication
	PreparedForGroupReverseReplication
	FiredrillInProgress
)

var replicationStates = enum{
	"disabled",
	"ready_for_replication",
	"waiting_to_complete_initial_replication",
	"replicating",
	"synced_replication_complete",
	"recovered",
	"committed",
	"suspended",
	"critical",
	"waiting_to_start_resynchronization",
	"resynchronizing",
	"resynchronization_suspended",
	"failover_in_progress",
	"failback_in_progress",
	"failback_complete",
	"disk_update_in_progress",
	"disk_update_critical",
	"unknown", // 17 is documented with this name
	"repurpose_replication_in_progress",
	"prepared_for_sync_replication",
	"prepared_for_group_reverse_replication",
	"firedrill_in_progress",
}

func (s ReplicationState) String() string { return replicationStates.name(uint16(s)) }

// IsDiskUpdate reports whether the set of replicated disks is being changed, or such a change has failed.
func (s ReplicationState) IsDiskUpdate() bool {
	return s == DiskUpdateInProgress || s == DiskUpdateCritical
}

// ReplicationStates returns the documented names by number.
func ReplicationStates() []string { return replicationStates }

// ReplicationHealth is Msvm_ReplicationRelationship.ReplicationHealth. Msvm_ReplicationStatistics has the same numbers
// as uint32.
type ReplicationHealth uint16

// The health of a relationship.
const (
	HealthNotApplicable ReplicationHealth = iota
	HealthOK
	HealthWarning
	HealthCritical
)

var replicationHealths = enum{"not_applicable", "ok", "warning", "critical"}

func (h ReplicationHealth) String() string { return replicationHealths.name(uint16(h)) }

// ReplicationHealths returns the documented names by number.
func ReplicationHealths() []string { return replicationHealths }

// ReplicationMode is Msvm_ComputerSystem.ReplicationMode.
type ReplicationMode uint16

// The replication modes of a VM.
const (
	ModeNone ReplicationMode = iota
	ModePrimary
	ModeReplica
	ModeTestReplica
	ModeExtendedReplica
)

var replicationModes = enum{"none", "primary", "replica", "test_replica", "extended_replica"}

func (m ReplicationMode) String() string { return replicationModes.name(uint16(m)) }

// Replicates reports whether a VM of the mode has a relationship that replicates. A test replica has none.
func (m ReplicationMode) Replicates() bool {
	return m == ModePrimary || m == ModeReplica || m == ModeExtendedReplica
}

// ReplicationModes returns the documented names by number.
func ReplicationModes() []string { return replicationModes }

// ReplicationType is the type of a replication or of a failover: LastReplicationType and FailedOverReplicationType.
type ReplicationType uint16

// The types of replications and failovers.
const (
	TypeNone ReplicationType = iota
	TypeRegular
	TypeApplicationConsistent
	TypePlanned
)

var replicationTypes = enum{"none", "regular", "application_consistent", "planned"}

func (t ReplicationType) String() string { return replicationTypes.name(uint16(t)) }

// ReplicationTypes returns the documented names by number.
func ReplicationTypes() []string { return replicationTypes }

// Authentication is AuthenticationType of a relationship (0 to 2) and AllowedAuthenticationType of the replica server
// (0 to 3).
type Authentication uint16

// The authentication types.
const (
	AuthenticationNotDefined Authentication = iota
	AuthenticationKerberos
	AuthenticationCertificate
	AuthenticationBoth
)

var authentications = enum{"not_defined", "kerberos", "certificate", "both"}

func (a Authentication) String() string { return authentications.name(uint16(a)) }

// Severity is Msvm_Error.PerceivedSeverity with the names of the schema. The reference page has a shorter list with
// different names for 2 to 5.
type Severity uint16

var severities = enum{"unknown", "other", "information", "degraded", "minor", "major", "critical", "fatal"}

func (s Severity) String() string { return severities.name(uint16(s)) }
