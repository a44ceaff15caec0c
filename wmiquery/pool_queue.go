package wmiquery

import (
	"context"
	"fmt"
	"sync"
)

// workQueue is a queue of tasks and the workers that run them.
type workQueue struct {
	opts   PoolOptions
	tasks  chan *task
	stop   chan struct{}
	active sync.WaitGroup // the workers that are not stuck

	// mu guards the fields below.
	mu       sync.Mutex
	healthy  int // number of workers that are not stuck
	stuck    int
	restarts int
	closed   bool
	// noneHealthy is closed while every worker is stuck. Callers in the queue then give up instead of waiting
	// without limit.
	noneHealthy chan struct{}
}

// task is one call that a worker makes.
type task struct {
	run     func(Session) error
	started func()
	err     chan error // has a buffer of one: the worker never waits for a caller that has left
}

func newWorkQueue(o PoolOptions) *workQueue {
	q := &workQueue{opts: o, tasks: make(chan *task), stop: make(chan struct{}), noneHealthy: make(chan struct{})}
	q.mu.Lock()
	defer q.mu.Unlock()
	for range o.Workers {
		q.startWorker()
	}
	return q
}

// do runs a task on a worker and returns its error, or that of the context.
func (q *workQueue) do(ctx context.Context, run func(Session) error) error {
	if err := ctx.Err(); err != nil {
		return contextError(err)
	}
	t := &task{run, startedFunc(ctx), make(chan error, 1)}
	q.mu.Lock()
	noneHealthy := q.noneHealthy
	q.mu.Unlock()
	// select chooses at random among the channels that are ready. A closed or busy queue must not accept a task.
	select {
	case <-q.stop:
		return fmt.Errorf("pool is closed: %w", ErrUnavailable)
	case <-noneHealthy:
		return q.busyError()
	default:
	}
	select {
	case q.tasks <- t:
	case <-ctx.Done():
		return contextError(ctx.Err())
	case <-q.stop:
		return fmt.Errorf("pool is closed: %w", ErrUnavailable)
	case <-noneHealthy:
		return q.busyError()
	}
	select {
	case err := <-t.err:
		return err
	case <-ctx.Done():
		return contextError(ctx.Err())
	}
}

func (q *workQueue) busyError() error {
	return fmt.Errorf("all %d workers are waiting for the host: %w", q.stats().Stuck, ErrBusy)
}

func (q *workQueue) stats() PoolStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return PoolStats{Stuck: q.stuck, Restarts: q.restarts}
}

func (q *workQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.stop)
	}
}

// startWorker starts a worker. The caller must hold q.mu.
func (q *workQueue) startWorker() {
	q.healthy++
	q.active.Add(1)
	go (&worker{queue: q}).loop()
}

// markStuck counts a worker as stuck, and starts a replacement if MaxStuck allows it. The caller must hold q.mu.
func (q *workQueue) markStuck() {
	q.stuck++
	q.healthy--
	q.active.Done()
	if !q.closed && q.stuck <= q.opts.MaxStuck {
		q.restarts++
		q.startWorker()
	}
	if q.healthy == 0 {
		close(q.noneHealthy)
	}
}

// markRecovered counts a stuck worker as healthy again and reports whether it is still needed: it is not if a
// replacement has taken its place. The caller must hold q.mu.
func (q *workQueue) markRecovered() bool {
	q.stuck--
	if q.closed || q.healthy >= q.opts.Workers {
		return false
	}
	if q.healthy == 0 {
		q.noneHealthy = make(chan struct{})
	}
	q.healthy++
	q.active.Add(1)
	return true
}
