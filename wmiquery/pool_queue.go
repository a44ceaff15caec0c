package wmiquery

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// workQueue is a queue of tasks and the workers that run them.
//
// An operation that hangs, or that is called very often, must not keep the others waiting: a free worker takes the
// task of the operation that has the fewest running, and one operation cannot have every worker and every replacement.
type workQueue struct {
	opts   PoolOptions
	active sync.WaitGroup // the workers that are not stuck

	// mu guards the fields below.
	mu         sync.Mutex
	changed    *sync.Cond            // signalled when a worker may find a task, and when the queue is closed
	operations map[string]*operation // those with tasks, by name
	turns      uint64                // number of turns that operations got since the start
	healthy    int                   // number of workers that are not stuck
	stuck      int
	restarts   int
	closed     bool
}

// operation has the tasks of one operation, which is the name of a class, of an association or of a method.
type operation struct {
	name    string
	waiting []*task // in the order of their arrival
	turn    uint64  // place among the operations: it gets a new one when its first task arrives or when a task starts
	running int     // including those that are stuck
	stuck   int
}

// task is one call that a worker makes.
type task struct {
	operation string
	run       func(Session) error
	started   func()
	err       chan error // has a buffer of one: the worker never waits for a caller that has left
}

func newWorkQueue(o PoolOptions) *workQueue {
	q := &workQueue{opts: o, operations: map[string]*operation{}}
	q.changed = sync.NewCond(&q.mu)
	q.mu.Lock()
	defer q.mu.Unlock()
	for range o.Workers {
		q.startWorker()
	}
	return q
}

// maxRunning returns the maximum number of workers of one operation. The last replacement of a stuck worker is for
// other operations.
func (q *workQueue) maxRunning() int { return q.opts.Workers + max(0, q.opts.MaxStuck-1) }

// do runs a task of an operation on a worker and returns its error, or that of the context.
func (q *workQueue) do(ctx context.Context, name string, run func(Session) error) error {
	if err := ctx.Err(); err != nil {
		return contextError(err)
	}
	t := &task{operation: name, run: run, started: StartedFunc(ctx), err: make(chan error, 1)}
	q.add(t)
	select {
	case err := <-t.err:
		return err
	case <-ctx.Done():
		q.remove(t)
		return contextError(ctx.Err())
	}
}

// add queues a task or rejects it.
func (q *workQueue) add(t *task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := q.operations[t.operation]
	if o == nil {
		o = &operation{name: t.operation}
		q.operations[t.operation] = o
	}
	if len(o.waiting) == 0 {
		q.endTurn(o)
	}
	o.waiting = append(o.waiting, t)
	q.rejectHopeless(o)
	q.changed.Signal()
}

// remove removes a task that still waits.
func (q *workQueue) remove(t *task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if o := q.operations[t.operation]; o != nil {
		o.waiting = slices.DeleteFunc(o.waiting, func(other *task) bool { return other == t })
		q.forgetIfIdle(o)
	}
}

// next waits for a task and returns it as running, or nil when the queue is closed.
func (q *workQueue) next() *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		if o := q.nextOperation(); o != nil {
			t := o.waiting[0]
			o.waiting[0], o.waiting = nil, o.waiting[1:]
			o.running++
			q.endTurn(o)
			return t
		}
		q.changed.Wait()
	}
	return nil
}

// endTurn puts an operation behind all others. The caller must hold q.mu.
func (q *workQueue) endTurn(o *operation) {
	q.turns++
	o.turn = q.turns
}

// nextOperation returns the operation whose first task is next, or nil. Operations with equally many running tasks take
// turns: many tasks of one operation delay a task of another by one task at most. The caller must hold q.mu.
func (q *workQueue) nextOperation() *operation {
	var next *operation
	for _, o := range q.operations {
		if len(o.waiting) == 0 || o.running >= q.maxRunning() {
			continue
		}
		if next == nil || cmp.Or(cmp.Compare(o.running, next.running),
			cmp.Compare(o.turn, next.turn)) < 0 {
			next = o
		}
	}
	return next
}

// rejectHopeless rejects the waiting tasks of an operation if no worker can take them until the host answers one of the
// calls that are stuck, or if the queue is closed. Callers would otherwise wait without limit. The caller must hold
// q.mu.
func (q *workQueue) rejectHopeless(o *operation) {
	var err error
	switch {
	case q.closed:
		err = fmt.Errorf("pool is closed: %w", ErrUnavailable)
	case q.healthy == 0:
		err = fmt.Errorf("all %d workers are waiting for the host: %w", q.stuck, ErrBusy)
	case o.stuck >= q.maxRunning():
		err = fmt.Errorf("%d workers are waiting for %s: %w", o.stuck, o.name, ErrBusy)
	default:
		return
	}
	for _, t := range o.waiting {
		t.err <- err
	}
	o.waiting = nil
	q.forgetIfIdle(o)
}

// rejectAllHopeless calls rejectHopeless for each operation. The caller must hold q.mu.
func (q *workQueue) rejectAllHopeless() {
	for _, o := range slices.Collect(maps.Values(q.operations)) {
		q.rejectHopeless(o)
	}
}

// forgetIfIdle removes an operation without tasks. The caller must hold q.mu.
func (q *workQueue) forgetIfIdle(o *operation) {
	if len(o.waiting) == 0 && o.running == 0 {
		delete(q.operations, o.name)
	}
}

func (q *workQueue) stats() PoolStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return PoolStats{Stuck: q.stuck, Restarts: q.restarts}
}

func (q *workQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.rejectAllHopeless()
	q.changed.Broadcast()
}

// startWorker starts a worker. The caller must hold q.mu.
func (q *workQueue) startWorker() {
	q.healthy++
	q.active.Add(1)
	go (&worker{queue: q}).loop()
}

// markStuck counts a worker as stuck, and starts a replacement if MaxStuck allows it. The caller must hold q.mu.
func (q *workQueue) markStuck(t *task) {
	q.stuck++
	q.operations[t.operation].stuck++
	q.healthy--
	q.active.Done()
	if !q.closed && q.stuck <= q.opts.MaxStuck {
		q.restarts++
		q.startWorker()
	}
	q.rejectAllHopeless()
}

// markRecovered counts a stuck worker as healthy again and reports whether it is still needed: it is not if a
// replacement has taken its place. The caller must hold q.mu.
func (q *workQueue) markRecovered(t *task) bool {
	q.stuck--
	q.operations[t.operation].stuck--
	if q.closed || q.healthy >= q.opts.Workers {
		return false
	}
	q.healthy++
	q.active.Add(1)
	return true
}

// markEnded counts a task as ended. The caller must hold q.mu.
func (q *workQueue) markEnded(t *task) {
	o := q.operations[t.operation]
	o.running--
	q.forgetIfIdle(o)
	q.changed.Signal() // another worker may take the next task of the operation
}
