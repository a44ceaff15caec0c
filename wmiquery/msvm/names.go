package msvm

// Names of the classes that the methods belong to or that their parameters refer to.
const (
	ClassReplicationService                  = "Msvm_ReplicationService"
	ClassComputerSystem                      = "Msvm_ComputerSystem"
	ClassConcreteJob                         = "Msvm_ConcreteJob"
	ClassShutdownComponent                   = "Msvm_ShutdownComponent"
	ClassVirtualSystemManagementService      = "Msvm_VirtualSystemManagementService"
	ClassError                               = "Msvm_Error"
	ClassReplicationRelationship             = "Msvm_ReplicationRelationship"
	ClassReplicationSettingData              = "Msvm_ReplicationSettingData"
	ClassReplicationServiceSettingData       = "Msvm_ReplicationServiceSettingData"
	ClassReplicationAuthorizationSettingData = "Msvm_ReplicationAuthorizationSettingData"
	ClassReplicationStatistics               = "Msvm_ReplicationStatistics"
	ClassFailoverNetworkAdapterSettingData   = "Msvm_FailoverNetworkAdapterSettingData"
	ClassVirtualSystemSettingData            = "Msvm_VirtualSystemSettingData"
)

// Methods of Msvm_ReplicationService that configure the replica server.
const (
	MethodModifyServiceSettings     = "ModifyServiceSettings"
	MethodAddAuthorizationEntry     = "AddAuthorizationEntry"
	MethodModifyAuthorizationEntry  = "ModifyAuthorizationEntry"
	MethodRemoveAuthorizationEntry  = "RemoveAuthorizationEntry"
	MethodSetAuthorizationEntry     = "SetAuthorizationEntry"
	MethodTestReplicationConnection = "TestReplicationConnection"
	MethodGetSystemCertificates     = "GetSystemCertificates"
)

// Methods of Msvm_ReplicationService that no Windows version supports. Msvm_ComputerSystem and Msvm_ConcreteJob have a
// RequestStateChange, too, which is supported.
const (
	MethodRequestStateChange = "RequestStateChange"
	MethodStartService       = "StartService"
	MethodStopService        = "StopService"
)

// Methods of Msvm_ReplicationService that create, configure, start and remove relationships.
const (
	MethodCreateReplicationRelationship     = "CreateReplicationRelationship"
	MethodModifyReplicationSettings         = "ModifyReplicationSettings"
	MethodRemoveReplicationRelationship     = "RemoveReplicationRelationship"
	MethodRemoveReplicationRelationshipEx   = "RemoveReplicationRelationshipEx"
	MethodStartReplication                  = "StartReplication"
	MethodImportInitialReplica              = "ImportInitialReplica"
	MethodResynchronize                     = "Resynchronize"
	MethodSetFailoverNetworkAdapterSettings = "SetFailoverNetworkAdapterSettings"
)

// Methods of Msvm_ReplicationService for failover, failback and reverse replication.
const (
	MethodInitiateFailover               = "InitiateFailover"
	MethodRevertFailover                 = "RevertFailover"
	MethodCommitFailover                 = "CommitFailover"
	MethodTestReplicaSystem              = "TestReplicaSystem"
	MethodReverseReplicationRelationship = "ReverseReplicationRelationship"
	MethodChangeReplicationModeToPrimary = "ChangeReplicationModeToPrimary"
	MethodInitiateFailback               = "InitiateFailback"
)

// Methods of Msvm_ReplicationService for the statistics of the monitoring window.
const (
	MethodGetReplicationStatistics     = "GetReplicationStatistics"
	MethodGetReplicationStatisticsEx   = "GetReplicationStatisticsEx"
	MethodResetReplicationStatistics   = "ResetReplicationStatistics"
	MethodResetReplicationStatisticsEx = "ResetReplicationStatisticsEx"
)

// Methods of Msvm_ComputerSystem. Pause, resume, prepare and cancel are states to request, not
// methods of the service.
const (
	MethodRequestReplicationStateChange   = "RequestReplicationStateChange"
	MethodRequestReplicationStateChangeEx = "RequestReplicationStateChangeEx"
)

// Method of Msvm_ShutdownComponent.
const (
	MethodInitiateShutdown = "InitiateShutdown"
)

// Method of Msvm_VirtualSystemManagementService.
const (
	MethodDestroySystem = "DestroySystem"
)

// Methods of Msvm_ConcreteJob.
const (
	MethodGetError   = "GetError"
	MethodGetErrorEx = "GetErrorEx"
	MethodKillJob    = "KillJob"
)
