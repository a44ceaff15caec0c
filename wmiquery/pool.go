package wmiquery

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// PoolOptions configures a Pool.
type PoolOptions struct {
	// Open opens a session. Each worker opens, uses and closes its session on its own goroutine.
	Open func() (Session, error)
	// Now returns the time of the host's clock.
	Now func() time.Time
	// Workers is the number of workers for reads. There are as many workers for method calls.
	Workers int
	// StuckAfter is the time after which a worker whose read or call has not returned counts as stuck.
	StuckAfter time.Duration
	// MaxStuck is the maximum number of stuck workers that are replaced at a time, for reads and for method calls
	// separately. Further stuck workers are not replaced. The last replacement is not for the class or the method that
	// has all other workers. When all workers are stuck, or all that a class or a method may have, requests fail with
	// ErrBusy.
	MaxStuck int
}

// Pool is a Reader and an Invoker on top of a pool of sessions. Sessions cannot be cancelled, so a call whose context
// ends is abandoned: the caller gets the error of the context, and the call continues in the background.
//
// Reads of classes and method calls have separate workers: methods that hang, such as those that wait for an
// unreachable partner host, must not block the reads that the host still answers. For the same reason a free worker
// takes the request of the class or the method that has the fewest running requests; they take turns if there are
// several.
//
// A worker opens its session with its first task. After an error that is neither a refusal ([IsRefusal]) nor an
// [*InvalidValuesError], it closes the session and opens a new one with the next task.
type Pool struct {
	now          func() time.Time
	reads, calls *workQueue
}

// PoolStats are statistics about the workers of a pool.
type PoolStats struct {
	Stuck    int // number of workers whose call has taken longer than StuckAfter and has not returned
	Restarts int // number of replacement workers that were started since the start of the program
}

// NewPool returns a pool and starts its workers. It does not open a session.
func NewPool(o PoolOptions) *Pool { return &Pool{o.Now, newWorkQueue(o), newWorkQueue(o)} }

// Read implements [Reader]. The rows of an abandoned call are discarded. To get late rows, pass a context that does
// not end.
func (p *Pool) Read(ctx context.Context, dst any) error {
	class, _ := classOf(dst)
	return p.read(ctx, class.Name, dst, func(s Session, rows any) error { return s.Read(rows) })
}

// read fills dst with the rows of an operation.
func (p *Pool) read(ctx context.Context, operation string, dst any, run func(s Session, rows any) error) error {
	if _, ok := classOf(dst); !ok {
		return fmt.Errorf("read into a %T: not a pointer to a slice of instances", dst)
	}
	// The worker fills its own slice, because the caller may use dst again when ctx ends.
	rows := reflect.New(reflect.TypeOf(dst).Elem())
	err := p.reads.do(ctx, operation, func(s Session) error { return run(s, rows.Interface()) })
	if _, ok := InvalidValues(err); ok {
		reflect.ValueOf(dst).Elem().Set(rows.Elem())
	}
	return err
}

// Texts implements [Reader].
func (p *Pool) Texts(ctx context.Context, class Class) ([]Embedded, error) {
	texts := make(chan []Embedded, 1)
	err := p.reads.do(ctx, class.Name, func(s Session) error {
		all, err := s.Texts(class)
		texts <- all
		return err
	})
	if err != nil {
		return nil, err
	}
	return <-texts, nil
}

// classOf returns the class of dst, a pointer to a slice of instances.
func classOf(dst any) (class Class, ok bool) {
	t := reflect.TypeOf(dst)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Slice {
		return Class{}, false
	}
	row, ok := reflect.TypeAssert[Instance](reflect.Zero(t.Elem().Elem()))
	if !ok {
		return Class{}, false
	}
	return row.WMIClass(), true
}

// Get implements [Reader].
func (p *Pool) Get(ctx context.Context, call Call) (Reply, error) {
	if !IsGetMethod(call.Method) {
		return Reply{}, fmt.Errorf("method %s may change the host: %w", call.Method, ErrUnsupported)
	}
	return p.Invoke(ctx, call)
}

// Invoke implements [Invoker]. An abandoned call may still take effect.
func (p *Pool) Invoke(ctx context.Context, call Call) (Reply, error) {
	reply := make(chan Reply, 1)
	err := p.calls.do(ctx, call.Method, func(s Session) error {
		r, err := s.Call(call)
		reply <- r
		return err
	})
	if err != nil {
		return Reply{}, err
	}
	return <-reply, nil
}

// Now implements [Reader].
func (p *Pool) Now() time.Time { return p.now() }

// Stats returns the statistics of all workers, for reads and for method calls.
func (p *Pool) Stats() PoolStats {
	reads, calls := p.reads.stats(), p.calls.stats()
	return PoolStats{Stuck: reads.Stuck + calls.Stuck, Restarts: reads.Restarts + calls.Restarts}
}

// Close stops the workers and waits for those that are not stuck.
func (p *Pool) Close() {
	for _, q := range []*workQueue{p.reads, p.calls} {
		q.close()
	}
	for _, q := range []*workQueue{p.reads, p.calls} {
		q.active.Wait()
	}
}

// startedKey is the context key of WithStarted.
type startedKey struct{}

// WithStarted returns a context that makes a Reader or an Invoker call f when it starts to talk to the host. The time
// before that is time in the queue of the pool. f is called at most once, on any goroutine.
func WithStarted(ctx context.Context, f func()) context.Context {
	return context.WithValue(ctx, startedKey{}, f)
}

// WithStartedOnce returns a context for several requests, of which only the first that talks to the host calls the
// function of WithStarted.
func WithStartedOnce(ctx context.Context) context.Context {
	return WithStarted(ctx, sync.OnceFunc(StartedFunc(ctx)))
}

// StartedFunc returns the function of WithStarted, or a function that does nothing.
func StartedFunc(ctx context.Context) func() {
	if f, ok := ctx.Value(startedKey{}).(func()); ok {
		return f
	}
	return func() {}
}

// Associated implements [Reader]. All objects of an association are one operation.
func (p *Pool) Associated(ctx context.Context, dst any, of Ref, association Class) error {
	return p.read(ctx, "AssociatorsOf "+association.Name, dst, func(s Session, rows any) error {
		return s.Associated(rows, of, association)
	})
}

// contextError translates the error of a context that ended.
func contextError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	return err
}
