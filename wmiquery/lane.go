package wmiquery

import (
	"context"
	"fmt"
	"sync"
)

// lane is a queue of tasks of one kind, and the workers that serve it.
type lane struct {
	opts  PoolOptions
	tasks chan *task
	stop  chan struct{}
	ends  sync.WaitGroup // the workers that are not stuck

	mu       sync.Mutex
	able     int // workers that are not stuck
	stuck    int
	restarts int
	closed   bool
	// none is closed while no worker is able: those who wait in the queue then
	// would wait for what may never come.
	none chan struct{}
}

// task is one call for a worker.
type task struct {
	run     func(Session) error
	started func()
	err     chan error // holds one, so that a worker never waits for a caller who left
}

func newLane(o PoolOptions) *lane {
	l := &lane{opts: o, tasks: make(chan *task), stop: make(chan struct{}), none: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	for range o.Workers {
		l.start()
	}
	return l
}

func (l *lane) do(ctx context.Context, run func(Session) error) error {
	if err := ctx.Err(); err != nil {
		return ended(err)
	}
	t := &task{run, started(ctx), make(chan error, 1)}
	l.mu.Lock()
	none := l.none
	l.mu.Unlock()
	select {
	case <-l.stop:
		return fmt.Errorf("pool is closed: %w", ErrUnavailable)
	case <-none:
		return l.busy()
	default:
	}
	select {
	case l.tasks <- t:
	case <-ctx.Done():
		return ended(ctx.Err())
	case <-l.stop:
		return fmt.Errorf("pool is closed: %w", ErrUnavailable)
	case <-none:
		return l.busy()
	}
	select {
	case err := <-t.err:
		return err
	case <-ctx.Done():
		return ended(ctx.Err())
	}
}

func (l *lane) busy() error {
	return fmt.Errorf("all %d workers wait for an answer from the host: %w", l.stats().Stuck, ErrBusy)
}

func (l *lane) stats() PoolStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return PoolStats{Stuck: l.stuck, Restarts: l.restarts}
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.stop)
	}
}

// start starts a worker; l.mu is held.
func (l *lane) start() {
	l.able++
	l.ends.Add(1)
	go (&worker{lane: l}).loop()
}

// lose notes that a worker is stuck, and starts another in its place if that is
// allowed; l.mu is held.
func (l *lane) lose() {
	l.stuck++
	l.able--
	l.ends.Done()
	if !l.closed && l.stuck <= l.opts.MaxStuck {
		l.restarts++
		l.start()
	}
	if l.able == 0 {
		close(l.none)
	}
}

// regain notes that a stuck worker is back, and tells whether it is wanted: if it
// has been replaced it is one too many. l.mu is held.
func (l *lane) regain() bool {
	l.stuck--
	if l.closed || l.able >= l.opts.Workers {
		return false
	}
	if l.able == 0 {
		l.none = make(chan struct{})
	}
	l.able++
	l.ends.Add(1)
	return true
}
