package wmiquery

import (
	"errors"
	"fmt"
)

// wbemNotFound is WBEM_E_NOT_FOUND from wbemcli.h.
const wbemNotFound = 0x80041002

// hresultSentinels maps codes of COM and WMI to the sentinel errors that stand for them. The codes are from wbemcli.h
// and winerror.h.
var hresultSentinels = map[uint32]error{
	wbemNotFound: ErrNotFound,

	0x80041003: ErrDenied, // WBEM_E_ACCESS_DENIED
	0x80070005: ErrDenied, // E_ACCESSDENIED
	0x80041062: ErrDenied, // WBEM_E_PRIVILEGE_NOT_HELD

	0x8004100C: ErrUnsupported, // WBEM_E_NOT_SUPPORTED
	0x8004100E: ErrUnsupported, // WBEM_E_INVALID_NAMESPACE
	0x80041010: ErrUnsupported, // WBEM_E_INVALID_CLASS
	0x8004102E: ErrUnsupported, // WBEM_E_INVALID_METHOD
	0x80041055: ErrUnsupported, // WBEM_E_METHOD_NOT_IMPLEMENTED
	0x80020006: ErrUnsupported, // DISP_E_UNKNOWNNAME: this version of Windows does not have the parameter
	0x80040154: ErrUnsupported, // REGDB_E_CLASSNOTREG: WMI is not installed

	0x80041032: ErrBusy, // WBEM_E_CALL_CANCELLED
	0x80041045: ErrBusy, // WBEM_E_SERVER_TOO_BUSY
	0x8004106C: ErrBusy, // WBEM_E_QUOTA_VIOLATION
	0x8001010A: ErrBusy, // RPC_E_SERVERCALL_RETRYLATER

	0x80041069: ErrTimeout, // WBEM_E_TIMED_OUT, from a refresher
	0x80041088: ErrTimeout, // WBEM_E_PROVIDER_TIMED_OUT
	0x00040004: ErrTimeout, // WBEM_S_TIMEDOUT

	0x80041015: ErrUnavailable, // WBEM_E_TRANSPORT_FAILURE
	0x80041086: ErrUnavailable, // WBEM_E_FATAL_TRANSPORT_ERROR
	0x80041033: ErrUnavailable, // WBEM_E_SHUTTING_DOWN
	0x80041014: ErrUnavailable, // WBEM_E_INITIALIZATION_FAILURE
	0x80041013: ErrUnavailable, // WBEM_E_PROVIDER_LOAD_FAILURE
	0x800706BA: ErrUnavailable, // RPC_S_SERVER_UNAVAILABLE
	0x800706BE: ErrUnavailable, // RPC_S_CALL_FAILED
	0x800706BF: ErrUnavailable, // RPC_S_CALL_FAILED_DNE
	0x80010108: ErrUnavailable, // RPC_E_DISCONNECTED
	0x800401FD: ErrUnavailable, // CO_E_OBJNOTCONNECTED
	0x80010012: ErrUnavailable, // RPC_E_SERVER_DIED_DNE
	0x80010007: ErrUnavailable, // RPC_E_SERVER_DIED
}

// HRESULTError is a failure of COM or WMI. It wraps the sentinel that stands for the code, if there is one.
type HRESULTError struct {
	Code uint32
	Text string // from the host, without the code
}

func (e *HRESULTError) Error() string {
	if sentinel := hresultSentinels[e.Code]; sentinel != nil {
		return fmt.Sprintf("%s (0x%08X): %v", e.Text, e.Code, sentinel)
	}
	return fmt.Sprintf("%s (0x%08X)", e.Text, e.Code)
}

// Unwrap returns the sentinel that stands for the code, nil if there is none.
func (e *HRESULTError) Unwrap() error { return hresultSentinels[e.Code] }

// NewHRESULTError returns a *HRESULTError. Of the text, it uses at most 500 characters.
func NewHRESULTError(code uint32, text string) error {
	return &HRESULTError{code, fmt.Sprintf("%.500s", text)}
}

// ToHRESULTError returns the failure of COM or WMI that err is or wraps. For any other error it returns one with the
// text of err and a code whose sentinel err wraps, or WBEM_E_FAILED.
func ToHRESULTError(err error) *HRESULTError {
	if e, ok := errors.AsType[*HRESULTError](err); ok {
		return e
	}
	for _, code := range []uint32{
		wbemNotFound,
		0x80041003, // WBEM_E_ACCESS_DENIED
		0x80041010, // WBEM_E_INVALID_CLASS
		0x80041045, // WBEM_E_SERVER_TOO_BUSY
		0x80041069, // WBEM_E_TIMED_OUT
		0x800706BA, // RPC_S_SERVER_UNAVAILABLE
	} {
		if errors.Is(err, hresultSentinels[code]) {
			return &HRESULTError{code, fmt.Sprintf("%.500v", err)}
		}
	}
	return &HRESULTError{0x80041001, fmt.Sprintf("%.500v", err)} // WBEM_E_FAILED
}
