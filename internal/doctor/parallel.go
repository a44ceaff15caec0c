package doctor

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// Workers is how many classes are read at the same time to compare durations, and the number of workers with which the
// duration of a scrape is estimated. It is the default of --wmi.workers of the exporter.
const Workers = 4

// parallelReads describes reads of several classes at the same time.
type parallelReads struct {
	result
	classes   int
	alone     time.Duration // the longest of the same reads before, one after another
	allBefore time.Duration // the sum of these
}

// readParallel reads the classes that took longest again, at the same time. It reads none if the host has not answered
// in time before.
func (h *host) readParallel(ctx context.Context) error {
	var slowest []table
	for _, t := range h.tables {
		if isLate(t.err) {
			return nil
		}
		if t.err == nil {
			slowest = append(slowest, t)
		}
	}
	if len(slowest) < Workers {
		return nil
	}
	slices.SortStableFunc(slowest, func(a, b table) int { return cmp.Compare(b.took, a.took) })
	slowest = slowest[:Workers]
	p := &parallelReads{classes: len(slowest), alone: slowest[0].took}
	for _, t := range slowest {
		p.allBefore += t.took
	}
	var err error
	p.result, err = h.timed(ctx, "several classes", func(ctx context.Context) error {
		errs := make([]error, len(slowest))
		var reads sync.WaitGroup
		for i, t := range slowest {
			rows := reflect.New(reflect.TypeOf(t.Rows).Elem())
			reads.Go(func() {
				err := h.Reader.Read(ctx, rows.Interface())
				if _, ok := wmiquery.InvalidValues(err); !ok {
					errs[i] = err
				}
			})
		}
		reads.Wait()
		return errors.Join(errs...)
	})
	h.parallel = p
	return err
}

func answerCallDuration(h *host) Row {
	if h.parallel == nil {
		return seen(NotChecked, "classes could not be read")
	}
	p := h.parallel
	if p.err != nil {
		return seen(Answered, "%d reads at the same time fail after %v: %s", p.classes, rounded(p.took), h.describe(p.err))
	}
	return seen(Answered, "the %d slowest classes take at most %v for each, %v one after another, and %v at the same time",
		p.classes, rounded(p.alone), rounded(p.allBefore), rounded(p.took))
}
