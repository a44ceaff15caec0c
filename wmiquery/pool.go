package wmiquery

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// PoolOptions are the limits of a Pool.
type PoolOptions struct {
	// Open makes a session. It is called, and the session used and closed, on one
	// goroutine per worker.
	Open func() (Session, error)
	// Now is the host's clock.
	Now func() time.Time
	// Workers is how many calls the host gets at once.
	Workers int
	// StuckAfter is how long a call may take before its worker counts as stuck
	// and is replaced.
	StuckAfter time.Duration
	// MaxStuck is how many stuck workers are replaced at a time. With more stuck
	// the pool has fewer workers, and with none left it refuses: ErrBusy.
	MaxStuck int
}

// A Pool makes a Reader and an Invoker, which heed contexts, of sessions, which
// cannot: a call whose context ends is abandoned and goes on by itself.
//
// Each worker opens its session with its first task. A session whose connection
// is lost is closed and opened anew with the next one.
type Pool struct {
	opts  PoolOptions
	tasks chan *task
	stop  chan struct{}
	ends  sync.WaitGroup // the workers that are not stuck

	mu       sync.Mutex
	able     int // workers that are not stuck
	stuck    int
	restarts int
	closed   bool
}

// task is one call for a worker.
type task struct {
	run func(Session) error
	err chan error // holds one, so that a worker never waits for a caller who left
}

// PoolStats are the pool's figures about itself.
type PoolStats struct {
	Stuck    int // workers whose call has taken longer than StuckAfter and is not back
	Restarts int // workers started in place of stuck ones, ever
}

// NewPool makes a pool and starts its workers. It opens no session yet.
func NewPool(o PoolOptions) *Pool {
	p := &Pool{opts: o, tasks: make(chan *task), stop: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	for range o.Workers {
		p.start()
	}
	return p
}

// Read reads a class, see [Reader]. The rows of a call that was abandoned are
// lost; to have them late, read with a context that does not end.
func (p *Pool) Read(ctx context.Context, dst any) error {
	if t := reflect.TypeOf(dst); t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Slice {
		return fmt.Errorf("cannot read into a %T, only into a pointer to a slice", dst)
	}
	// The worker fills rows of its own: dst is the caller's again when ctx ends.
	rows := reflect.New(reflect.TypeOf(dst).Elem())
	if err := p.do(ctx, func(s Session) error { return s.Read(rows.Interface()) }); err != nil {
		return err
	}
	reflect.ValueOf(dst).Elem().Set(rows.Elem())
	return nil
}

// Get runs a method that only reads, see [Reader].
func (p *Pool) Get(ctx context.Context, call Call) (Reply, error) {
	if !strings.HasPrefix(call.Method, "Get") {
		return Reply{}, fmt.Errorf("%s does more than read: %w", call.Method, ErrUnsupported)
	}
	return p.Invoke(ctx, call)
}

// Invoke runs any method, see [Invoker]. A call that was abandoned may still
// take effect.
func (p *Pool) Invoke(ctx context.Context, call Call) (Reply, error) {
	reply := make(chan Reply, 1)
	err := p.do(ctx, func(s Session) error {
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
func (p *Pool) Now() time.Time { return p.opts.Now() }

// Stats has the pool's figures about itself.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Stuck: p.stuck, Restarts: p.restarts}
}

// Close ends the workers and waits for those that are not stuck.
func (p *Pool) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.stop)
	}
	p.mu.Unlock()
	p.ends.Wait()
}

func (p *Pool) do(ctx context.Context, run func(Session) error) error {
	if err := ctx.Err(); err != nil {
		return ended(err)
	}
	if err := p.exhausted(); err != nil {
		return err
	}
	t := &task{run: run, err: make(chan error, 1)}
	select {
	case p.tasks <- t:
	case <-ctx.Done():
		return ended(ctx.Err())
	case <-p.stop:
		return fmt.Errorf("pool is closed: %w", ErrUnavailable)
	}
	select {
	case err := <-t.err:
		return err
	case <-ctx.Done():
		return ended(ctx.Err())
	}
}

// exhausted is an error when every worker is stuck and none may replace it.
func (p *Pool) exhausted() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.able > 0 || p.closed {
		return nil
	}
	return fmt.Errorf("all %d workers wait for an answer from the host: %w", p.stuck, ErrBusy)
}

// ended is the error for a context that ended.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	return err
}

// start starts a worker; p.mu is held.
func (p *Pool) start() {
	p.able++
	p.ends.Add(1)
	go (&worker{pool: p}).loop()
}
