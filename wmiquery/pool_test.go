package wmiquery_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// row is an instance for these tests.
type row struct{ Name string }

func (row) WMIClass() wmiquery.Class { return wmiquery.Class{Name: "Test_Row"} }

// fakeSession is a session whose behavior the test defines. A nil function succeeds: a read returns no rows, a call
// returns the name of its method.
type fakeSession struct {
	read  func(dst *[]row) error
	call  func(c wmiquery.Call) (wmiquery.Reply, error)
	close func()
	// associated fills dst with what an association connects with an object.
	associated func(dst *[]row, of wmiquery.Ref, association wmiquery.Class) error
}

func (s fakeSession) Read(dst any) error {
	if s.read == nil {
		return nil
	}
	return s.read(dst.(*[]row))
}

func (fakeSession) Texts(wmiquery.Class) ([]wmiquery.Embedded, error) { return nil, nil }

func (s fakeSession) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	if s.call != nil {
		return s.call(c)
	}
	return wmiquery.Reply{Code: wmiquery.CodeCompleted, Out: map[string]any{"Method": c.Method}}, nil
}

func (s fakeSession) Associated(dst any, of wmiquery.Ref, association wmiquery.Class) error {
	if s.associated == nil {
		return nil
	}
	return s.associated(dst.(*[]row), of, association)
}

func (s fakeSession) Close() {
	if s.close != nil {
		s.close()
	}
}

// newPool returns a pool with 2 workers, of which 3 are replaced when they are stuck.
func newPool(t *testing.T, read func(dst *[]row) error) *wmiquery.Pool {
	t.Helper()
	return newPoolOfSize(t, 2, 3, fakeSession{read: read})
}

// newPoolOfSize returns a pool of sessions. A worker counts as stuck after 5 seconds.
func newPoolOfSize(t *testing.T, workers, maxStuck int, s fakeSession) *wmiquery.Pool {
	t.Helper()
	return newPoolWithOpen(t, workers, maxStuck, func() (wmiquery.Session, error) { return s, nil })
}

func newPoolWithOpen(
	t *testing.T, workers, maxStuck int, open func() (wmiquery.Session, error),
) *wmiquery.Pool {
	t.Helper()
	p := wmiquery.NewPool(wmiquery.PoolOptions{
		Open: open, Now: time.Now, Workers: workers, StuckAfter: 5 * time.Second, MaxStuck: maxStuck,
	})
	t.Cleanup(p.Close)
	return p
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestPoolReadReplacesRows(t *testing.T) {
	p := newPool(t, func(dst *[]row) error {
		*dst = append(*dst, row{"a"}, row{"b"})
		return nil
	})
	rows := []row{{"previous"}}
	if err := p.Read(t.Context(), &rows); err != nil || len(rows) != 2 || rows[1].Name != "b" {
		t.Errorf("got rows %v, error %v", rows, err)
	}
	if err := p.Read(t.Context(), rows); err == nil {
		t.Error("Read accepted a slice instead of a pointer to a slice")
	}
}

func TestPoolGetRejectsMethodsThatChangeTheHost(t *testing.T) {
	p := newPool(t, nil)
	if r, err := p.Get(t.Context(), wmiquery.Call{Method: "GetErrorEx"}); err != nil || r.Out["Method"] != "GetErrorEx" {
		t.Errorf("Get of GetErrorEx: got %v, %v", r, err)
	}
	if _, err := p.Get(t.Context(), wmiquery.Call{Method: "InitiateFailover"}); !errors.Is(err, wmiquery.ErrUnsupported) {
		t.Errorf("Get of InitiateFailover: got error %v, want ErrUnsupported", err)
	}
	r, err := p.Invoke(t.Context(), wmiquery.Call{Method: "InitiateFailover"})
	if err != nil || r.Out["Method"] != "InitiateFailover" {
		t.Errorf("Invoke of InitiateFailover: got %v, %v", r, err)
	}
}

// A call that outlives its context is abandoned: the caller gets an error in time, its rows are not touched later, and
// the other workers continue.
func TestPoolAbandonsCallWhenContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var calls atomic.Int32
		p := newPool(t, func(dst *[]row) error {
			if calls.Add(1) == 1 {
				<-hang
			}
			*dst = []row{{"late"}}
			return nil
		})
		var rows []row
		start := time.Now()
		if err := p.Read(within(t, time.Second), &rows); !errors.Is(err, wmiquery.ErrTimeout) {
			t.Errorf("got error %v, want ErrTimeout", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("Read returned after %v, want 1s", d)
		}
		if err := p.Read(within(t, time.Second), &rows); err != nil {
			t.Errorf("Read on the other worker: %v", err)
		}
		rows = nil
		close(hang)
		synctest.Wait()
		if rows != nil {
			t.Errorf("rows were filled after Read had returned: %v", rows)
		}
	})
}

func TestPoolReturnsErrorOfCancelledContext(t *testing.T) {
	p := newPool(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var rows []row
	if err := p.Read(ctx, &rows); !errors.Is(err, context.Canceled) || errors.Is(err, wmiquery.ErrTimeout) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
}

// Stuck workers are counted and replaced up to the limit. After that, reads of the class fail immediately: the last
// worker is for others. When the host answers again, reads work again.
func TestPoolReplacesStuckWorkersUpToLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p := newPool(t, func(*[]row) error { <-hang; return nil })
		var rows []row
		for want := range 4 { // 2 workers and 3 replacements, less one
			if s := p.Stats(); s.Stuck != want || s.Restarts != min(want, 3) {
				t.Errorf("stats before read %d: %+v", want+1, s)
			}
			if err := p.Read(within(t, 6*time.Second), &rows); !errors.Is(err, wmiquery.ErrTimeout) {
				t.Errorf("read %d: got error %v, want ErrTimeout", want+1, err)
			}
		}
		start := time.Now()
		if err := p.Read(within(t, 6*time.Second), &rows); !errors.Is(err, wmiquery.ErrBusy) || time.Since(start) != 0 {
			t.Errorf("with all workers of the class stuck: got error %v after %v, want ErrBusy immediately", err, time.Since(start))
		}
		close(hang)
		synctest.Wait()
		if s := p.Stats(); s.Stuck != 0 || s.Restarts != 3 {
			t.Errorf("stats after all workers have recovered: %+v", s)
		}
		if err := p.Read(within(t, time.Second), &rows); err != nil {
			t.Errorf("read after all workers have recovered: %v", err)
		}
	})
}

// After stuck workers have recovered, the pool has its original size, and the sessions of surplus workers are closed.
func TestPoolHasOriginalSizeAfterRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var opened, closed, busy, most atomic.Int32
		p := wmiquery.NewPool(wmiquery.PoolOptions{
			Open: func() (wmiquery.Session, error) {
				opened.Add(1)
				return fakeSession{
					read: func(*[]row) error {
						most.Store(max(most.Load(), busy.Add(1)))
						defer busy.Add(-1)
						<-hang
						time.Sleep(time.Second)
						return nil
					},
					close: func() { closed.Add(1) },
				}, nil
			},
			Now: time.Now, Workers: 2, StuckAfter: 5 * time.Second, MaxStuck: 3,
		})
		var rows []row
		for range 5 {
			_ = p.Read(within(t, 6*time.Second), &rows)
		}
		close(hang)
		time.Sleep(3 * time.Second)
		most.Store(0)
		for range 10 {
			go func() { var rows []row; _ = p.Read(context.Background(), &rows) }()
		}
		time.Sleep(20 * time.Second)
		if most.Load() != 2 {
			t.Errorf("%d concurrent reads, want 2", most.Load())
		}
		p.Close()
		synctest.Wait()
		if opened.Load() != 5 || closed.Load() != 5 {
			t.Errorf("%d sessions opened, %d closed, want 5 and 5", opened.Load(), closed.Load())
		}
	})
}

// When the last worker that a class may have gets stuck, the reads in the queue fail. They do not reach the host later,
// when nobody needs the rows any more.
func TestPoolRejectsQueuedReadsWhenAllWorkersOfClassAreStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var reached atomic.Int32
		p := newPool(t, func(*[]row) error { reached.Add(1); <-hang; return nil })
		rejected := make(chan error, 10)
		for range 8 {
			go func() {
				var rows []row
				if err := p.Read(context.Background(), &rows); err != nil {
					rejected <- err
				}
			}()
		}
		time.Sleep(time.Minute)
		if len(rejected) != 4 || !errors.Is(<-rejected, wmiquery.ErrBusy) {
			t.Errorf("%d of 8 reads were rejected, want 4", len(rejected))
		}
		close(hang)
		synctest.Wait()
		if reached.Load() != 4 {
			t.Errorf("%d reads reached the host, want 4", reached.Load())
		}
	})
}

func TestPoolCallsWorkWhileReadsHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p := newPool(t, func(*[]row) error { <-hang; return nil })
		for range 10 {
			go func() { var rows []row; _ = p.Read(context.Background(), &rows) }()
		}
		time.Sleep(time.Minute)
		if _, err := p.Get(within(t, time.Second), wmiquery.Call{Method: "GetErrorEx"}); err != nil {
			t.Errorf("call while all reads hang: %v", err)
		}
		close(hang)
	})
}

// The function of WithStarted is called when a worker starts the task, not while the task waits in the queue.
func TestPoolCallsStartedFunctionAfterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, func(*[]row) error { time.Sleep(3 * time.Second); return nil })
		start := time.Now()
		var started []time.Duration
		var mu sync.Mutex
		for range 4 {
			go func() {
				var rows []row
				_ = p.Read(wmiquery.WithStarted(context.Background(), func() {
					mu.Lock()
					defer mu.Unlock()
					started = append(started, time.Since(start))
				}), &rows)
			}()
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if want := []time.Duration{0, 0, 3 * time.Second, 3 * time.Second}; !slices.Equal(started, want) {
			t.Errorf("started after %v, want %v", started, want)
		}
	})
}
