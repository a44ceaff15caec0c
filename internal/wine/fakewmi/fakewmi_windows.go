// Package fakewmi stands in for WMI where there is none: it serves a host that
// is a [wmiquery.Session] as the scripting objects behind
// WbemScripting.SWbemLocator, to clients that know nothing of it.
//
// It keeps to what is known of those objects where clients trip over it: 64-bit
// integers are text, smaller unsigned ones come as signed, arrays hold VARIANTs,
// references are full paths, failures are exceptions with an SCODE. It is true
// to Windows as far as that knowledge goes, and no further.
package fakewmi

import (
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"hyperv_replica_exporter/wmiquery"
)

// Host is what is served.
type Host struct {
	// Open opens a session on the host behind. Each ConnectServer does.
	Open func() (wmiquery.Session, error)
	// Before, if not nil, may fail an operation, with an *Exception for a code of
	// choice. Operations are connect (a namespace), query (its text), next (the
	// row's number), get (a class), property (its name) and exec (a method).
	Before func(operation, subject string) error
	// Lacks are the properties that this Windows does not have.
	Lacks map[string]bool
	// Objects gives embedded instances as objects, not as text. Which of the two
	// Windows does for the arrays of GetReplicationStatisticsEx is not certain.
	Objects bool
}

// locator is what clients ask for.
const locator = "WbemScripting.SWbemLocator"

// Serve serves the host to this process until the test ends, and then sees that
// the client has released everything: whoever opens sessions of the client
// registers their end with t.Cleanup after calling Serve.
func Serve(t testing.TB, h *Host) {
	t.Helper()
	class, err := classOf(locator)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := register(class, inProcess, h.locator)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		// Package wmi says that it has closed before it releases its last objects.
		if !awaitNone(20 * time.Second) {
			t.Errorf("the client holds %d COM objects after its end", Live())
		}
	})
}

// ServeProcesses serves the host to other processes until stop is called. They
// must find class under the name of WMI's locator: in the registry, as the
// value of HKCR\WbemScripting.SWbemLocator\CLSID.
func ServeProcesses(class string, h *Host) (stop func(), err error) {
	id, err := windows.GUIDFromString(class)
	if err != nil {
		return nil, err
	}
	return register(id, ownProcess, h.locator)
}
