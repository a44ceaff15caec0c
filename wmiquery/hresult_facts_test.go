package wmiquery

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// sentinels are all sentinel errors of this package.
var sentinels = []error{
	ErrNotFound, ErrUnsupported, ErrDenied, ErrBusy, ErrTimeout, ErrInvalidState, ErrUnavailable,
}

// checkSentinel checks that err wraps exactly one sentinel, want, or none if want is nil.
func checkSentinel(t *testing.T, err, want error) {
	t.Helper()
	wrapped := slices.DeleteFunc(slices.Clone(sentinels), func(s error) bool { return !errors.Is(err, s) })
	if want == nil && len(wrapped) > 0 || want != nil && !slices.Equal(wrapped, []error{want}) {
		t.Errorf("%q wraps the sentinels %q, want %v", err, wrapped, want)
	}
}

// hresultFacts has the codes of COM and WMI that this package recognizes.
//
// Sources: wbemcli.h (page "WMI Error Constants" and "WMI Non-Error Constants" of Microsoft's WMI documentation, and
// MS-WMI 2.2.11, WBEMSTATUS) for names that start with WBEM; winerror.h for the others. 0x800706nn is an RPC error in
// the form HRESULT_FROM_WIN32: 1722 is 0x6BA, 1726 is 0x6BE, 1727 is 0x6BF. The sentinels are a choice of this package.
var hresultFacts = []struct {
	name     string
	code     uint32
	sentinel error
}{
	{"WBEM_E_NOT_FOUND", 0x80041002, ErrNotFound},

	{"WBEM_E_ACCESS_DENIED", 0x80041003, ErrDenied},
	{"WBEM_E_PRIVILEGE_NOT_HELD", 0x80041062, ErrDenied},
	{"E_ACCESSDENIED", 0x80070005, ErrDenied},

	{"WBEM_E_NOT_SUPPORTED", 0x8004100C, ErrUnsupported},
	{"WBEM_E_INVALID_NAMESPACE", 0x8004100E, ErrUnsupported},
	{"WBEM_E_INVALID_CLASS", 0x80041010, ErrUnsupported},
	{"WBEM_E_INVALID_METHOD", 0x8004102E, ErrUnsupported},
	{"WBEM_E_METHOD_NOT_IMPLEMENTED", 0x80041055, ErrUnsupported},
	{"DISP_E_UNKNOWNNAME", 0x80020006, ErrUnsupported},
	{"REGDB_E_CLASSNOTREG", 0x80040154, ErrUnsupported},

	{"WBEM_E_CALL_CANCELLED", 0x80041032, ErrBusy},
	{"WBEM_E_SERVER_TOO_BUSY", 0x80041045, ErrBusy},
	{"WBEM_E_QUOTA_VIOLATION", 0x8004106C, ErrBusy},
	{"RPC_E_SERVERCALL_RETRYLATER", 0x8001010A, ErrBusy},

	{"WBEM_E_TIMED_OUT", 0x80041069, ErrTimeout},
	{"WBEM_E_PROVIDER_TIMED_OUT", 0x80041088, ErrTimeout},
	{"WBEM_S_TIMEDOUT", 0x00040004, ErrTimeout},

	{"WBEM_E_PROVIDER_LOAD_FAILURE", 0x80041013, ErrUnavailable},
	{"WBEM_E_INITIALIZATION_FAILURE", 0x80041014, ErrUnavailable},
	{"WBEM_E_TRANSPORT_FAILURE", 0x80041015, ErrUnavailable},
	{"WBEM_E_FATAL_TRANSPORT_ERROR", 0x80041086, ErrUnavailable},
	{"WBEM_E_SHUTTING_DOWN", 0x80041033, ErrUnavailable},
	{"RPC_S_SERVER_UNAVAILABLE", 0x800706BA, ErrUnavailable},
	{"RPC_S_CALL_FAILED", 0x800706BE, ErrUnavailable},
	{"RPC_S_CALL_FAILED_DNE", 0x800706BF, ErrUnavailable},
	{"RPC_E_DISCONNECTED", 0x80010108, ErrUnavailable},
	{"RPC_E_SERVER_DIED", 0x80010007, ErrUnavailable},
	{"RPC_E_SERVER_DIED_DNE", 0x80010012, ErrUnavailable},
	{"CO_E_OBJNOTCONNECTED", 0x800401FD, ErrUnavailable},
}

func TestHRESULTsWrapTheirSentinels(t *testing.T) {
	for _, f := range hresultFacts {
		t.Run(f.name, func(t *testing.T) {
			err := NewHRESULTError(f.code, "read X")
			checkSentinel(t, err, f.sentinel)
			if want := fmt.Sprintf("read X (0x%08X): %v", f.code, f.sentinel); err.Error() != want {
				t.Errorf("got error %q, want %q", err, want)
			}
		})
	}
	if len(hresultSentinels) != len(hresultFacts) {
		t.Errorf("hresultSentinels has %d codes, want %d", len(hresultSentinels), len(hresultFacts))
	}
	for code := range hresultSentinels {
		if !hasFact(code) {
			t.Errorf("code 0x%08X is not in the table of the test", code)
		}
	}
}

// Neither the other codes of WMI (0x80041001 to 0x8004108A), nor those that say little about the cause, nor those that
// differ from a known code by one bit wrap a sentinel.
func TestOtherHRESULTsWrapNoSentinel(t *testing.T) {
	others := []uint32{
		0x00000000, // S_OK
		0x00000001, // S_FALSE
		0x80004001, // E_NOTIMPL
		0x80004005, // E_FAIL
		0x80020009, // DISP_E_EXCEPTION
		0x8007000E, // E_OUTOFMEMORY
		0x80070057, // E_INVALIDARG
		0x80010105, // RPC_E_SERVERFAULT
		0x80338029, // a timeout of WS-Management
	}
	for code := uint32(0x80041001); code <= 0x8004108A; code++ {
		others = append(others, code)
	}
	for _, f := range hresultFacts {
		for bit := range 32 {
			others = append(others, f.code^1<<bit)
		}
	}
	for _, code := range others {
		if hasFact(code) {
			continue
		}
		err := NewHRESULTError(code, "read X")
		checkSentinel(t, err, nil)
		if want := fmt.Sprintf("read X (0x%08X)", code); err.Error() != want {
			t.Errorf("got error %q, want %q", err, want)
		}
	}
}

func hasFact(code uint32) bool {
	for _, f := range hresultFacts {
		if f.code == code {
			return true
		}
	}
	return false
}

// A refusal leaves the session usable; after any other failure, the pool opens a new one.
func TestRefusalsKeepTheSession(t *testing.T) {
	refusals := []error{ErrNotFound, ErrUnsupported, ErrDenied, ErrBusy, ErrInvalidState}
	for _, sentinel := range sentinels {
		want := slices.Contains(refusals, sentinel)
		if got := IsRefusal(fmt.Errorf("read X: %w", sentinel)); got != want {
			t.Errorf("%q: got %v, want %v", sentinel, got, want)
		}
	}
}

// A failure of COM or WMI keeps its code and its text, without the operations that wrap it. Any other error gets a code
// that stands for its sentinel, or WBEM_E_FAILED.
func TestToHRESULTError(t *testing.T) {
	failure := NewHRESULTError(0x8004100E, "no namespace")
	for _, tt := range []struct {
		err  error
		code uint32
		text string
	}{
		{failure, 0x8004100E, "no namespace"},
		{fmt.Errorf("read X: %w", failure), 0x8004100E, "no namespace"},
		{NewHRESULTError(0x80041001, "x"), 0x80041001, "x"},
		{fmt.Errorf("X: %w", ErrNotFound), 0x80041002, "X: not found"},
		{fmt.Errorf("X: %w", ErrDenied), 0x80041003, "X: access denied"},
		{fmt.Errorf("X: %w", ErrUnsupported), 0x80041010, "X: not supported by this host"},
		{ErrBusy, 0x80041045, "busy"},
		{ErrTimeout, 0x80041069, "timed out"},
		{ErrUnavailable, 0x800706BA, "connection lost"},
		{ErrInvalidState, 0x80041001, "invalid state"},
		{errors.New("other"), 0x80041001, "other"},
	} {
		if got := ToHRESULTError(tt.err); got.Code != tt.code || got.Text != tt.text {
			t.Errorf("%v: got code 0x%08X, text %q; want 0x%08X, %q", tt.err, got.Code, got.Text, tt.code, tt.text)
		}
	}
}
