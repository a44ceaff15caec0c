// Package fakewmi is a fake of WMI for tests under Wine, which does not have the classes of Hyper-V. It serves the data
// of a [wmiquery.Session] as the scripting objects of WbemScripting.SWbemLocator. Clients need no changes.
//
// It reproduces the known properties of those objects that affect clients: 64-bit integers are strings, smaller
// unsigned integers are signed, arrays have VARIANT elements, references are absolute paths, and failures are
// exceptions with an SCODE. Windows may differ in other respects.
package fakewmi

import (
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"hyperv_replica_exporter/wmiquery"
)

// Host is the host that the package serves.
type Host struct {
	// Open opens a session with the host. Each ConnectServer calls it.
	Open func() (wmiquery.Session, error)
	// Before, if not nil, is called before each operation and may return an error, which fails the operation. An
	// *Exception selects the code. The operations and their subjects are connect (a namespace), query (the query), next
	// (the number of the row), gettext (the number of the row), get (a class), property (its name in lower case, or that
	// of an out parameter) and exec (a method).
	Before func(operation, subject string) error
	// MissingProperties are the properties that this version of Windows does not have.
	MissingProperties map[string]bool
	// Objects returns embedded instances as objects instead of strings. It is not known which of the two Windows returns
	// for the arrays of GetReplicationStatisticsEx.
	Objects bool
}

// locatorProgID is the ProgID of the class that clients create.
const locatorProgID = "WbemScripting.SWbemLocator"

// Serve serves the host to this process until the test ends. Then it checks that the client has released all objects: a
// caller that opens sessions must close them with t.Cleanup after the call of Serve.
func Serve(t testing.TB, h *Host) {
	t.Helper()
	class, err := classOf(locatorProgID)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := register(class, inProcess, h.locator)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		// Close of package wmi returns before the last objects are released.
		if !waitForRelease(20 * time.Second) {
			t.Errorf("the client has not released %d COM objects", Live())
		}
	})
}

// ServeProcesses serves the host to other processes until stop is called. The class must be registered as the locator
// of WMI: as the value of HKCR\WbemScripting.SWbemLocator\CLSID in the registry.
func ServeProcesses(class string, h *Host) (stop func(), err error) {
	id, err := windows.GUIDFromString(class)
	if err != nil {
		return nil, err
	}
	return register(id, ownProcess, h.locator)
}
