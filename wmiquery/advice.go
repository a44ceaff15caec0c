package wmiquery

import "errors"

// AdviceRights is what to do about missing rights. Hyper-V often returns nothing in place of an error then.
const AdviceRights = "Run the program in a console that was started with Run as administrator, " +
	"or make its account a member of Hyper-V Administrators and start it again: see docs/install.md"

// Advice returns what to do about an error that makes a host unreadable, "" for other errors.
func Advice(err error) string {
	switch {
	case errors.Is(err, ErrDenied):
		return AdviceRights
	case errors.Is(err, ErrUnsupported):
		return "Install the Hyper-V role. If it is installed, the WMI classes are damaged: " +
			"see HyperVReplicaHostUnreadable in docs/runbooks.md"
	case errors.Is(err, ErrUnavailable):
		return "Check the services winmgmt and vmms"
	}
	return ""
}
