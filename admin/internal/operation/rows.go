package operation

import (
	"context"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// rows are the instances of a class. Values that the host returned in a form that their type does not allow are null.
type rows[T wmiquery.Instance] struct {
	all     []T
	invalid []wmiquery.InvalidValue
	// texts has the host's own text of each instance, if readTexts has read them.
	texts []wmiquery.Embedded
}

// readRows reads the instances of T's class. Invalid values are no error: they must not stop actions that do not need
// them.
func readRows[T wmiquery.Instance](ctx context.Context, r wmiquery.Reader) (rows[T], error) {
	all, err := wmiquery.All[T](ctx, r)
	invalid, ok := wmiquery.InvalidValues(err)
	if !ok {
		return rows[T]{}, err
	}
	return rows[T]{all: all, invalid: invalid}, nil
}

// readTexts reads the instances of T's class like readRows, from the host's own texts. The call that changes an
// instance has the same text, so that what the plan says and what the host gets come from one read.
func readTexts[T wmiquery.Instance](ctx context.Context, r wmiquery.Reader) (rows[T], error) {
	class := (*new(T)).WMIClass()
	texts, err := r.Texts(ctx, class)
	var read rows[T]
	for _, text := range texts {
		var row T
		_, err := cimxml.Unmarshal(string(text), &row)
		var ok bool
		if read.invalid, ok = wmiquery.AppendInvalid(read.invalid, class.Name, "", len(read.all), &row, err); ok {
			read.all, read.texts = append(read.all, row), append(read.texts, text)
		}
	}
	return read, err
}

// check returns an error if row i has an invalid value. Such an instance cannot be changed: what the change destroys
// follows from the values before it.
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
