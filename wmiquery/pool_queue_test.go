package wmiquery_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// hostLog has the names of the methods that have reached the host.
type hostLog struct {
	mu    sync.Mutex
	names []string
}

func (l *hostLog) add(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, name)
}

func (l *hostLog) check(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.names, want) {
		t.Errorf("calls %q have reached the host, want %q", l.names, want)
	}
}

// slowCalls returns a session with calls that take 3 seconds.
func slowCalls(l *hostLog) fakeSession {
	return fakeSession{call: func(c wmiquery.Call) (wmiquery.Reply, error) {
		l.add(c.Method)
		time.Sleep(3 * time.Second)
		return wmiquery.Reply{Out: map[string]any{"Method": c.Method}}, nil
	}}
}

// invoke calls a method and returns its name from the reply.
func invoke(ctx context.Context, p *wmiquery.Pool, method string) (string, error) {
	reply, err := p.Invoke(ctx, wmiquery.Call{Method: method})
	name, _ := reply.Out["Method"].(string)
	return name, err
}

// Callers in the queue reach the host in the order in which they came, and each of them gets its own reply.
func TestPoolQueueIsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l hostLog
		p := newPoolOfSize(t, 1, 0, slowCalls(&l))
		names := []string{"a", "b", "c", "d", "e", "f"}
		for _, name := range names {
			go func() {
				got, err := invoke(context.Background(), p, name)
				if err != nil || got != name {
					t.Errorf("call of %s: got the reply to %q, error %v", name, got, err)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		l.check(t, names...)
	})
}

// A caller that leaves the queue gets the error of its context at once. Its call never reaches the host.
func TestPoolCallOfCallerThatLeftNeverReachesHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l hostLog
		p := newPoolOfSize(t, 1, 0, slowCalls(&l))
		go func() { _, _ = invoke(context.Background(), p, "running") }()
		synctest.Wait()
		started := func() { t.Error("the function of WithStarted was called") }

		start := time.Now()
		_, err := invoke(wmiquery.WithStarted(within(t, time.Second), started), p, "deadline")
		if !errors.Is(err, wmiquery.ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("deadline: got error %v after %v, want ErrTimeout after 1s", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = invoke(wmiquery.WithStarted(ctx, started), p, "cancelled")
		if !errors.Is(err, context.Canceled) || time.Since(start) != 2*time.Second {
			t.Errorf("cancelled: got error %v after %v, want context.Canceled after 2s", err, time.Since(start))
		}
		_, err = invoke(wmiquery.WithStarted(ctx, started), p, "cancelled before")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before the call: got error %v, want context.Canceled", err)
		}
		if got, err := invoke(t.Context(), p, "next"); err != nil || got != "next" {
			t.Errorf("next: got the reply to %q, error %v", got, err)
		}
		l.check(t, "running", "next")
	})
}

// A call whose context has ended before never reaches the host, even if a worker is free.
func TestPoolCallAfterEndOfContextNeverReachesHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoolOfSize(t, 2, 0, fakeSession{
			read: func(*[]row) error { t.Error("a read has reached the host"); return nil },
			call: func(wmiquery.Call) (wmiquery.Reply, error) {
				t.Error("a call has reached the host")
				return wmiquery.Reply{}, nil
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 { // by chance, some of them could succeed
			synctest.Wait() // all workers are free
			var rows []row
			if err := p.Read(ctx, &rows); !errors.Is(err, context.Canceled) {
				t.Errorf("read: got error %v, want context.Canceled", err)
			}
			if _, err := invoke(ctx, p, "InitiateFailover"); !errors.Is(err, context.Canceled) {
				t.Errorf("call: got error %v, want context.Canceled", err)
			}
		}
	})
}

// The late reply to an abandoned call is discarded, and its worker serves the next call.
func TestPoolDiscardsLateReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l hostLog
		p := newPoolOfSize(t, 1, 0, slowCalls(&l))
		for _, d := range []time.Duration{time.Second, 2999 * time.Millisecond} {
			start := time.Now()
			got, err := invoke(within(t, d), p, "abandoned")
			if !errors.Is(err, wmiquery.ErrTimeout) || got != "" || time.Since(start) != d {
				t.Errorf("got reply to %q, error %v after %v; want ErrTimeout after %v", got, err, time.Since(start), d)
			}
			if got, err := invoke(t.Context(), p, "next"); err != nil || got != "next" {
				t.Errorf("next call: got the reply to %q, error %v", got, err)
			}
			if took := time.Since(start); took != 6*time.Second {
				t.Errorf("both calls took %v, want 6s", took)
			}
		}
		l.check(t, "abandoned", "next", "abandoned", "next")
	})
}

// A read that fails does not change the rows of the caller, and a read without rows removes them.
func TestPoolReadChangesRowsOnlyOnSuccess(t *testing.T) {
	var fail error
	p := newPool(t, func(dst *[]row) error {
		if fail != nil {
			*dst = []row{{"incomplete"}}
		}
		return fail
	})
	rows := []row{{"previous"}}
	for _, fail = range []error{wmiquery.ErrDenied, wmiquery.ErrUnavailable} {
		if err := p.Read(t.Context(), &rows); !errors.Is(err, fail) || !slices.Equal(rows, []row{{"previous"}}) {
			t.Errorf("got rows %v, error %v; want the previous rows and %v", rows, err, fail)
		}
	}
	fail = nil
	if err := p.Read(t.Context(), &rows); err != nil || len(rows) != 0 {
		t.Errorf("got rows %v, error %v; want no rows", rows, err)
	}
}

func TestPoolReadRejectsInvalidDestination(t *testing.T) {
	p := newPool(t, func(*[]row) error { t.Error("the read has reached the host"); return nil })
	for _, dst := range []any{nil, row{}, []row{}, new(row), new(int)} {
		if err := p.Read(t.Context(), dst); err == nil {
			t.Errorf("destination %T: got no error", dst)
		}
	}
}

// An error of a call comes without a reply.
func TestPoolReturnsNoReplyWithError(t *testing.T) {
	p := newPoolOfSize(t, 1, 0, fakeSession{call: func(wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Code: 4096, Job: "Job"}, wmiquery.ErrNotFound
	}})
	reply, err := p.Invoke(t.Context(), wmiquery.Call{Method: "KillJob"})
	if !errors.Is(err, wmiquery.ErrNotFound) || reply.Code != 0 || reply.Job != "" {
		t.Errorf("got reply %+v, error %v; want only ErrNotFound", reply, err)
	}
}

// The function of WithStarted is called once for a read and once for a call, but only once for all requests with a context
// of WithStartedOnce.
func TestPoolCallsStartedFunctionOnce(t *testing.T) {
	p := newPool(t, func(*[]row) error { return nil })
	n := 0
	ctx := wmiquery.WithStarted(t.Context(), func() { n++ })
	var rows []row
	if err := p.Read(ctx, &rows); err != nil || n != 1 {
		t.Errorf("after a read: %d calls of the function, error %v", n, err)
	}
	if _, err := p.Get(ctx, wmiquery.Call{Method: "GetErrorEx"}); err != nil || n != 2 {
		t.Errorf("after a read and a call: %d calls of the function, error %v", n, err)
	}
	ctx = wmiquery.WithStartedOnce(ctx)
	for range 2 {
		if _, err := p.Texts(ctx, row{}.WMIClass()); err != nil || n != 3 {
			t.Errorf("after requests that count once: %d calls of the function, error %v", n, err)
		}
	}
}

// Now is the clock of the host, not that of this computer.
func TestPoolNowIsTheClockOfTheHost(t *testing.T) {
	want := time.Date(2026, 11, 22, 21, 42, 10, 0, time.UTC)
	p := wmiquery.NewPool(wmiquery.PoolOptions{Now: func() time.Time { return want }})
	defer p.Close()
	if got := p.Now(); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
