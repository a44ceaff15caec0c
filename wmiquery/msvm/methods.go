package msvm

import "slices"

// methods is the table behind Methods.
var methods = slices.Concat(hostMethods, lifeCycleMethods, failoverMethods, statisticsMethods, stateMethods, jobMethods)

// hostMethods are about the host as a replica server.
var hostMethods = []Method{
	{
		Class: ClassReplicationService, Name: MethodModifyServiceSettings,
		In:      []Parameter{{"SettingData", TypeEmbedded, ClassReplicationServiceSettingData, false}},
		Out:     []Parameter{job},
		Summary: "replaces the settings of the replica server; its listeners follow RecoveryServerEnabled",
		Job:     JobModifyServerSettings,
	},
	{
		Class: ClassReplicationService, Name: MethodAddAuthorizationEntry,
		In: []Parameter{entry}, Out: []Parameter{job},
		Summary: "allows one more primary server, or a wildcard of them, to replicate to this host",
	},
	{
		Class: ClassReplicationService, Name: MethodModifyAuthorizationEntry,
		In: []Parameter{entry}, Out: []Parameter{job},
		Summary: "changes the entry with that AllowedPrimaryHostSystem",
	},
	{
		Class: ClassReplicationService, Name: MethodRemoveAuthorizationEntry,
		In:      []Parameter{{"AllowedPrimaryHostSystem", TypeString, "", false}},
		Out:     []Parameter{job},
		Summary: "removes an entry; replication of the VMs that it authorized stops", Destroys: "the way in for the VMs that it authorized",
	},
	{
		Class: ClassReplicationService, Name: MethodSetAuthorizationEntry,
		In: []Parameter{system, entry}, Out: []Parameter{job},
		Summary: "binds a VM to an authorization entry",
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
		Summary: "connects to a replica server and changes nothing",
		Reads:   true, Job: JobTestConnection,
	},
	{
		Class: ClassReplicationService, Name: MethodGetSystemCertificates,
		Out:     []Parameter{{outCertificates, TypeStringArray, "", true}},
		Summary: "gives the certificates in LocalMachine\\My, DER in base64",
		Reads:   true,
	},
	{
		Class: ClassReplicationService, Name: MethodRequestStateChange,
		In: []Parameter{requested, timeout}, Out: []Parameter{job},
		Summary: "nothing: the host answers 1, not supported",
	},
	{Class: ClassReplicationService, Name: MethodStartService, Summary: "nothing: the host answers 1, not supported"},
	{Class: ClassReplicationService, Name: MethodStopService, Summary: "nothing: the host answers 1, not supported"},
}

// lifeCycleMethods make, set up, start and remove relationships.
var lifeCycleMethods = []Method{
	{
		Class: ClassReplicationService, Name: MethodCreateReplicationRelationship,
		In: []Parameter{system, settings}, Out: []Parameter{job},
		Summary: "makes a relationship and the replica VM; on a replica it extends replication to a third host",
		Modes:   []ReplicationMode{ModeNone, ModeReplica}, States: []ReplicationState{Disabled},
		Job:         JobCreateRelationship,
		SendingSide: true,
	},
	{
		Class: ClassReplicationService, Name: MethodModifyReplicationSettings,
		In: []Parameter{system, settings}, Out: []Parameter{job},
		Summary: "changes the settings; on a replica those of the extended relationship",
		Modes:   sender, States: anyReplicating, Job: JobModifyRelationship,
		SendingSide: true,
	},
	{
		Class: ClassReplicationService, Name: MethodRemoveReplicationRelationship,
		In: []Parameter{system}, Out: []Parameter{job},
		Summary: "removes the primary relationship on this host", Destroys: "the relationship and, on a replica, its recovery points",
		Modes: replicated, States: anyReplicating, Job: JobRemoveRelationship,
		ReplacedBy:  MethodRemoveReplicationRelationshipEx,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodRemoveReplicationRelationshipEx,
		In: []Parameter{system, relationship}, Out: []Parameter{job},
		Summary: "removes a relationship on this host only; the other host keeps its side", Destroys: "the relationship and, on a replica, its recovery points",
		Modes: replicated, States: anyReplicating, Job: JobRemoveRelationship,
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
		Out:     []Parameter{job},
		Summary: "starts the initial replication: 1 over the network, 2 by export to a folder, 3 over the network onto a VM that is there",
		Modes:   sender, States: []ReplicationState{ReadyForReplication}, Job: JobStartInitialReplication,
		Becomes:     WaitingToCompleteInitialReplication,
		SendingSide: true,
	},
	{
		Class: ClassReplicationService, Name: MethodImportInitialReplica,
		In:      []Parameter{system, {"InitialReplicationImportLocation", TypeString, "", false}},
		Out:     []Parameter{job},
		Summary: "takes in an initial replica that was exported", Modes: replicas,
		States: []ReplicationState{WaitingToCompleteInitialReplication}, Job: JobImportReplication,
	},
	{
		Class: ClassReplicationService, Name: MethodResynchronize,
		In: []Parameter{system, startTime}, Out: []Parameter{job},
		Summary: "compares the disks block by block and sends what differs", Destroys: "the recovery points",
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
		Summary: "sets the IP configuration that the guest gets after a failover", Modes: replicated, States: anyReplicating,
	},
}

// failoverMethods are the failover family.
var failoverMethods = []Method{
	{
		Class: ClassReplicationService, Name: MethodInitiateFailover,
		In: []Parameter{system, snapshot}, Out: []Parameter{job},
		Summary: "brings the replica to a recovery point, the latest if none is given; the VM stays off", Destroys: "what the primary has not sent, unless it was prepared",
		Modes: replicas, States: []ReplicationState{Replicating, DiskUpdateInProgress}, RequiresOff: true, Job: JobInitiateFailover,
		Becomes:     Recovered,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodRevertFailover,
		In: []Parameter{system}, Out: []Parameter{job},
		Summary: "takes a failover back; on the primary, a prepared one", Destroys: "what the failed-over VM has written",
		Modes:  replicated,
		States: []ReplicationState{SyncedReplicationComplete, Recovered, FailoverInProgress}, RequiresOff: true, Job: JobRevertFailover,
		Becomes: Replicating,
	},
	{
		Class: ClassReplicationService, Name: MethodCommitFailover,
		In: []Parameter{system}, Out: []Parameter{job},
		Summary: "completes a failover: there is no way back", Destroys: "all recovery points",
		Modes: replicas, States: []ReplicationState{Recovered}, Job: JobCommitFailover,
		Becomes:     Committed,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodTestReplicaSystem,
		In: []Parameter{system, snapshot}, Out: []Parameter{{"ResultingSystem", TypeReference, ClassComputerSystem, true}, job},
		Summary: "makes a test VM of a recovery point; replication goes on",
		Modes:   replicas, States: []ReplicationState{Replicating, Suspended, Critical, Recovered, Committed}, Job: JobInitiateTestReplica,
	},
	{
		Class: ClassReplicationService, Name: MethodReverseReplicationRelationship,
		In: []Parameter{system, settings}, Out: []Parameter{job},
		Summary: "makes the failed-over VM the primary, which replicates back", Destroys: "what the old primary has and the new one has not",
		Modes: replicas, States: []ReplicationState{Recovered, Committed}, Job: JobReverseReplication,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodChangeReplicationModeToPrimary,
		In: []Parameter{system, relationship}, Out: []Parameter{job},
		Summary: "makes a replica with an extended relationship the primary of that", Destroys: "the way back to the old primary",
		Modes: []ReplicationMode{ModeReplica}, States: []ReplicationState{Committed}, Job: JobChangeModeToPrimary,
		LosesUnsent: true,
	},
	{
		Class: ClassReplicationService, Name: MethodInitiateFailback,
		In:      []Parameter{system, settings, {"RecoveryPointIdentifier", TypeString, "", true}},
		Out:     []Parameter{job},
		Summary: "hands the VM back, with external providers only", Modes: replicas,
		States: []ReplicationState{Recovered, Committed}, Job: JobInitiateFailback,
	},
}

// statisticsMethods are about the monitoring window.
var statisticsMethods = []Method{
	{
		Class: ClassReplicationService, Name: MethodGetReplicationStatistics,
		In: []Parameter{system}, Out: []Parameter{statistics, issues, job},
		Summary: "gives statistics and health issues of the primary relationship",
		Reads:   true, Job: JobGetStatistics, ReplacedBy: MethodGetReplicationStatisticsEx,
	},
	{
		Class: ClassReplicationService, Name: MethodGetReplicationStatisticsEx,
		In: []Parameter{system, relationship}, Out: []Parameter{statistics, issues, job},
		Summary: "gives statistics and health issues of a relationship",
		Reads:   true, Job: JobGetStatistics,
	},
	{
		Class: ClassReplicationService, Name: MethodResetReplicationStatistics,
		In: []Parameter{system}, Out: []Parameter{job},
		Summary: "starts the window of the primary relationship anew", Destroys: "the window's figures",
		Modes: replicated, States: anyReplicating, Job: JobResetStatistics, ReplacedBy: MethodResetReplicationStatisticsEx,
	},
	{
		Class: ClassReplicationService, Name: MethodResetReplicationStatisticsEx,
		In: []Parameter{system, relationship}, Out: []Parameter{job},
		Summary: "starts the window of a relationship anew", Destroys: "the window's figures",
		Modes: replicated, States: anyReplicating, Job: JobResetStatistics,
	},
}

// stateMethods stand at the VM and at the service that manages VMs. What a
// requested state needs is in StateRequests.
var stateMethods = []Method{
	{
		Class: ClassComputerSystem, Name: MethodRequestReplicationStateChange,
		In: []Parameter{requested, timeout}, Out: []Parameter{job},
		Summary: "asks for a state of the primary relationship", Modes: replicated, States: anyReplicating,
		Job: JobStateChange, ReplacedBy: MethodRequestReplicationStateChangeEx,
	},
	{
		Class: ClassComputerSystem, Name: MethodRequestReplicationStateChangeEx,
		In: []Parameter{
			{"ReplicationRelationship", TypeEmbedded, ClassReplicationRelationship, true}, // null for the primary one
			requested, timeout,
		},
		Out:     []Parameter{job},
		Summary: "asks for a state of a relationship", Job: JobStateChange,
	},
	{
		Class: ClassVirtualSystemManagementService, Name: MethodDestroySystem,
		In:      []Parameter{{"AffectedSystem", TypeReference, ClassComputerSystem, false}},
		Out:     []Parameter{job},
		Summary: "deletes a VM; here only test replicas are", Destroys: "the VM",
		Modes: []ReplicationMode{ModeTestReplica}, RequiresOff: true, Job: JobRemoveTestReplica,
	},
}

// jobMethods stand at a job.
var jobMethods = []Method{
	{
		Class: ClassConcreteJob, Name: MethodGetErrorEx, Out: []Parameter{{"Errors", TypeEmbeddedArray, ClassError, true}},
		Summary: "tells why the job failed", Reads: true,
	},
	{
		Class: ClassConcreteJob, Name: MethodGetError, Out: []Parameter{{"Error", TypeEmbedded, ClassError, true}},
		Summary: "tells the last reason why the job failed", Reads: true,
	},
	{
		Class: ClassConcreteJob, Name: MethodRequestStateChange, In: []Parameter{requested, timeout},
		Summary: "asks for a state of the job: 4 cancels it if it is Cancellable",
	},
	{
		Class: ClassConcreteJob, Name: MethodKillJob, In: []Parameter{{"DeleteOnKill", TypeBoolean, "", true}},
		Summary: "nothing: the host answers that it is not supported", ReplacedBy: MethodRequestStateChange,
	},
}
