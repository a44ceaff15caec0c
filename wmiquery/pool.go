package wmiquery

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// PoolOptions are the limits of a Pool.
type PoolOptions struct {
	// Open makes a session. It is called, and the session used and closed, on one
	// goroutine per worker.
	Open func() (Session, error)
	// Now is the host's clock.
	Now func() time.Time
	// Workers is how many classes are read at once. As many calls of methods may run
	// beside them.
	Workers int
	// StuckAfter is how long a read or a call may take before its worker counts as
	// stuck and is replaced.
	StuckAfter time.Duration
	// MaxStuck is how many stuck workers are replaced at a time, of those for
	// reads and of those for calls. With more stuck there are fewer workers, and
	// with none left the pool refuses: ErrBusy.
	MaxStuck int
}

// A Pool makes a Reader and an Invoker, which heed contexts, of sessions, which
// cannot: a call whose context ends is abandoned and goes on by itself.
//
// Reads of classes and calls of methods have workers of their own: methods that
// hang, such as those that wait for a host at the other end, must not cost the
// classes, which the host still gives.
//
// Each worker opens its session with its first task. A session that failed with
// anything but a plain refusal is closed and opened anew with the next one.
type Pool struct {
	now          func() time.Time
	reads, calls *lane
}

// PoolStats are the pool's figures about itself.
type PoolStats struct {
	Stuck    int // workers whose call has taken longer than StuckAfter and is not back
	Restarts int // workers started in place of stuck ones, ever
}

// NewPool makes a pool and starts its workers. It opens no session yet.
func NewPool(o PoolOptions) *Pool { return &Pool{o.Now, newLane(o), newLane(o)} }

// Read reads a class, see [Reader]. The rows of a call that was abandoned are
// lost; to have them late, read with a context that does not end.
func (p *Pool) Read(ctx context.Context, dst any) error {
	if t := reflect.TypeOf(dst); t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Slice {
		return fmt.Errorf("cannot read into a %T, only into a pointer to a slice", dst)
	}
	// The worker fills rows of its own: dst is the caller's again when ctx ends.
	rows := reflect.New(reflect.TypeOf(dst).Elem())
	if err := p.reads.do(ctx, func(s Session) error { return s.Read(rows.Interface()) }); err != nil {
		return err
	}
	reflect.ValueOf(dst).Elem().Set(rows.Elem())
	return nil
}

// Get runs a method that only reads, see [Reader].
func (p *Pool) Get(ctx context.Context, call Call) (Reply, error) {
	if !IsGetMethod(call.Method) {
		return Reply{}, fmt.Errorf("%s does more than read: %w", call.Method, ErrUnsupported)
	}
	return p.Invoke(ctx, call)
}

// Invoke runs any method, see [Invoker]. A call that was abandoned may still
// take effect.
func (p *Pool) Invoke(ctx context.Context, call Call) (Reply, error) {
	reply := make(chan Reply, 1)
	err := p.calls.do(ctx, func(s Session) error {
		r, err := s.Call(call)
		reply <- r
		return err
	})
	if err != nil {
		return Reply{}, err
	}
	return <-reply, nil
}

// Now is the host's clock.
func (p *Pool) Now() time.Time { return p.now() }

// Stats has the pool's figures about itself.
func (p *Pool) Stats() PoolStats {
	reads, calls := p.reads.stats(), p.calls.stats()
	return PoolStats{Stuck: reads.Stuck + calls.Stuck, Restarts: reads.Restarts + calls.Restarts}
}

// Close ends the workers and waits for those that are not stuck.
func (p *Pool) Close() {
	for _, l := range []*lane{p.reads, p.calls} {
		l.close()
	}
	for _, l := range []*lane{p.reads, p.calls} {
		l.ends.Wait()
	}
}

// startedKey is the key of what WithStarted adds to a context.
type startedKey struct{}

// WithStarted returns a context with which a Reader or an Invoker that has to
// queue calls f when it turns to the host: until then, waiting is not the host's
// doing. It calls f once at most, on a goroutine of its own choice.
func WithStarted(ctx context.Context, f func()) context.Context {
	return context.WithValue(ctx, startedKey{}, f)
}

// started is the function that WithStarted added, or one that does nothing.
func started(ctx context.Context) func() {
	if f, ok := ctx.Value(startedKey{}).(func()); ok {
		return f
	}
	return func() {}
}

// ended is the error for a context that ended.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	return err
}
