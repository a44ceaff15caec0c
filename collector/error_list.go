package collector

import (
	"fmt"
	"slices"
	"strings"
)

// errorList combines the errors of several queries of the same kind.
type errorList struct {
	text   string
	causes []error
}

// newErrorList returns the error for what could not be read of items, such as
// "statistics" and "relationships". errs has an error or nil for each item. The result
// is nil if all are nil. Its text names only the first few items, to keep log lines
// short.
func newErrorList(what, items string, errs []error, name func(i int) string) error {
	const shown = 3
	e := &errorList{}
	var texts []string
	for i, err := range errs {
		if err == nil {
			continue
		}
		texts = append(texts, fmt.Sprintf("%s: %.300v", name(i), err))
		e.causes = append(e.causes, err)
	}
	if len(e.causes) == 0 {
		return nil
	}
	slices.Sort(texts)
	if len(texts) > shown {
		texts = append(texts[:shown], "…")
	}
	e.text = fmt.Sprintf("%s of %d %s: %s", what, len(e.causes), items, strings.Join(texts, "; "))
	return e
}

func (e *errorList) Error() string { return e.text }

// Unwrap returns the errors of the queries.
func (e *errorList) Unwrap() []error { return e.causes }
