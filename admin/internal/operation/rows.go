package operation

import (
	"context"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
)

// rows are the instances of a class. Values that the host returned in a form that their type does not allow are null.
type rows[T wmiquery.Instance] struct {
	all     []T
	invalid []wmiquery.InvalidValue
}

// readRows reads the instances of T's class. Invalid values are no error: they must not stop actions that do not need
// them.
func readRows[T wmiquery.Instance](ctx context.Context, r wmiquery.Reader) (rows[T], error) {
	all, err := wmiquery.All[T](ctx, r)
	invalid, ok := wmiquery.InvalidValues(err)
	if !ok {
		return rows[T]{}, err
	}
	return rows[T]{all, invalid}, nil
}

// check returns an error if row i has an invalid value. Such a row must not be sent to the host as a whole, because the
// host would take the null for a change.
func (r rows[T]) check(i int) error {
	for _, v := range r.invalid {
		if v.Row == i {
			return invalidError(v)
		}
	}
	return nil
}

// checkUnreadable returns an error if there is an instance that could not be read.
func (r rows[T]) checkUnreadable() error { return r.check(-1) }

func invalidError(v wmiquery.InvalidValue) error {
	return problem.AsError(problem.New(problem.HostFailed, "the host returned an invalid value: %v", v))
}
