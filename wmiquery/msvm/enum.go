package msvm

// The enumerations. String gives the documented name in snake_case, and
// "unknown" for a number that is not documented: a new Windows may have one, and
// it must not be taken for 0. Numbers are those of WMI; PowerShell's differ.

// enum is one enumeration: names by number, without gaps.
type enum []string

func (e enum) name(n uint16) string {
	if int(n) < len(e) {
		return e[n]
	}
	return "unknown"
}

// ReplicationState is Msvm_ReplicationRelationship.ReplicationState.
type ReplicationState uint16

// The states. 15 to 21 came with Windows 10 1703.
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
	"unknown", // 17 is documented under this very name
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

// ReplicationStates has the documented names by number.
func ReplicationStates() []string { return replicationStates }

// ReplicationHealth is Msvm_ReplicationRelationship.ReplicationHealth.
// Msvm_ReplicationStatistics has the same numbers in a wider type.
type ReplicationHealth uint16

// The health values.
const (
	HealthNotApplicable ReplicationHealth = iota
	HealthOK
	HealthWarning
	HealthCritical
)

var replicationHealths = enum{"not_applicable", "ok", "warning", "critical"}

func (h ReplicationHealth) String() string { return replicationHealths.name(uint16(h)) }

// ReplicationHealths has the documented names by number.
func ReplicationHealths() []string { return replicationHealths }

// ReplicationMode is Msvm_ComputerSystem.ReplicationMode.
type ReplicationMode uint16

// The modes.
const (
	ModeNone ReplicationMode = iota
	ModePrimary
	ModeReplica
	ModeTestReplica
	ModeExtendedReplica
)

var replicationModes = enum{"none", "primary", "replica", "test_replica", "extended_replica"}

func (m ReplicationMode) String() string { return replicationModes.name(uint16(m)) }

// ReplicationModes has the documented names by number.
func ReplicationModes() []string { return replicationModes }

// EnabledState is Msvm_ComputerSystem.EnabledState: whether a VM runs.
type EnabledState uint16

// The states of a VM that keep its memory and its disks still, or do not. 5 (not
// applicable), 7 (in test) and 8 (deferred) no VM has.
const (
	EnabledUnknown EnabledState = 0
	EnabledOther   EnabledState = 1
	EnabledOn      EnabledState = 2
	EnabledOff     EnabledState = 3
	ShuttingDown   EnabledState = 4
	EnabledSaved   EnabledState = 6 // "enabled but offline": its memory is in a file
	EnabledPaused  EnabledState = 9 // "quiesce"
	Starting       EnabledState = 10
)

// ReplicationType is the kind of a replication or of a failover:
// LastReplicationType and FailedOverReplicationType.
type ReplicationType uint16

// The types.
const (
	TypeNone ReplicationType = iota
	TypeRegular
	TypeApplicationConsistent
	TypePlanned
)

var replicationTypes = enum{"none", "regular", "application_consistent", "planned"}

func (t ReplicationType) String() string { return replicationTypes.name(uint16(t)) }

// ReplicationTypes has the documented names by number.
func ReplicationTypes() []string { return replicationTypes }

// Authentication is AuthenticationType of a relationship's settings (0 to 2)
// and AllowedAuthenticationType of the replica server (0 to 3).
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

// Severity is Msvm_Error.PerceivedSeverity, by the list of the schema. The
// reference page has a shorter list with other names for 2 to 5.
type Severity uint16

var severities = enum{"unknown", "other", "information", "degraded", "minor", "major", "critical", "fatal"}

func (s Severity) String() string { return severities.name(uint16(s)) }
