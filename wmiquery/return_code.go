package wmiquery

import "fmt"

// Return codes of the methods of root\virtualization\v2, as documented for Msvm_ReplicationService. The schema has
// the same 14 numbers for these methods, without names, but not CodeFileNotFound for ModifyServiceSettings and
// SetFailoverNetworkAdapterSettings.
const (
	CodeCompleted       = 0
	CodeJobStarted      = 4096
	CodeFailed          = 32768
	CodeAccessDenied    = 32769
	CodeNotSupported    = 32770
	CodeStatusUnknown   = 32771
	CodeTimeout         = 32772
	CodeInvalidParam    = 32773
	CodeInUse           = 32774
	CodeInvalidState    = 32775
	CodeInvalidDataType = 32776
	CodeNotAvailable    = 32777
	CodeOutOfMemory     = 32778
	CodeFileNotFound    = 32779
)

// Return codes of the methods that CIM defines: the methods of Msvm_ConcreteJob, and RequestStateChange, StartService
// and StopService of Msvm_ReplicationService, which always return CodeCIMNotSupported. For RequestStateChange of
// Msvm_ConcreteJob, the reference has these codes, and the schema has the codes above.
const (
	CodeCIMNotSupported = 1
	CodeCIMInvalidParam = 5
	CodeCIMTransition   = 4097 // the object cannot enter the requested state
)

// Return codes of InitiateShutdown of Msvm_ShutdownComponent, in addition to those above.
const (
	CodeNotReady     = 32780 // the guest operating system
	CodeLocked       = 32781 // a shutdown needs Force
	CodeShuttingDown = 32782
)

// returnCodes are the codes of failures.
var returnCodes = map[uint32]struct {
	text     string
	sentinel error // nil if no sentinel stands for the code
}{
	CodeFailed:          {"failed", nil},
	CodeAccessDenied:    {"access denied", ErrDenied},
	CodeNotSupported:    {"not supported", ErrUnsupported},
	CodeStatusUnknown:   {"status unknown", nil},
	CodeTimeout:         {"timeout", ErrTimeout},
	CodeInvalidParam:    {"invalid parameter", nil},
	CodeInUse:           {"in use", ErrBusy},
	CodeInvalidState:    {"invalid state for this operation", ErrInvalidState},
	CodeInvalidDataType: {"incorrect data type", nil},
	CodeNotAvailable:    {"not available", nil},
	CodeOutOfMemory:     {"out of memory", nil},
	CodeFileNotFound:    {"file not found", ErrNotFound},
	CodeNotReady:        {"system not ready", nil},
	CodeLocked:          {"system locked, shutdown needs Force", nil},
	CodeShuttingDown:    {"shutdown in progress", ErrBusy},
}

// CodeError is the error for the return code of a method that failed.
type CodeError struct{ Code uint32 }

func (e *CodeError) Error() string {
	if c, ok := returnCodes[e.Code]; ok {
		return fmt.Sprintf("%s (%d)", c.text, e.Code)
	}
	return fmt.Sprintf("return code %d", e.Code)
}

// Is reports whether target is the sentinel that stands for the code.
func (e *CodeError) Is(target error) bool {
	c, ok := returnCodes[e.Code]
	return ok && c.sentinel != nil && c.sentinel == target
}
