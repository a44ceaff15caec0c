package wmiquery

import (
	"errors"
	"strings"

	"github.com/go-ole/go-ole"
)

// wbemInvalidQuery is WBEM_E_INVALID_QUERY from wbemcli.h: a column that the
// class lacks, among others.
const wbemInvalidQuery = 0x80041017

// dispException is the HRESULT of an automation call that raised an exception;
// the exception has the code that matters.
const dispException = 0x80020009

// scode is the code that COM or WMI failed with, 0 if err is none of theirs.
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

// wmiError writes a failure of COM or WMI with its code, and makes it match the
// sentinel that stands for it.
func wmiError(err error) error {
	failure, ok := errors.AsType[*ole.OleError](err)
	if !ok {
		return err
	}
	code := scode(err)
	text := strings.TrimSpace(failure.Description())
	if text == "" || text == "<nil>" { // as go-ole writes none
		text = "COM"
	}
	// What was wrapped around the failure says where it happened.
	where := strings.TrimSuffix(err.Error(), failure.Error())
	return NewHRESULTError(code, where+text)
}
