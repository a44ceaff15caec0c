package wmiquery

import "fmt"

// Return codes of the methods of root\virtualization\v2, as documented for
// Msvm_ReplicationService.
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

// Return codes of the methods that come from CIM: those of Msvm_ConcreteJob, and
// RequestStateChange, StartService and StopService of the service, which answer
// CodeCIMNotSupported.
const (
	CodeCIMNotSupported = 1
	CodeCIMInvalidParam = 5
	CodeCIMTransition   = 4097 // it cannot go to that state
)

var codes = map[uint32]struct {
	text string
	is   error // the sentinel it matches, if any
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
}

// CodeError is a method's refusal.
type CodeError struct{ Code uint32 }

func (e *CodeError) Error() string {
	if c, ok := codes[e.Code]; ok {
		return fmt.Sprintf("%s (%d)", c.text, e.Code)
	}
	return fmt.Sprintf("return code %d", e.Code)
}

// Is matches the sentinel that the code stands for.
func (e *CodeError) Is(target error) bool {
	c, ok := codes[e.Code]
	return ok && c.is != nil && c.is == target
}

// Err is nil when the method is done or has started a job, else a *CodeError.
func (r Reply) Err() error {
	if r.Code == CodeCompleted || r.Code == CodeJobStarted {
		return nil
	}
	return &CodeError{r.Code}
}
