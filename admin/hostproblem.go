package admin

import (
	"context"
	"errors"
	"fmt"

	"hyperv_replica_exporter/wmiquery"
)

// hostProblem is the problem that a failure of the host is.
func hostProblem(doing string, err error) *problem {
	kinds := []struct {
		is error
		k  kind
	}{
		{wmiquery.ErrDenied, kindHostDenied},
		{wmiquery.ErrInvalidState, kindState},
		{wmiquery.ErrTimeout, kindTimeout},
		{context.DeadlineExceeded, kindTimeout},
		{wmiquery.ErrUnavailable, kindUnavailable},
		{context.Canceled, kindUnavailable},
		{wmiquery.ErrNotFound, kindNotFound},
		{wmiquery.ErrUnsupported, kindUnsupported},
	}
	if _, ok := errors.AsType[*wmiquery.CodeError](err); !ok { // the object of a code is in use; of anything else, the workers are
		kinds = append(kinds, struct {
			is error
			k  kind
		}{wmiquery.ErrBusy, kindUnavailable})
	}
	for _, x := range kinds {
		if errors.Is(err, x.is) {
			return refuse(x.k, "%s", fmt.Errorf("%s: %w", doing, err))
		}
	}
	return refuse(kindHostFailed, "%s", fmt.Errorf("%s: %w", doing, err))
}

// codeProblem is the problem that a method's refusal is.
func codeProblem(method string, code uint32) *problem {
	err := &wmiquery.CodeError{Code: code}
	p := hostProblem(method, err)
	switch code {
	case wmiquery.CodeCIMNotSupported:
		p = refuse(kindUnsupported, "%s: %v", method, err)
	case wmiquery.CodeStatusUnknown, wmiquery.CodeTimeout: // it may have been done
		p = refuse(kindUnknown, "%s: %v; it is not called again: look at the VM", method, err)
	case wmiquery.CodeInUse:
		p = refuse(kindBusy, "%s: %v", method, err)
	case wmiquery.CodeInvalidParam, wmiquery.CodeInvalidDataType, wmiquery.CodeCIMInvalidParam:
		p = refuse(kindParameter, "%s: %v", method, err)
	case wmiquery.CodeCIMTransition:
		p = refuse(kindState, "%s: %v", method, err)
	case wmiquery.CodeNotAvailable, wmiquery.CodeOutOfMemory:
		p = refuse(kindUnavailable, "%s: %v", method, err)
	}
	return p.with("return_code", code)
}
