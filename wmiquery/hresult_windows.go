package wmiquery

import (
	"errors"
	"strings"

	"github.com/go-ole/go-ole"
)

// wbemInvalidQuery is WBEM_E_INVALID_QUERY from wbemcli.h. One of its causes is a column that the class does not have.
const wbemInvalidQuery = 0x80041017

// dispException is DISP_E_EXCEPTION from winerror.h: an automation call raised an exception, which has the actual code.
const dispException = 0x80020009

// scode returns the code of a failure of COM or WMI, 0 for any other error.
func scode(err error) uint32 {
	failure, ok := errors.AsType[*ole.OleError](err)
	if !ok {
		return 0
	}
	code := uint32(failure.Code())
	if x, ok := errors.AsType[ole.EXCEPINFO](failure.SubError()); ok && code == dispException {
		code = x.SCODE()
	}
	return code
}

// wmiError translates a failure of COM or WMI with NewHRESULTError. It returns any other error unchanged.
func wmiError(err error) error {
	failure, ok := errors.AsType[*ole.OleError](err)
	if !ok {
		return err
	}
	code := scode(err)
	text := strings.TrimSpace(failure.Description())
	if text == "" || text == "<nil>" { // what go-ole writes for an empty description
		text = "COM"
	}
	// The errors that wrap the failure say where the failure happened.
	prefix := strings.TrimSuffix(err.Error(), failure.Error())
	return NewHRESULTError(code, prefix+text)
}
