package collector

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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
	flights map[string]*flight // by key of the question, the last one that was asked
	open    map[string]int     // how often a question was asked and has no answer yet
	last    map[string]answer
	asked   map[string]time.Time
}

// question is something that the host is asked.
type question struct {
	key       string // what makes it the same question
	operation string // the class or the method
	ask       func(context.Context) (any, error)
	// keep, if not nil, is run once with an answer that is good and that counts.
	keep func(any)
}

// answer is what the host said to a question.
type answer struct {
	value any
	at    time.Time // by the host's clock
	err   error
}

// flight is a question that has been asked.
type flight struct {
	asked   time.Time
	started chan struct{} // closed when the host has been asked, or will not be
	done    chan struct{} // closed when answer is there
	answer  answer
	overdue chan struct{} // closed when the host has taken too long
}

// now is the answer if it is there, late or not, and silence if it is not.
func (f *flight) now() answer {
	select {
	case <-f.done:
		return f.answer
	default:
		return answer{err: wmiquery.ErrTimeout}
	}
}

// A question that hangs is asked once more after this many times the time after
// which it is overdue: a COM call may never return, and would silence its
// relationship for good. No third time: each may cost a worker.
const (
	retryOverdue = 20
	maxOpen      = 2
)

// ask joins the flight under way for a question, or starts one.
func (r *reads) ask(q question) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[q.key]; f != nil && (time.Since(f.asked) < retryOverdue*r.overdue || r.open[q.key] >= maxOpen) {
		return f
	}
	f := &flight{asked: time.Now(), started: make(chan struct{}), done: make(chan struct{}), overdue: make(chan struct{})}
	r.flights[q.key] = f
	r.open[q.key]++
	r.asked[q.key] = f.asked
	go r.fly(q, f)
	return f
}

// fly asks, measures, and lands with the answer. The clock runs from when the
// host is asked: waiting for a worker is not its doing.
func (r *reads) fly(q question, f *flight) {
	var began time.Time
	var late *time.Timer
	ctx := wmiquery.WithStarted(context.Background(), func() {
		began = time.Now()
		close(f.started)
		late = time.AfterFunc(r.overdue, func() {
			r.requests.observe(q.operation, time.Since(began), wmiquery.ErrTimeout)
			close(f.overdue)
		})
	})
	value, err := caught(func() (any, error) { return q.ask(ctx) })
	switch {
	case late == nil: // the host was not asked
		close(f.started)
		r.requests.total.WithLabelValues(q.operation, result(err)).Inc()
	case late.Stop():
		r.requests.observe(q.operation, time.Since(began), err)
	}
	r.land(q, f, answer{value, r.reader.Now(), err})
}

// caught runs f; if it panics it has only failed.
func caught[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = newPanicError(r)
		}
	}()
	return f()
}

// land keeps an answer. If the question has been asked again meanwhile, nobody can
// tell which moment the answer describes, so it is dropped.
func (r *reads) land(q question, f *flight, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[q.key]--; r.open[q.key] == 0 {
		delete(r.open, q.key)
	}
	if r.flights[q.key] != f {
		a = answer{at: a.at, err: wmiquery.ErrTimeout}
	} else {
		delete(r.flights, q.key)
	}
	if a.err == nil {
		if q.keep != nil {
			q.keep(a.value)
		}
		r.last[q.key] = a
	}
	f.answer = a
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

// lastAsked is when the question was last asked, the zero time if never.
func (r *reads) lastAsked(key string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[key]
}

// forget drops what is known of questions that nobody will ask any more.
func (r *reads) forget(gone func(key string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.asked {
		if gone(key) {
			delete(r.asked, key)
		}
	}
	for key := range r.last { // an answer may land after its question was forgotten
		if gone(key) {
			delete(r.last, key)
		}
	}
}

// isSilence tells a host that does not answer from one that says no.
func isSilence(err error) bool {
	return errors.Is(err, wmiquery.ErrTimeout) || errors.Is(err, wmiquery.ErrBusy) || errors.Is(err, wmiquery.ErrUnavailable)
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

// read reads every row of T's class. No rows, and no class where not every
// Windows has it, are believed of a host that shows its replication service: the
// error for the latter is a lackError.
func read[T wmiquery.Instance](ctx context.Context, v *view) (table[T], error) {
	var zero T
	class := zero.WMIClass().Name
	t, err := readAny[T](ctx, v)
	lacking := errors.Is(err, wmiquery.ErrUnsupported) && lackedBy[class] != ""
	if err != nil && !lacking || len(t.rows) > 0 {
		return t, err
	}
	if class == (msvm.ReplicationService{}).WMIClass().Name {
		return t, errNothing
	}
	services, err := readAny[msvm.ReplicationService](ctx, v)
	switch {
	case err != nil:
		return t, err
	case len(services.rows) == 0:
		return t, errNothing
	case lacking:
		return t, &lackError{class}
	}
	return t, nil
}

func readAny[T wmiquery.Instance](ctx context.Context, v *view) (table[T], error) {
	q := rowsQuestion(*new(T), v.reader)
	a, err := v.get(ctx, q)
	if err != nil {
		return table[T]{}, fmt.Errorf("read %s: %w", q.operation, err)
	}
	return table[T]{a.value.([]T), a.at}, nil
}

// rowsQuestion asks for every instance of row's class; the answer is a slice of
// row's type.
func rowsQuestion(row wmiquery.Instance, host wmiquery.Reader) question {
	class := row.WMIClass().Name
	return question{key: class, operation: class, ask: func(ctx context.Context) (any, error) {
		rows := reflect.New(reflect.SliceOf(reflect.TypeOf(row)))
		err := host.Read(ctx, rows.Interface())
		return rows.Elem().Interface(), err
	}}
}
