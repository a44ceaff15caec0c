package wmiquery

import (
	"fmt"
	"runtime/debug"
	"time"
)

// worker runs tasks of a queue on its own goroutine with its own session.
type worker struct {
	queue   *workQueue
	session Session
	task    *task // the task that runs, nil between tasks; guarded by queue.mu
	stuck   bool  // guarded by queue.mu
}

// loop runs tasks until the queue is closed or the worker has been replaced.
func (w *worker) loop() {
	defer w.closeSession()
	for t := w.queue.next(); t != nil; t = w.queue.next() {
		if !w.work(t) {
			return
		}
	}
	w.closeSession() // Close of the pool returns after active.Done
	w.queue.active.Done()
}

// work runs a task and reports whether the worker is still needed.
func (w *worker) work(t *task) bool {
	w.begin(t)
	t.started()
	timer := time.AfterFunc(w.queue.opts.StuckAfter, func() { w.onTimeout(t) })
	err := w.run(t)
	timer.Stop()
	needed := w.finish(t)
	t.err <- err
	return needed
}

func (w *worker) begin(t *task) {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	w.task = t
}

// onTimeout marks the worker as stuck if t still runs.
func (w *worker) onTimeout(t *task) {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	if w.task != t { // the task ended just before
		return
	}
	w.stuck = true
	w.queue.markStuck(t)
}

// finish records that the task has ended and reports whether the worker is still needed.
func (w *worker) finish(t *task) bool {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	defer w.queue.markEnded(t)
	w.task = nil
	if !w.stuck {
		return true
	}
	w.stuck = false
	return w.queue.markRecovered(t)
}

// run runs the task with the worker's session and opens one if there is none. A panic on this goroutine becomes an
// error of the task.
func (w *worker) run(t *task) (err error) {
	defer func() {
		if r := recover(); r != nil {
			w.session = nil // its state is unknown: it is safer to leave it open than to close it twice
			err = &PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	if w.session == nil {
		s, err := w.queue.opts.Open()
		if err != nil {
			return err
		}
		w.session = s
	}
	err = t.run(w.session)
	if !keepsSession(err) {
		w.closeSession()
	}
	return err
}

func (w *worker) closeSession() {
	if w.session != nil {
		w.session.Close()
		w.session = nil
	}
}

// keepsSession reports whether the session can be used again after err: nil, a refusal or invalid values. After any
// other error the worker opens a new session, because the set of codes that a lost connection causes is not fully
// known.
func keepsSession(err error) bool {
	_, ok := InvalidValues(err)
	return ok || IsRefusal(err)
}

// PanicError is a panic that was recovered.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
