package msvm

import "slices"

// methods is the table behind Methods.
var methods = slices.Concat(hostMethods, lifeCycleMethods, failoverMethods, statisticsMethods, stateMethods, jobMethods)

// hostMethods are about the host as a replica server.
var hostMethods = []Method{
	{
		Class: classService, Name: "ModifyServiceSettings",
		In:      []Parameter{{"SettingData", TypeEmbedded, "Msvm_ReplicationServiceSettingData", false}},
		Out:     []Parameter{job},
		Summary: "replaces the settings of the replica server; its listeners follow RecoveryServerEnabled",
		Job:     JobModifyServerSettings,
	},
	{
		Class: classService, Name: "AddAuthorizationEntry",
		In: []Parameter{entry}, Out: []Parameter{job},
		Summary: "allows one more primary server, or a wildcard of them, to replicate to this host",
	},
	{
		Class: classService, Name: "ModifyAuthorizationEntry",
		In: []Parameter{entry}, Out: []Parameter{job},
		Summary: "changes the entry with that AllowedPrimaryHostSystem",
	},
	{
		Class: classService, Name: "RemoveAuthorizationEntry",
		In:      []Parameter{{"AllowedPrimaryHostSystem", TypeString, "", false}},
		Out:     []Parameter{job},
		Summary: "removes an entry; replication of the VMs that it authorized stops", Destroys: "the way in for the VMs that it authorized",
	},
	{
		Class: classService, Name: "SetAuthorizationEntry",
		In: []Parameter{system, entry}, Out: []Parameter{job},
		Summary: "binds a VM to an authorization entry",
	},
	{
		Class: classService, Name: "TestReplicationConnection",
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
		Class: classService, Name: MethodGetSystemCertificates,
		Out:     []Parameter{{outCertificates, TypeStringArray, "", true}},
		Summary: "gives the certificates in LocalMachine\\My, DER in base64",
		Reads:   true,
	},
	{
		Class: classService, Name: "RequestStateChange",
		In: []Parameter{requested, timeout}, Out: []Parameter{job},
		Summary: "nothing: the host answers 1, not supported",
	},
	{Class: classService, Name: "StartService", Summary: "nothing: the host answers 1, not supported"},
	{Class: classService, Name: "StopService", Summary: "nothing: the host answers 1, not supported"},
}

// lifeCycleMethods make, set up, start and remove relationships.
var lifeCycleMethods = []Method{
	{
		Class: classService, Name: "CreateReplicationRelationship",
		In: []Parameter{system, settings}, Out: []Parameter{job},
		Summary: "makes a relationship and the replica VM; on a replica it extends replication to a third host",
		Modes:   []ReplicationMode{ModeNone, ModeReplica}, States: []ReplicationState{Disabled},
		Job:         JobCreateRelationship,
		SendingSide: true,
	},
	{
		Class: classService, Name: "ModifyReplicationSettings",
		In: []Parameter{system, settings}, Out: []Parameter{job},
		Summary: "changes the settings; on a replica those of the extended relationship",
		Modes:   sender, States: anyReplicating, Job: JobModifyRelationship,
		SendingSide: true,
	},
	{
		Class: classService, Name: "RemoveReplicationRelationship",
		In: []Parameter{system}, Out: []Parameter{job},
		Summary: "removes the primary relationship on this host", Destroys: "the relationship and, on a replica, its recovery points",
		Modes: replicated, States: anyReplicating, Job: JobRemoveRelationship,
		ReplacedBy:  "RemoveReplicationRelationshipEx",
		LosesUnsent: true,
	},
	{
		Class: classService, Name: "RemoveReplicationRelationshipEx",
		In: []Parameter{system, relationship}, Out: []Parameter{job},
		Summary: "removes a relationship on this host only; the other host keeps its side", Destroys: "the relationship and, on a replica, its recovery points",
		Modes: replicated, States: anyReplicating, Job: JobRemoveRelationship,
		LosesUnsent: true,
	},
	{
		Class: classService, Name: "StartReplication",
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
		Class: classService, Name: "ImportInitialReplica",
		In:      []Parameter{system, {"InitialReplicationImportLocation", TypeString, "", false}},
		Out:     []Parameter{job},
		Summary: "takes in an initial replica that was exported", Modes: replicas,
		States: []ReplicationState{WaitingToCompleteInitialReplication}, Job: JobImportReplication,
	},
	{
		Class: classService, Name: "Resynchronize",
		In: []Parameter{system, startTime}, Out: []Parameter{job},
		Summary: "compares the disks block by block and sends what differs", Destroys: "the recovery points",
		Modes:       sender,
		States:      []ReplicationState{Suspended, Critical, WaitingToStartResynchronization, ResynchronizationSuspended},
		Job:         JobResynchronize,
		Becomes:     Resynchronizing,
		SendingSide: true,
	},
	{
		Class: classService, Name: "SetFailoverNetworkAdapterSettings",
		In:      []Parameter{system, {"NetworkSettings", TypeEmbeddedArray, "Msvm_FailoverNetworkAdapterSettingData", false}},
		Out:     []Parameter{job},
		Summary: "sets the IP configuration that the guest gets after a failover", Modes: replicated, States: anyReplicating,
	},
}

// failoverMethods are the failover family.
var failoverMethods = []Method{
	{
		Class: classService, Name: "InitiateFailover",
		In: []Parameter{system, snapshot}, Out: []Parameter{job},
		Summary: "brings the replica to a recovery point, the latest if none is given; the VM stays off", Destroys: "what the primary has not sent, unless it was prepared",
		Modes: replicas, States: []ReplicationState{Replicating, DiskUpdateInProgress}, RequiresOff: true, Job: JobInitiateFailover,
		Becomes:     Recovered,
		LosesUnsent: true,
	},
	{
		Class: classService, Name: "RevertFailover",
		In: []Parameter{system}, Out: []Parameter{job},
		Summary: "takes a failover back; on the primary, a prepared one", Destroys: "what the failed-over VM has written",
		Modes:  replicated,
		States: []ReplicationState{SyncedReplicationComplete, Recovered, FailoverInProgress}, RequiresOff: true, Job: JobRevertFailover,
		Becomes: Replicating,
	},
	{
		Class: classService, Name: "CommitFailover",
		In: []Parameter{system}, Out: []Parameter{job},
		Summary: "completes a failover: there is no way back", Destroys: "all recovery points",
		Modes: replicas, States: []ReplicationState{Recovered}, Job: JobCommitFailover,
		Becomes:     Committed,
		LosesUnsent: true,
	},
	{
		Class: classService, Name: "TestReplicaSystem",
		In: []Parameter{system, snapshot}, Out: []Parameter{{"ResultingSystem", TypeReference, classSystem, true}, job},
		Summary: "makes a test VM of a recovery point; replication goes on",
		Modes:   replicas, States: []ReplicationState{Replicating, Suspended, Critical, Recovered, Committed}, Job: JobInitiateTestReplica,
	},
	{
		Class: classService, Name: "ReverseReplicationRelationship",
		In: []Parameter{system, settings}, Out: []Parameter{job},
		Summary: "makes the failed-over VM the primary, which replicates back", Destroys: "what the old primary has and the new one has not",
		Modes: replicas, States: []ReplicationState{Recovered, Committed}, Job: JobReverseReplication,
		LosesUnsent: true,
	},
	{
		Class: classService, Name: "ChangeReplicationModeToPrimary",
		In: []Parameter{system, relationship}, Out: []Parameter{job},
		Summary: "makes a replica with an extended relationship the primary of that", Destroys: "the way back to the old primary",
		Modes: []ReplicationMode{ModeReplica}, States: []ReplicationState{Committed}, Job: JobChangeModeToPrimary,
		LosesUnsent: true,
	},
	{
		Class: classService, Name: "InitiateFailback",
		In:      []Parameter{system, settings, {"RecoveryPointIdentifier", TypeString, "", true}},
		Out:     []Parameter{job},
		Summary: "hands the VM back, with external providers only", Modes: replicas,
		States: []ReplicationState{Recovered, Committed}, Job: JobInitiateFailback,
	},
}

// statisticsMethods are about the monitoring window.
var statisticsMethods = []Method{
	{
		Class: classService, Name: "GetReplicationStatistics",
		In: []Parameter{system}, Out: []Parameter{statistics, issues, job},
		Summary: "gives statistics and health issues of the primary relationship",
		Reads:   true, Job: JobGetStatistics, ReplacedBy: MethodGetReplicationStatistics,
	},
	{
		Class: classService, Name: MethodGetReplicationStatistics,
		In: []Parameter{system, relationship}, Out: []Parameter{statistics, issues, job},
		Summary: "gives statistics and health issues of a relationship",
		Reads:   true, Job: JobGetStatistics,
	},
	{
		Class: classService, Name: "ResetReplicationStatistics",
		In: []Parameter{system}, Out: []Parameter{job},
		Summary: "starts the window of the primary relationship anew", Destroys: "the window's figures",
		Modes: replicated, States: anyReplicating, Job: JobResetStatistics, ReplacedBy: "ResetReplicationStatisticsEx",
	},
	{
		Class: classService, Name: "ResetReplicationStatisticsEx",
		In: []Parameter{system, relationship}, Out: []Parameter{job},
		Summary: "starts the window of a relationship anew", Destroys: "the window's figures",
		Modes: replicated, States: anyReplicating, Job: JobResetStatistics,
	},
}

// stateMethods stand at the VM and at the service that manages VMs. What a
// requested state needs is in StateRequests.
var stateMethods = []Method{
	{
		Class: classSystem, Name: "RequestReplicationStateChange",
		In: []Parameter{requested, timeout}, Out: []Parameter{job},
		Summary: "asks for a state of the primary relationship", Modes: replicated, States: anyReplicating,
		Job: JobStateChange, ReplacedBy: MethodRequestReplicationStateChange,
	},
	{
		Class: classSystem, Name: MethodRequestReplicationStateChange,
		In: []Parameter{
			{"ReplicationRelationship", TypeEmbedded, "Msvm_ReplicationRelationship", true}, // null for the primary one
			requested, timeout,
		},
		Out:     []Parameter{job},
		Summary: "asks for a state of a relationship", Job: JobStateChange,
	},
	{
		Class: classManager, Name: "DestroySystem",
		In:      []Parameter{{"AffectedSystem", TypeReference, classSystem, false}},
		Out:     []Parameter{job},
		Summary: "deletes a VM; here only test replicas are", Destroys: "the VM",
		Modes: []ReplicationMode{ModeTestReplica}, RequiresOff: true, Job: JobRemoveTestReplica,
	},
}

// MethodRequestReplicationStateChange is the name of the method that asks for a
// state: pause, resume, prepare and cancel are no methods of the service.
const MethodRequestReplicationStateChange = "RequestReplicationStateChangeEx"

// jobMethods stand at a job.
var jobMethods = []Method{
	{
		Class: classJob, Name: "GetErrorEx", Out: []Parameter{{"Errors", TypeEmbeddedArray, classError, true}},
		Summary: "tells why the job failed", Reads: true,
	},
	{
		Class: classJob, Name: "GetError", Out: []Parameter{{"Error", TypeEmbedded, classError, true}},
		Summary: "tells the last reason why the job failed", Reads: true,
	},
	{
		Class: classJob, Name: "RequestStateChange", In: []Parameter{requested, timeout},
		Summary: "asks for a state of the job: 4 cancels it if it is Cancellable",
	},
	{
		Class: classJob, Name: "KillJob", In: []Parameter{{"DeleteOnKill", TypeBoolean, "", true}},
		Summary: "nothing: the host answers that it is not supported", ReplacedBy: "RequestStateChange",
	},
}
