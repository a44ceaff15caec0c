package simulator

import "hyperv_replica_exporter/wmiquery"

// failure is the reason why a job or a replication cycle fails.
type failure struct {
	code  uint32 // return code of the method, or ErrorCode of the job
	text  string // a complete sentence
	class failureClass
}

// failureClass says what the sender of a link does about a failure. Source: MicrosoftDocs/azure-docs,
// hyper-v-azure-architecture.md, "Retry process".
type failureClass int

const (
	// failsForGood is a failure that an administrator must end: an authentication or authorization error, a replica that
	// is in an invalid state or does not exist.
	failsForGood failureClass = iota
	// networkFails is a failure of the network. The sender tries again after retryWaits.
	networkFails
	// receiverBusy is a replica that does not take changes for now: it is paused, or an operation is running. The sender
	// tries again at each replication interval. That is inferred: an event of Windows for this case names 5 minutes.
	receiverBusy
)

// Reasons why a replica server cannot be reached or rejects replication from another server. All texts in this file are
// invented. That a server without a listener at the port is a failure of the network is inferred.
var (
	errServerNotFound    = newNetworkFailure("The Replica server name could not be resolved.")
	errServerUnreachable = newNetworkFailure("The connection to the Replica server could not be established.")
	errServerDisabled    = newNetworkFailure("The Replica server is not enabled to receive replication.")
	errNotAuthorized     = newFailure(wmiquery.CodeAccessDenied,
		"The Replica server does not authorize the primary server.")
	errAuthenticationType = newFailure(wmiquery.CodeFailed,
		"The Replica server does not allow the authentication type.")
	errCertificate = newFailure(wmiquery.CodeFailed,
		"A certificate of the servers is not valid for replication.")
)

// Reasons why a replica does not take what its primary sends.
var (
	errReplicaBusy = &failure{
		wmiquery.CodeFailed,
		"Replication is paused on the Replica server, or another operation is in progress there.", receiverBusy,
	}
	errReplicaNotFound = newFailure(wmiquery.CodeFailed,
		"The virtual machine is not a Replica on the Replica server any more.")
	errReplicaState = newFailure(wmiquery.CodeFailed,
		"The Replica virtual machine is in a state in which it accepts no changes.")
)

func newFailure(code uint32, text string) *failure { return &failure{code: code, text: text} }

func newNetworkFailure(text string) *failure {
	return &failure{wmiquery.CodeFailed, text, networkFails}
}

// Reasons why a relationship cannot be created or changed.
var (
	errVMExists = newFailure(wmiquery.CodeFailed, "The virtual machine exists on the Replica server "+
		"and is not enabled as a Replica virtual machine.")
	errVMRunning   = newFailure(wmiquery.CodeInvalidState, "The virtual machine is running.")
	errOtherServer = newFailure(wmiquery.CodeFailed, "The Replica virtual machine is not on that Replica server.")
)

// Reasons why replication cannot be reversed.
var (
	errPrimaryNotEnabled = newFailure(wmiquery.CodeFailed, "The virtual machine on the primary server "+
		"is not enabled for replication any more.")
	errPrimaryIsReplica = newFailure(wmiquery.CodeInvalidState,
		"The virtual machine on the other server is a Replica itself.")
	errOperationInProgress = newFailure(wmiquery.CodeInUse,
		"Another replication operation is in progress for the virtual machine.")
	errPrimaryRunning = newFailure(wmiquery.CodeInvalidState,
		"The virtual machine on the primary server is running.")
)

// errTerminated is the error of a job that a client terminated.
var errTerminated = newFailure(wmiquery.CodeFailed, "The operation was canceled.")

// Reasons why an initial replication or a resynchronization fails.
var (
	errNoExportedReplica = newFailure(wmiquery.CodeFileNotFound,
		"There is no initial replica of the virtual machine in the folder.")
	errResyncNotAllowed = newFailure(wmiquery.CodeInvalidState,
		"The virtual machine is not in a state to be resynchronized.")
)
