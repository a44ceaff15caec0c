package collector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// reads are the questions to the host that are under way and the last good
// answers. A question is asked once at a time, however many want the answer: it
// goes on when those who asked have left, and its answer is there for the next.
type reads struct {
	reader   wmiquery.Reader
	requests *requests
	overdue  time.Duration // a question not answered by then keeps nobody waiting
	maxAge   time.Duration // an answer older than that is not shown

	mu      sync.Mutex
	flights map[string]*flight
	last    map[string]answer
}

// answer is what the host said to a question.
type answer struct {
	value any
	at    time.Time // by the host's clock
	err   error
}

// flight is a question that has been asked.
type flight struct {
	started time.Time
	done    chan struct{} // closed when answer is there
	answer  answer
	overdue chan struct{} // closed when it has taken too long
}

// retryOverdue is how many times the time after which a question is overdue must
// pass before it is asked again beside the one that hangs. Each such try may cost
// the pool a worker, so that it must be rare; without it a COM call that never
// returns would silence its relationship for good.
const retryOverdue = 20

// ask joins the flight under way for a question, or starts one.
func (r *reads) ask(key, operation string, question func() (any, error)) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[key]; f != nil && time.Since(f.started) < retryOverdue*r.overdue {
		return f
	}
	f := &flight{started: time.Now(), done: make(chan struct{}), overdue: make(chan struct{})}
	r.flights[key] = f
	go func() {
		late := time.AfterFunc(r.overdue, func() {
			r.requests.observe(operation, time.Since(f.started), wmiquery.ErrTimeout)
			close(f.overdue)
		})
		value, err := question()
		if late.Stop() {
			r.requests.observe(operation, time.Since(f.started), err)
		}
		f.answer = answer{value, r.reader.Now(), err}
		r.land(key, f)
	}()
	return f
}

func (r *reads) land(key string, f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flights[key] == f {
		delete(r.flights, key)
	}
	if f.answer.err == nil && !f.answer.at.Before(r.last[key].at) {
		r.last[key] = f.answer
	}
	close(f.done)
}

// lastGood is the last good answer, if it is not too old to be shown.
func (r *reads) lastGood(key string) (answer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.last[key]
	return a, ok && r.reader.Now().Sub(a.at) <= r.maxAge
}

// lastAt is when the last good answer came, the zero time if never.
func (r *reads) lastAt(key string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[key].at
}

// forget drops the last good answers whose key is not wanted any more.
func (r *reads) forget(gone func(key string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.last {
		if gone(key) {
			delete(r.last, key)
		}
	}
}

// round is what scrapes that overlap share: in one round each question is asked
// once.
type round struct {
	*reads
	mu    sync.Mutex
	asked map[string]*flight
}

func (r *round) ask(key, operation string, question func() (any, error)) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.asked[key]
	if f == nil {
		f = r.reads.ask(key, operation, question)
		r.asked[key] = f
	}
	return f
}

// view is the host as one collector sees it in one scrape.
type view struct {
	*round
	mu     sync.Mutex
	oldest time.Time // when the oldest answer it got was given
	late   []string  // the operations that did not answer in time
}

// get asks and waits for the answer: the fresh one if it comes in time, else the
// last good one, else an error.
func (v *view) get(ctx context.Context, key, operation string, question func() (any, error)) (answer, error) {
	f := v.ask(key, operation, question)
	var a answer
	select {
	case <-f.done:
		a = f.answer
	case <-f.overdue:
		a.err = wmiquery.ErrTimeout
	case <-ctx.Done():
		select {
		case <-f.done: // both came at once
			a = f.answer
		default:
			a.err = wmiquery.ErrTimeout
		}
	}
	if isSilence(a.err) {
		last, ok := v.lastGood(key)
		if !ok {
			return a, a.err
		}
		v.noteLate(operation)
		a = last
	}
	if a.err == nil {
		v.noteTime(a.at)
	}
	return a, a.err
}

// isSilence tells a host that does not answer from one that says no.
func isSilence(err error) bool {
	return errors.Is(err, wmiquery.ErrTimeout) || errors.Is(err, wmiquery.ErrBusy) || errors.Is(err, wmiquery.ErrUnavailable)
}

func (v *view) noteLate(operation string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.late = append(v.late, operation)
}

func (v *view) noteTime(t time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.oldest.IsZero() || t.Before(v.oldest) {
		v.oldest = t
	}
}

// table is the rows of a class and when they were read, by the host's clock.
type table[T any] struct {
	rows []T
	at   time.Time
}

// errNothing is how missing rights look: Hyper-V then answers every query, even
// that for its own service, with no rows and no error.
var errNothing = fmt.Errorf("Hyper-V shows nothing at all, not even its replication service: "+
	"run as Administrator or as a member of Hyper-V Administrators, and check that the service vmms runs: %w", wmiquery.ErrDenied)

// read reads every row of T's class.
func read[T wmiquery.Instance](ctx context.Context, v *view) (table[T], error) {
	t, err := readAny[T](ctx, v)
	if err != nil || len(t.rows) > 0 {
		return t, err
	}
	services, err := readAny[msvm.ReplicationService](ctx, v)
	if err == nil && len(services.rows) == 0 {
		return t, errNothing
	}
	return t, err
}

func readAny[T wmiquery.Instance](ctx context.Context, v *view) (table[T], error) {
	var zero T
	class := zero.WMIClass().Name
	a, err := v.get(ctx, class, class, func() (any, error) {
		return wmiquery.All[T](context.WithoutCancel(ctx), v.reader)
	})
	if err != nil {
		return table[T]{}, fmt.Errorf("read %s: %w", class, err)
	}
	return table[T]{a.value.([]T), a.at}, nil
}
