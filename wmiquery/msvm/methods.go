package msvm

import "slices"

// methods is the table of all methods.
var methods = slices.Concat(
	hostMethods, lifeCycleMethods, failoverMethods, statisticsMethods, stateMethods, powerMethods, jobMethods,
)

// hostMethods configure the host as a replica server.
var hostMethods = []Method{
	{
		Class: ClassReplicationService, Name: MethodModifyServiceSettings,
		In:      []Parameter{{"SettingData", TypeEmbedded, ClassReplicationServiceSettingData, false}},
		Out:     []Parameter{job},
		Summary: "replaces the settings of the replica server; RecoveryServerEnabled starts or stops its listeners",
		Job:     JobModifyServerSettings,
	},
	{
		Class: ClassReplicationService, Name: MethodAddAuthorizationEntry,
		In: []Parameter{entry}, Out: []Parameter{job},
		Summary:  "authorizes a primary server, or a wildcard for several, to replicate to this host",
		Destroys: "the present limits on which servers replicate to this host",
	},
	{
		Class: ClassReplicationService, Name: MethodModifyAuthorizationEntry,
		In: []Parameter{entry}, Out: []Parameter{job},
		Summary:  "changes the authorization entry with the given AllowedPrimaryHostSystem",
		Destroys: "the present limits on which servers replicate to this host, and where to",
	},
	{
		Class: ClassReplicationService, Name: MethodRemoveAuthorizationEntry,
		In:       []Parameter{{"AllowedPrimaryHostSystem", TypeString, "", false}},
		Out:      []Parameter{job},
		Summary:  "removes an authorization entry; the VMs that it authorizes stop replicating",
		Destroys: "the authorization of the VMs that use the entry",
	},
	{
		Class: ClassReplicationService, Name: MethodSetAuthorizationEntry,
		In: []Parameter{system, entry}, Out: []Parameter{job},
		Summary:  "assigns a VM to an authorization entry",
		Destroys: "the present limits on which servers replicate to the VM",
	},
	{
		Class: ClassReplicationService, Name: MethodTestReplicationConnection,
		In: []Parameter{
			{"RecoveryConnectionPoint", TypeString, "", false},
			{"RecoveryServerPortNumber", TypeUint16, "", false},
			{"AuthenticationType", TypeUint16, "", false},
			{"CertificateThumbPrint", TypeString, "", true},
			{"BypassProxyServer", TypeBoolean, "", true},
		},
		Out:     []Parameter{job},
		Summary: "tests the connection to a replica server",
		Reads:   true, Job: JobTestConnection,
	},
	{
		Class: ClassReplicationService, Name: MethodGetSystemCertificates,
		Out:     []Parameter{{outCertificates, TypeStringArray, "", true}},
		Summary: "returns the certificates in LocalMachine\\My as base64-encoded DER",
		Reads:   true,
	},
	{
		Class: ClassReplicationService, Name: MethodRequestStateChange,
		In: []Parameter{requested, timeout}, Out: []Parameter{job},
		Summary: "has no effect: the host returns 1 (not supported)",
	},
	{
		Class: ClassReplicationService, Name: MethodStartService,
		Summary: "has no effect: the host returns 1 (not supported)",
	},
	{
		Class: ClassReplicationService, Name: MethodStopService,
		Summary: "has no effect: the host returns 1 (not supported)",
	},
}

// lifeCycleMethods create, configure, start and remove relationships.
var lifeCycleMethods = []Method{
	{
		Class: ClassReplicationService, Name: MethodCreateReplicationRelationship,
		In: []Parameter{system, settings}, Out: []Parameter{job},
		Summary:  "creates a relationship and the replica VM; on a replica VM, extends replication to a third host",
		Destroys: "the confidentiality of the VM's data, which is sent to the replica server",
		Modes:    []ReplicationMode{ModeNone, ModeReplica}, States: []ReplicationState{Disabled},
		Job:         JobCreateRelationship,
		SendingSide: true,
	},
	{
		Class: ClassReplicationService, Name: MethodModifyReplicationSettings,
		In: []Parameter{system, settings}, Out: []Parameter{job},
		Summary: "changes the replication settings; on a replica VM, those of the extended relationship",
		Modes:   sender, States: anyReplicating, Job: JobModifyRelationship,
		SendingSide: true,
	},
	{
		Class: ClassReplicationService, Name: MethodRemoveReplicationRelationship,
		In: []Parameter{system}, Out: []Parameter{job},
		Summary:  "removes the primary relationship on this host",
		Destroys: "the relationship and, on the replica side, the recovery points",
		Modes:    replicated, States: anyReplicating, Job: JobRemoveRelationship,
		ReplacedBy:  MethodRemoveReplicationRelationshipEx,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodRemoveReplicationRelationshipEx,
		In: []Parameter{system, relationship}, Out: []Parameter{job},
		Summary:  "removes a relationship on this host only; the other host keeps its side",
		Destroys: "the relationship and, on the replica side, the recovery points",
		Modes:    replicated, States: anyReplicating, Job: JobRemoveRelationship,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodStartReplication,
		In: []Parameter{
			system,
			{"InitialReplicationType", TypeUint16, "", false},
			{"InitialReplicationExportLocation", TypeString, "", true},
			startTime,
		},
		Out: []Parameter{job},
		Summary: "starts the initial replication: " +
			"1 over the network, 2 by export to a folder, 3 over the network using an existing VM",
		Modes: sender, States: []ReplicationState{ReadyForReplication}, Job: JobStartInitialReplication,
		Becomes:     WaitingToCompleteInitialReplication,
		SendingSide: true,
	},
	{
		Class: ClassReplicationService, Name: MethodImportInitialReplica,
		In:      []Parameter{system, {"InitialReplicationImportLocation", TypeString, "", false}},
		Out:     []Parameter{job},
		Summary: "imports an initial replica that was exported", Modes: replicas,
		States: []ReplicationState{WaitingToCompleteInitialReplication}, Job: JobImportReplication,
	},
	{
		Class: ClassReplicationService, Name: MethodResynchronize,
		In: []Parameter{system, startTime}, Out: []Parameter{job},
		Summary: "compares the disks of both hosts block by block and sends the differences", Destroys: "the recovery points",
		Modes:       sender,
		States:      []ReplicationState{Suspended, Critical, WaitingToStartResynchronization, ResynchronizationSuspended},
		Job:         JobResynchronize,
		Becomes:     Resynchronizing,
		SendingSide: true,
	},
	{
		Class: ClassReplicationService, Name: MethodSetFailoverNetworkAdapterSettings,
		In:      []Parameter{system, {"NetworkSettings", TypeEmbeddedArray, ClassFailoverNetworkAdapterSettingData, false}},
		Out:     []Parameter{job},
		Summary: "sets the IP configuration that the guest operating system gets after a failover",
		Modes:   replicated, States: anyReplicating,
	},
}

// failoverMethods are the methods for failover, failback and reverse replication.
var failoverMethods = []Method{
	{
		Class: ClassReplicationService, Name: MethodInitiateFailover,
		In: []Parameter{system, snapshot}, Out: []Parameter{job},
		Summary:  "fails over to a recovery point, by default the latest; the VM stays off",
		Destroys: "changes that the primary has not sent, unless the failover was prepared",
		Modes:    replicas, States: []ReplicationState{Replicating, DiskUpdateInProgress},
		RequiresOff: true, Job: JobInitiateFailover,
		Becomes:     Recovered,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodRevertFailover,
		In: []Parameter{system}, Out: []Parameter{job},
		Summary:     "cancels a failover; on the primary side, a prepared failover",
		Destroys:    "all changes that the failed-over VM has made",
		Modes:       replicated,
		States:      []ReplicationState{SyncedReplicationComplete, Recovered, FailoverInProgress},
		RequiresOff: true, Job: JobRevertFailover,
		Becomes: Replicating,
	},
	{
		Class: ClassReplicationService, Name: MethodCommitFailover,
		In: []Parameter{system}, Out: []Parameter{job},
		Summary: "completes a failover; it cannot be cancelled afterwards", Destroys: "all recovery points",
		Modes: replicas, States: []ReplicationState{Recovered}, Job: JobCommitFailover,
		Becomes:     Committed,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodTestReplicaSystem,
		In:      []Parameter{system, snapshot},
		Out:     []Parameter{{"ResultingSystem", TypeReference, ClassComputerSystem, true}, job},
		Summary: "creates a test VM from a recovery point; replication continues",
		Modes:   replicas, States: []ReplicationState{Replicating, Suspended, Critical, Recovered, Committed},
		Job: JobInitiateTestReplica,
	},
	{
		Class: ClassReplicationService, Name: MethodReverseReplicationRelationship,
		In: []Parameter{system, settings}, Out: []Parameter{job},
		Summary:  "makes the failed-over VM the primary and replicates in the opposite direction",
		Destroys: "changes of the old primary that the new primary does not have",
		Modes:    replicas, States: []ReplicationState{Recovered, Committed}, Job: JobReverseReplication,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodChangeReplicationModeToPrimary,
		In: []Parameter{system, relationship}, Out: []Parameter{job},
		Summary:  "makes the replica VM the primary of its extended relationship",
		Destroys: "the possibility to return to the old primary",
		Modes:    []ReplicationMode{ModeReplica}, States: []ReplicationState{Committed}, Job: JobChangeModeToPrimary,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodInitiateFailback,
		In:      []Parameter{system, settings, {"RecoveryPointIdentifier", TypeString, "", true}},
		Out:     []Parameter{job},
		Summary: "fails back, if the replication provider supports it; that of Hyper-V presumably does not", Modes: replicas,
		States: []ReplicationState{Recovered, Committed}, Job: JobInitiateFailback,
	},
}

// statisticsMethods return and reset the statistics of the monitoring window.
var statisticsMethods = []Method{
	{
		Class: ClassReplicationService, Name: MethodGetReplicationStatistics,
		In: []Parameter{system}, Out: []Parameter{statistics, issues, job},
		Summary: "returns statistics and health issues of the primary relationship",
		Reads:   true, Job: JobGetStatistics, ReplacedBy: MethodGetReplicationStatisticsEx,
	},
	{
		Class: ClassReplicationService, Name: MethodGetReplicationStatisticsEx,
		In: []Parameter{system, relationship}, Out: []Parameter{statistics, issues, job},
		Summary: "returns statistics and health issues of a relationship",
		Reads:   true, Job: JobGetStatistics,
	},
	{
		Class: ClassReplicationService, Name: MethodResetReplicationStatistics,
		In: []Parameter{system}, Out: []Parameter{job},
		Summary:  "starts a new monitoring window for the primary relationship",
		Destroys: "the statistics of the current window",
		Modes:    replicated, States: anyReplicating, Job: JobResetStatistics, ReplacedBy: MethodResetReplicationStatisticsEx,
	},
	{
		Class: ClassReplicationService, Name: MethodResetReplicationStatisticsEx,
		In: []Parameter{system, relationship}, Out: []Parameter{job},
		Summary:  "starts a new monitoring window for a relationship",
		Destroys: "the statistics of the current window",
		Modes:    replicated, States: anyReplicating, Job: JobResetStatistics,
	},
}

// stateMethods are methods of VMs and of the service that manages VMs. StateRequests has the conditions for each
// requested state.
var stateMethods = []Method{
	{
		Class: ClassComputerSystem, Name: MethodRequestReplicationStateChange,
		In: []Parameter{requested, timeout}, Out: []Parameter{job},
		Summary: "requests a state of the primary relationship", Modes: replicated, States: anyReplicating,
		Job: JobStateChange, ReplacedBy: MethodRequestReplicationStateChangeEx,
	},
	{
		Class: ClassComputerSystem, Name: MethodRequestReplicationStateChangeEx,
		In: []Parameter{
			{"ReplicationRelationship", TypeEmbedded, ClassReplicationRelationship, true}, // null means the primary relationship
			requested, timeout,
		},
		Out:     []Parameter{job},
		Summary: "requests a state of a relationship", Job: JobStateChange,
	},
	{
		Class: ClassVirtualSystemManagementService, Name: MethodDestroySystem,
		In:      []Parameter{{"AffectedSystem", TypeReference, ClassComputerSystem, false}},
		Out:     []Parameter{job},
		Summary: "deletes a VM; this program deletes only test VMs", Destroys: "the VM",
		Modes: []ReplicationMode{ModeTestReplica}, RequiresOff: true, Job: JobRemoveTestReplica,
	},
}

// jobMethods are methods of jobs.
var jobMethods = []Method{
	{
		Class: ClassConcreteJob, Name: MethodGetErrorEx, Out: []Parameter{{"Errors", TypeEmbeddedArray, ClassError, true}},
		Summary: "returns the errors of a job that failed or was terminated", Reads: true,
	},
	{
		Class: ClassConcreteJob, Name: MethodGetError, Out: []Parameter{{"Error", TypeEmbedded, ClassError, true}},
		Summary: "returns the last error of a job that failed or was terminated", Reads: true,
	},
	{
		Class: ClassConcreteJob, Name: MethodRequestStateChange, In: []Parameter{requested, timeout},
		Summary: "requests a state of the job: 4 cancels the job if it is Cancellable",
	},
	{
		Class: ClassConcreteJob, Name: MethodKillJob, In: []Parameter{{"DeleteOnKill", TypeBoolean, "", true}},
		Summary: "has no effect: the host does not support it", ReplacedBy: MethodRequestStateChange,
	},
}
