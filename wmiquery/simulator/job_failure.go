package simulator

import "hyperv_replica_exporter/wmiquery"

// failure is the reason why a job or a replication cycle fails.
type failure struct {
	code uint32 // return code of the method, or ErrorCode of the job
	text string // a complete sentence
}

// Reasons why a replica server rejects replication from another server. All texts in this file are invented.
var (
	errServerDisabled = &failure{wmiquery.CodeFailed, "The Replica server is not enabled to receive replication."}
	errNotAuthorized  = &failure{
		wmiquery.CodeAccessDenied,
		"The Replica server does not authorize the primary server.",
	}
	errAuthenticationType = &failure{wmiquery.CodeFailed, "The Replica server does not allow the authentication type."}
)

// Reasons why a relationship cannot be created or changed.
var (
	errServerNotFound = &failure{wmiquery.CodeFailed, "The Replica server name could not be resolved."}
	errVMExists       = &failure{wmiquery.CodeFailed, "The virtual machine exists on the Replica server " +
		"and is not enabled as a Replica virtual machine."}
	errVMRunning   = &failure{wmiquery.CodeInvalidState, "The virtual machine is running."}
	errOtherServer = &failure{wmiquery.CodeFailed, "The Replica virtual machine is not on that Replica server."}
)

// Reasons why replication cannot be reversed.
var (
	errPrimaryNotEnabled = &failure{wmiquery.CodeFailed, "The virtual machine on the primary server " +
		"is not enabled for replication any more."}
	errPrimaryIsReplica = &failure{
		wmiquery.CodeInvalidState,
		"The virtual machine on the other server is a Replica itself.",
	}
	errOperationInProgress = &failure{
		wmiquery.CodeInUse,
		"Another replication operation is in progress for the virtual machine.",
	}
	errPrimaryRunning = &failure{
		wmiquery.CodeInvalidState,
		"The virtual machine on the primary server is running.",
	}
)

// errTerminated is the error of a job that a client terminated.
var errTerminated = &failure{wmiquery.CodeFailed, "The operation was canceled."}

// Reasons why an initial replication or a resynchronization fails.
var (
	errNoExportedReplica = &failure{
		wmiquery.CodeFileNotFound,
		"There is no initial replica of the virtual machine in the folder.",
	}
	errDisksNotAccepted = &failure{wmiquery.CodeFailed, "The Replica server does not accept the disks " +
		"in the current state of its relationship."}
	errResyncRequired   = &failure{wmiquery.CodeFailed, "The virtual machine requires resynchronization."}
	errResyncNotAllowed = &failure{
		wmiquery.CodeInvalidState,
		"The virtual machine is not in a state to be resynchronized.",
	}
)
