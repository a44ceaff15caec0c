package wmiquery

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// worker runs a lane's tasks on a goroutine, and so a session, of its own.
type worker struct {
	lane    *lane
	session Session
	task    *task // at hand; under lane.mu
	stuck   bool  // under lane.mu
}

// loop works until the lane closes or the worker has been replaced.
func (w *worker) loop() {
	defer w.drop()
	for {
		select {
		case t := <-w.lane.tasks:
			if !w.work(t) {
				return
			}
		case <-w.lane.stop:
			w.drop() // before anybody who waits for the end
			w.lane.ends.Done()
			return
		}
	}
}

// work runs a task and tells whether to go on.
func (w *worker) work(t *task) bool {
	w.take(t)
	t.started()
	overdue := time.AfterFunc(w.lane.opts.StuckAfter, func() { w.giveUp(t) })
	err := w.run(t)
	overdue.Stop()
	goOn := w.comeBack()
	t.err <- err
	return goOn
}

func (w *worker) take(t *task) {
	w.lane.mu.Lock()
	defer w.lane.mu.Unlock()
	w.task = t
}

// giveUp counts the worker as stuck and has another take its place.
func (w *worker) giveUp(t *task) {
	w.lane.mu.Lock()
	defer w.lane.mu.Unlock()
	if w.task != t { // it came back just now
		return
	}
	w.stuck = true
	w.lane.lose()
}

// comeBack notes that the task at hand is over and tells whether to go on.
func (w *worker) comeBack() bool {
	w.lane.mu.Lock()
	defer w.lane.mu.Unlock()
	w.task = nil
	if !w.stuck {
		return true
	}
	w.stuck = false
	return w.lane.regain()
}

// run runs the task on the worker's session, which it opens if there is none. A
// panic on this goroutine costs the task and the session, not the program.
func (w *worker) run(t *task) (err error) {
	defer func() {
		if r := recover(); r != nil {
			w.session = nil // its state is unknown: better left open than closed twice
			err = &PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	if w.session == nil {
		s, err := w.lane.opts.Open()
		if err != nil {
			return err
		}
		w.session = s
	}
	err = t.run(w.session)
	if !keepsSession(err) {
		w.drop()
	}
	return err
}

func (w *worker) drop() {
	if w.session != nil {
		w.session.Close()
		w.session = nil
	}
}

// IsRefusal tells whether err is an answer of the host that says no: what was asked for
// was not done, and the connection is well.
func IsRefusal(err error) bool {
	for _, refusal := range []error{ErrNotFound, ErrUnsupported, ErrDenied, ErrBusy, ErrInvalidState} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// keepsSession: after a failure that is no refusal a new session may do better; which
// codes a lost connection shows itself by is not fully known.
func keepsSession(err error) bool { return err == nil || IsRefusal(err) }

// PanicError is a panic that was caught.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
