package wmiquery_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// row is an instance that only these tests know.
type row struct{ Name string }

func (row) WMIClass() wmiquery.Class { return wmiquery.Class{Name: "Test_Row"} }

// scripted is a session that does what a test says.
type scripted struct {
	read  func(dst *[]row) error
	close func()
}

func (s scripted) Read(dst any) error { return s.read(dst.(*[]row)) }

func (s scripted) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	return wmiquery.Reply{Code: wmiquery.CodeCompleted, Out: map[string]any{"Method": c.Method}}, nil
}

func (s scripted) Close() {
	if s.close != nil {
		s.close()
	}
}

func newPool(t *testing.T, read func(dst *[]row) error) *wmiquery.Pool {
	t.Helper()
	p := wmiquery.NewPool(wmiquery.PoolOptions{
		Open:       func() (wmiquery.Session, error) { return scripted{read: read}, nil },
		Now:        time.Now,
		Workers:    2,
		StuckAfter: 5 * time.Second,
		MaxStuck:   3,
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

func TestPoolReads(t *testing.T) {
	p := newPool(t, func(dst *[]row) error {
		*dst = append(*dst, row{"a"}, row{"b"})
		return nil
	})
	rows := []row{{"of before"}}
	if err := p.Read(t.Context(), &rows); err != nil || len(rows) != 2 || rows[1].Name != "b" {
		t.Errorf("rows %v, error %v", rows, err)
	}
	if err := p.Read(t.Context(), rows); err == nil {
		t.Error("a slice that is no pointer was accepted")
	}
}

func TestPoolGetOnlyReads(t *testing.T) {
	p := newPool(t, nil)
	if r, err := p.Get(t.Context(), wmiquery.Call{Method: "GetErrorEx"}); err != nil || r.Out["Method"] != "GetErrorEx" {
		t.Errorf("GetErrorEx: %v, %v", r, err)
	}
	if _, err := p.Get(t.Context(), wmiquery.Call{Method: "InitiateFailover"}); !errors.Is(err, wmiquery.ErrUnsupported) {
		t.Errorf("Get ran InitiateFailover: %v", err)
	}
	if r, err := p.Invoke(t.Context(), wmiquery.Call{Method: "InitiateFailover"}); err != nil || r.Out["Method"] != "InitiateFailover" {
		t.Errorf("Invoke: %v, %v", r, err)
	}
}

// A call that outlives its context is abandoned: the caller gets an answer in
// time, its rows stay untouched, and the other workers go on.
func TestPoolAbandons(t *testing.T) {
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
			t.Errorf("error %v, want ErrTimeout", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("answered after %v, want 1s", d)
		}
		if err := p.Read(within(t, time.Second), &rows); err != nil {
			t.Errorf("the other worker: %v", err)
		}
		rows = nil
		close(hang)
		synctest.Wait()
		if rows != nil {
			t.Errorf("rows were filled after their caller left: %v", rows)
		}
	})
}

func TestPoolCancelled(t *testing.T) {
	p := newPool(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var rows []row
	if err := p.Read(ctx, &rows); !errors.Is(err, context.Canceled) || errors.Is(err, wmiquery.ErrTimeout) {
		t.Errorf("error %v, want that of the cancelled context", err)
	}
}

// Stuck workers are counted and replaced up to the limit, after which the pool
// refuses at once; when the host answers after all, everything is as before.
func TestPoolStuckWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p := newPool(t, func(*[]row) error { <-hang; return nil })
		var rows []row
		for want := range 5 { // 2 workers and 3 replacements
			if s := p.Stats(); s.Stuck != want || s.Restarts != min(want, 3) {
				t.Errorf("before call %d: %+v", want+1, s)
			}
			if err := p.Read(within(t, 6*time.Second), &rows); !errors.Is(err, wmiquery.ErrTimeout) {
				t.Errorf("call %d: %v", want+1, err)
			}
		}
		start := time.Now()
		if err := p.Read(within(t, 6*time.Second), &rows); !errors.Is(err, wmiquery.ErrBusy) || time.Since(start) != 0 {
			t.Errorf("with every worker stuck: %v after %v, want ErrBusy at once", err, time.Since(start))
		}
		close(hang)
		synctest.Wait()
		if s := p.Stats(); s.Stuck != 0 || s.Restarts != 3 {
			t.Errorf("after all came back: %+v", s)
		}
		if err := p.Read(within(t, time.Second), &rows); err != nil {
			t.Errorf("after all came back: %v", err)
		}
	})
}

// After stuck workers have come back there are as many as before, and the
// sessions of those that are too many are closed.
func TestPoolSizeAfterRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var opened, closed, busy, most atomic.Int32
		p := wmiquery.NewPool(wmiquery.PoolOptions{
			Open: func() (wmiquery.Session, error) {
				opened.Add(1)
				return scripted{
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
			t.Errorf("%d reads at once, want 2", most.Load())
		}
		p.Close()
		synctest.Wait()
		if opened.Load() != 5 || closed.Load() != 5 {
			t.Errorf("%d sessions opened, %d closed, want 5", opened.Load(), closed.Load())
		}
	})
}

// Who waits in the queue when the last worker is lost is told so, and does not
// come to the host later, when nobody wants the answer any more.
func TestPoolQueueOfNoWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var reached atomic.Int32
		p := newPool(t, func(*[]row) error { reached.Add(1); <-hang; return nil })
		refused := make(chan error, 10)
		for range 8 {
			go func() {
				var rows []row
				if err := p.Read(context.Background(), &rows); err != nil {
					refused <- err
				}
			}()
		}
		time.Sleep(time.Minute)
		if len(refused) != 3 || !errors.Is(<-refused, wmiquery.ErrBusy) {
			t.Errorf("%d of 8 reads on 5 workers are refused, want 3", len(refused))
		}
		close(hang)
		synctest.Wait()
		if reached.Load() != 5 {
			t.Errorf("%d reads reached the host, want 5", reached.Load())
		}
	})
}

// Methods that hang do not cost the classes, nor the other way.
func TestPoolLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p := newPool(t, func(*[]row) error { <-hang; return nil })
		for range 10 {
			go func() { var rows []row; _ = p.Read(context.Background(), &rows) }()
		}
		time.Sleep(time.Minute)
		if _, err := p.Get(within(t, time.Second), wmiquery.Call{Method: "GetErrorEx"}); err != nil {
			t.Errorf("a call beside reads that hang: %v", err)
		}
		close(hang)
	})
}

// The started function runs when the host is asked, not while the task queues.
func TestPoolStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, func(*[]row) error { time.Sleep(3 * time.Second); return nil })
		start := time.Now()
		var waited []time.Duration
		var mu sync.Mutex
		for range 4 {
			go func() {
				var rows []row
				_ = p.Read(wmiquery.WithStarted(context.Background(), func() {
					mu.Lock()
					defer mu.Unlock()
					waited = append(waited, time.Since(start))
				}), &rows)
			}()
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if want := []time.Duration{0, 0, 3 * time.Second, 3 * time.Second}; !slices.Equal(waited, want) {
			t.Errorf("started after %v, want %v", waited, want)
		}
	})
}

// Close waits for the workers that can end, not for one that is stuck.
func TestPoolCloseLeavesStuckWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p := newPool(t, func(*[]row) error { <-hang; return nil })
		var rows []row
		_ = p.Read(within(t, 6*time.Second), &rows)
		p.Close()
		if err := p.Read(t.Context(), &rows); !errors.Is(err, wmiquery.ErrUnavailable) {
			t.Errorf("read of a closed pool: %v", err)
		}
		close(hang)
	})
}

// A session is kept as long as it works or plainly refuses, and opened anew after
// any other failure.
func TestPoolReopens(t *testing.T) {
	var opened, closed int
	next := errors.New("")
	p := wmiquery.NewPool(wmiquery.PoolOptions{
		Open: func() (wmiquery.Session, error) {
			opened++
			return scripted{
				read: func(*[]row) error {
					if next == nil {
						panic("boom")
					}
					return next
				},
				close: func() { closed++ },
			}, nil
		},
		Workers: 1, StuckAfter: time.Minute, MaxStuck: 1, Now: time.Now,
	})
	defer p.Close()
	for _, step := range []struct {
		next           error
		want           string
		opened, closed int
	}{
		{wmiquery.ErrDenied, "access denied", 1, 0},
		{wmiquery.ErrUnavailable, "connection lost", 1, 1},
		{wmiquery.ErrDenied, "access denied", 2, 1},
		{errors.New("who knows"), "who knows", 2, 2},
		{wmiquery.ErrDenied, "access denied", 3, 2},
		{nil, "panic: boom", 3, 2},
		{wmiquery.ErrDenied, "access denied", 4, 2},
	} {
		next = step.next
		var rows []row
		err := p.Read(t.Context(), &rows)
		if err == nil || !strings.HasPrefix(err.Error(), step.want) || opened != step.opened || closed != step.closed {
			t.Errorf("error %v, opened %d, closed %d; want %+v", err, opened, closed, step)
		}
	}
}

func TestPoolOpenFails(t *testing.T) {
	fail := errors.New("no such host")
	p := wmiquery.NewPool(wmiquery.PoolOptions{
		Open:    func() (wmiquery.Session, error) { return nil, fail },
		Workers: 1, StuckAfter: time.Minute, MaxStuck: 1, Now: time.Now,
	})
	defer p.Close()
	var rows []row
	if err := p.Read(t.Context(), &rows); !errors.Is(err, fail) {
		t.Errorf("error %v, want that of Open", err)
	}
}

func TestCodeError(t *testing.T) {
	for code, want := range map[uint32]error{
		wmiquery.CodeAccessDenied: wmiquery.ErrDenied,
		wmiquery.CodeInUse:        wmiquery.ErrBusy,
		wmiquery.CodeInvalidState: wmiquery.ErrInvalidState,
		wmiquery.CodeNotSupported: wmiquery.ErrUnsupported,
		wmiquery.CodeTimeout:      wmiquery.ErrTimeout,
		wmiquery.CodeFileNotFound: wmiquery.ErrNotFound,
	} {
		err := wmiquery.Reply{Code: code}.Err()
		if !errors.Is(err, want) {
			t.Errorf("code %d is %v, want %v", code, err, want)
		}
	}
	if err := (wmiquery.Reply{Code: 32768}).Err(); err == nil || errors.Is(err, wmiquery.ErrDenied) || err.Error() != "failed (32768)" {
		t.Errorf("32768: %v", err)
	}
	if err := (wmiquery.Reply{Code: 7}).Err(); err == nil || err.Error() != "return code 7" {
		t.Errorf("7: %v", err)
	}
	for _, code := range []uint32{wmiquery.CodeCompleted, wmiquery.CodeJobStarted} {
		if err := (wmiquery.Reply{Code: code}).Err(); err != nil {
			t.Errorf("code %d: %v", code, err)
		}
	}
}
