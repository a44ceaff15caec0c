package collector

import (
	"errors"
	"fmt"
	"slices"

	"hyperv_replica_exporter/wmiquery"
)

// missingClassError means that a host with Hyper-V does not have a class that some
// versions of Windows do not have. See missingOn.
type missingClassError struct{ class string }

func (e *missingClassError) Error() string {
	return fmt.Sprintf("%s: missing, as on %s", e.class, missingOn[e.class])
}

// Is reports whether target is wmiquery.ErrUnsupported.
func (e *missingClassError) Is(target error) bool { return target == wmiquery.ErrUnsupported }

// isMissingClass reports whether one of the errors in err is a missingClassError.
func isMissingClass(err error) bool {
	_, ok := errors.AsType[*missingClassError](err)
	return ok
}

// onlyMissingClasses reports whether all errors in err are missingClassErrors.
func onlyMissingClasses(err error) bool { return isOnly(err, isMissingClass) }

// isOnly reports whether each error in err is of one of the kinds. It returns false
// for nil.
func isOnly(err error, kinds ...func(error) bool) bool {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return slices.ContainsFunc(kinds, func(is func(error) bool) bool { return is(err) })
	}
	for _, e := range joined.Unwrap() {
		if !isOnly(e, kinds...) {
			return false
		}
	}
	return true
}
