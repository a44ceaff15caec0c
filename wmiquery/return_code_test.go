package wmiquery_test

import (
	"errors"
	"testing"

	"hyperv_replica_exporter/wmiquery"
)

func TestCodeError(t *testing.T) {
	for code, want := range map[uint32]error{
		wmiquery.CodeAccessDenied: wmiquery.ErrDenied,
		wmiquery.CodeInUse:        wmiquery.ErrBusy,
		wmiquery.CodeInvalidState: wmiquery.ErrInvalidState,
		wmiquery.CodeNotSupported: wmiquery.ErrUnsupported,
		wmiquery.CodeTimeout:      wmiquery.ErrTimeout,
		wmiquery.CodeFileNotFound: wmiquery.ErrNotFound,
	} {
		err := wmiquery.Reply{Code: code}.Err()
		if !errors.Is(err, want) {
			t.Errorf("code %d gives error %v, want %v", code, err, want)
		}
	}
	err := wmiquery.Reply{Code: 32768}.Err()
	if err == nil || errors.Is(err, wmiquery.ErrDenied) || err.Error() != "failed (32768)" {
		t.Errorf("code 32768 gives error %v", err)
	}
	if err := (wmiquery.Reply{Code: 7}).Err(); err == nil || err.Error() != "return code 7" {
		t.Errorf("code 7 gives error %v", err)
	}
	for _, code := range []uint32{wmiquery.CodeCompleted, wmiquery.CodeJobStarted} {
		if err := (wmiquery.Reply{Code: code}).Err(); err != nil {
			t.Errorf("code %d gives error %v, want none", code, err)
		}
	}
}
