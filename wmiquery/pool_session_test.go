package wmiquery_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// After a refusal of the host, a worker keeps its session. After any other error, it closes the session and opens a
// new one for the next task. The state of a session is unknown after a panic, so it is left open.
func TestPoolReopensSessionAfterFailure(t *testing.T) {
	var opened, closed int
	var next error
	run := func() error {
		if next == nil {
			panic("boom")
		}
		return next
	}
	session := fakeSession{
		read:  func(*[]row) error { return run() },
		call:  func(wmiquery.Call) (wmiquery.Reply, error) { return wmiquery.Reply{}, run() },
		close: func() { closed++ },
	}
	steps := []struct {
		next           error
		want           string
		opened, closed int
	}{
		{wmiquery.ErrDenied, "access denied", 1, 0},
		{wmiquery.ErrNotFound, "not found", 1, 0},
		{fmt.Errorf("read X: %w", wmiquery.ErrUnsupported), "read X: not supported", 1, 0},
		{wmiquery.ErrBusy, "busy", 1, 0},
		{wmiquery.ErrInvalidState, "invalid state", 1, 0},
		{wmiquery.ErrUnavailable, "connection lost", 1, 1},
		{wmiquery.ErrDenied, "access denied", 2, 1},
		{wmiquery.ErrTimeout, "timed out", 2, 2},
		{errors.New("unknown error"), "unknown error", 3, 3},
		{wmiquery.ErrDenied, "access denied", 4, 3},
		{nil, "panic: boom", 4, 3},
		{wmiquery.ErrDenied, "access denied", 5, 3},
	}
	check := func(t *testing.T, operation func(*wmiquery.Pool) error) {
		opened, closed = 0, 0
		p := newPoolWithOpen(t, 1, 2, func() (wmiquery.Session, error) { opened++; return session, nil })
		for _, step := range steps {
			next = step.next
			err := operation(p)
			if err == nil || !strings.HasPrefix(err.Error(), step.want) || opened != step.opened || closed != step.closed {
				t.Errorf("got error %v, opened %d, closed %d; want %+v", err, opened, closed, step)
			}
		}
	}
	t.Run("reads", func(t *testing.T) {
		check(t, func(p *wmiquery.Pool) error { var rows []row; return p.Read(t.Context(), &rows) })
	})
	t.Run("calls", func(t *testing.T) {
		check(t, func(p *wmiquery.Pool) error {
			_, err := p.Invoke(t.Context(), wmiquery.Call{Method: "InitiateFailover"})
			return err
		})
	})
}

// A panic becomes an error with the stack, for the log.
func TestPoolReturnsPanicWithStack(t *testing.T) {
	p := newPool(t, func(*[]row) error { panic(42) })
	var rows []row
	err := p.Read(t.Context(), &rows)
	panicked, ok := errors.AsType[*wmiquery.PanicError](err)
	if !ok || panicked.Error() != "panic: 42" || panicked.Value != 42 ||
		!bytes.Contains(panicked.Stack, []byte("TestPoolReturnsPanicWithStack")) {
		t.Errorf("got error %#v, want a PanicError with the stack", err)
	}
}

// Errors and panics of Open are errors of the task. The next task tries to open a session again.
func TestPoolOpensSessionAgainAfterOpenFailed(t *testing.T) {
	fail := errors.New("no such host")
	opened := 0
	p := newPoolWithOpen(t, 1, 0, func() (wmiquery.Session, error) {
		opened++
		switch opened {
		case 1, 2:
			return nil, fail
		case 3:
			panic("boom")
		}
		return fakeSession{}, nil
	})
	var rows []row
	for n, want := range []string{"no such host", "no such host", "panic: boom", "", ""} {
		err := p.Read(t.Context(), &rows)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("read %d: got error %v, want %q", n+1, err, want)
		}
		if n < 2 && !errors.Is(err, fail) {
			t.Errorf("read %d: got error %v, want the error of Open", n+1, err)
		}
	}
	if opened != 4 {
		t.Errorf("Open was called %d times, want 4", opened)
	}
}

// A worker whose session cannot be opened because the host hangs counts as stuck, and another one replaces it.
func TestPoolReplacesWorkerThatHangsInOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var opened atomic.Int32
		p := newPoolWithOpen(t, 1, 2, func() (wmiquery.Session, error) {
			if opened.Add(1) == 1 {
				<-hang
			}
			return fakeSession{}, nil
		})
		first := startRead(p)
		time.Sleep(6 * time.Second)
		checkStats(t, p, "while Open hangs", 1, 1)
		if err := <-startRead(p); err != nil {
			t.Errorf("read while Open hangs: got error %v", err)
		}
		close(hang)
		if err := <-first; err != nil {
			t.Errorf("read when Open returns: got error %v", err)
		}
		synctest.Wait()
		checkStats(t, p, "after Open has returned", 0, 1)
	})
}

// A failure of one session does not close the sessions of other workers.
func TestPoolKeepsOtherSessionsAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened, closed atomic.Int32
		p := newPoolWithOpen(t, 2, 0, func() (wmiquery.Session, error) {
			n := opened.Add(1)
			return fakeSession{
				read: func(*[]row) error {
					time.Sleep(time.Second)
					if n == 1 {
						return wmiquery.ErrUnavailable
					}
					return nil
				},
				close: func() { closed.Add(1) },
			}, nil
		})
		first := startRead(p)
		synctest.Wait()
		second := startRead(p)
		if err := <-first; !errors.Is(err, wmiquery.ErrUnavailable) {
			t.Errorf("first read: got error %v, want ErrUnavailable", err)
		}
		if err := <-second; err != nil {
			t.Errorf("second read: got error %v", err)
		}
		if opened.Load() != 2 || closed.Load() != 1 {
			t.Errorf("%d sessions opened, %d closed, want 2 and 1", opened.Load(), closed.Load())
		}
	})
}

// Each session is opened, used and closed on one goroutine, because COM objects belong to a thread.
func TestPoolUsesSessionOnOneGoroutine(t *testing.T) {
	var mu sync.Mutex
	var used [][]string // goroutines of each session: opened, used …, closed
	p := newPoolWithOpen(t, 2, 0, func() (wmiquery.Session, error) {
		mu.Lock()
		defer mu.Unlock()
		n := len(used)
		used = append(used, []string{goroutine()})
		note := func() {
			mu.Lock()
			defer mu.Unlock()
			used[n] = append(used[n], goroutine())
		}
		return fakeSession{
			read:  func(*[]row) error { note(); return wmiquery.ErrUnavailable },
			call:  func(wmiquery.Call) (wmiquery.Reply, error) { note(); return wmiquery.Reply{}, nil },
			close: note,
		}, nil
	})
	for range 10 {
		<-startRead(p)
		<-startCall(p)
	}
	p.Close()
	for n, goroutines := range used {
		if len(slices.Compact(goroutines)) != 1 || len(used[n]) < 3 {
			t.Errorf("session %d was used on goroutines %q", n, used[n])
		}
	}
	if len(used) < 11 {
		t.Errorf("%d sessions were opened, want one per read and at least one for the calls", len(used))
	}
}

// goroutine returns the number of the current goroutine.
func goroutine() string {
	stack := make([]byte, 64)
	return strings.Fields(string(stack[:runtime.Stack(stack, false)]))[1]
}
