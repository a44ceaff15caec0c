package problem

import (
	"context"
	"errors"
	"fmt"

	"hyperv_replica_exporter/wmiquery"
)

// FromHost returns the problem for a failed read or call. The operation is the start of the detail.
func FromHost(operation string, err error) *Problem {
	types := []struct {
		is error
		t  Type
	}{
		{wmiquery.ErrDenied, AccessDenied},
		{wmiquery.ErrInvalidState, InvalidState},
		{wmiquery.ErrTimeout, HostTimeout},
		{context.DeadlineExceeded, HostTimeout},
		{wmiquery.ErrUnavailable, HostUnavailable},
		{context.Canceled, HostUnavailable},
		{wmiquery.ErrNotFound, NotFound},
		{wmiquery.ErrUnsupported, NotSupported},
	}
	// ErrBusy of a return code means that the object is in use. Otherwise it means that all workers are in use.
	if _, ok := errors.AsType[*wmiquery.CodeError](err); !ok {
		types = append(types, struct {
			is error
			t  Type
		}{wmiquery.ErrBusy, HostUnavailable})
	}
	for _, x := range types {
		if errors.Is(err, x.is) {
			return New(x.t, "%s", fmt.Errorf("%s: %w", operation, err))
		}
	}
	return New(HostFailed, "%s", fmt.Errorf("%s: %w", operation, err))
}

// FromCode returns the problem for the return code of a method that failed.
func FromCode(method string, code uint32) *Problem {
	err := &wmiquery.CodeError{Code: code}
	p := FromHost(method, err)
	switch code {
	case wmiquery.CodeCIMNotSupported:
		p = New(NotSupported, "%s: not supported (%d)", method, code)
	case wmiquery.CodeCIMInvalidParam:
		p = New(InvalidParameter, "%s: invalid parameter (%d)", method, code)
	case wmiquery.CodeStatusUnknown, wmiquery.CodeTimeout: // the call may have taken effect
		p = unknownOutcome(method, err)
	case wmiquery.CodeInUse:
		p = New(Busy, "%s: %v", method, err)
	case wmiquery.CodeInvalidParam, wmiquery.CodeInvalidDataType:
		p = New(InvalidParameter, "%s: %v", method, err)
	case wmiquery.CodeCIMTransition:
		p = New(InvalidState, "%s: the object cannot enter the requested state (%d)", method, code)
	case wmiquery.CodeNotAvailable, wmiquery.CodeOutOfMemory:
		p = New(HostUnavailable, "%s: %v", method, err)
	}
	return p.With("return_code", code)
}

// FromCall returns the problem for a call of a method that returned an error. The outcome is unknown unless the error
// says that the host did not make the call, or rejected it: after any other error the call may have taken effect.
func FromCall(method string, err error) *Problem {
	if wmiquery.IsRefusal(err) {
		return FromHost(method, err)
	}
	return unknownOutcome(method, err)
}

func unknownOutcome(method string, err error) *Problem {
	return New(OutcomeUnknown, "%s: %v; the call is not repeated, check the state of the VM", method, err)
}
