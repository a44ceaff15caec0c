package wmiquery

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// worker runs a pool's tasks on a goroutine, and so a session, of its own.
type worker struct {
	pool    *Pool
	session Session
	task    *task // at hand; under pool.mu
	stuck   bool  // under pool.mu
}

// loop works until the pool closes or the worker has been replaced.
func (w *worker) loop() {
	defer func() {
		if w.session != nil {
			w.session.Close()
		}
	}()
	for {
		select {
		case t := <-w.pool.tasks:
			if !w.work(t) {
				return
			}
		case <-w.pool.stop:
			w.pool.ends.Done()
			return
		}
	}
}

// work runs a task and tells whether to go on.
func (w *worker) work(t *task) bool {
	w.take(t)
	overdue := time.AfterFunc(w.pool.opts.StuckAfter, func() { w.giveUp(t) })
	err := w.run(t)
	overdue.Stop()
	goOn := w.comeBack()
	t.err <- err
	return goOn
}

func (w *worker) take(t *task) {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	w.task = t
}

// giveUp counts the worker as stuck and starts another in its place.
func (w *worker) giveUp(t *task) {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.task != t { // it came back just now
		return
	}
	w.stuck = true
	p.stuck++
	p.able--
	p.ends.Done()
	if !p.closed && p.stuck <= p.opts.MaxStuck {
		p.restarts++
		p.start()
	}
}

// comeBack notes that the task at hand is over and tells whether to go on: a
// worker that was stuck and has been replaced is one too many.
func (w *worker) comeBack() bool {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	w.task = nil
	if !w.stuck {
		return true
	}
	w.stuck = false
	p.stuck--
	if p.closed || p.able >= p.opts.Workers {
		return false
	}
	p.able++
	p.ends.Add(1)
	return true
}

// run runs the task on the worker's session, which it opens if there is none. A
// panic in the client costs the task and the session, not the program.
func (w *worker) run(t *task) (err error) {
	defer func() {
		if r := recover(); r != nil {
			w.session = nil // its state is unknown: better left open than closed twice
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	if w.session == nil {
		s, err := w.pool.opts.Open()
		if err != nil {
			return err
		}
		w.session = s
	}
	err = t.run(w.session)
	if errors.Is(err, ErrUnavailable) {
		w.session.Close()
		w.session = nil
	}
	return err
}
