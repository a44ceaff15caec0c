package wmiquery_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// startRead starts a read that nobody waits for. Its error, which may be nil, goes to the channel.
func startRead(p *wmiquery.Pool) <-chan error {
	result := make(chan error, 1)
	go func() {
		var rows []row
		result <- p.Read(context.Background(), &rows)
	}()
	return result
}

func startCall(p *wmiquery.Pool) <-chan error { return startCallOf(p, "InitiateFailover") }

func startCallOf(p *wmiquery.Pool, method string) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := p.Invoke(context.Background(), wmiquery.Call{Method: method})
		result <- err
	}()
	return result
}

// checkStats compares the statistics of a pool, which are metrics of the exporter.
func checkStats(t *testing.T, p *wmiquery.Pool, when string, stuck, restarts int) {
	t.Helper()
	if got := p.Stats(); got.Stuck != stuck || got.Restarts != restarts {
		t.Errorf("%s: got %d stuck workers and %d restarts, want %d and %d",
			when, got.Stuck, got.Restarts, stuck, restarts)
	}
}

// A worker is stuck from the limit on, not before.
func TestPoolCountsStuckWorkersFromLimitOn(t *testing.T) {
	for _, tt := range []struct {
		takes time.Duration
		stuck int
	}{
		{0, 0}, {4999 * time.Millisecond, 0}, {5*time.Second - 1, 0}, {5*time.Second + 1, 1}, {time.Minute, 1},
	} {
		t.Run(fmt.Sprint(tt.takes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPoolOfSize(t, 1, 1, fakeSession{read: func(*[]row) error { time.Sleep(tt.takes); return nil }})
				done := startRead(p)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				checkStats(t, p, "after 5s", tt.stuck, tt.stuck)
				if err := <-done; err != nil {
					t.Errorf("got error %v", err)
				}
				synctest.Wait()
				checkStats(t, p, "after the read", 0, tt.stuck)
			})
		})
	}
}

// A read may return in the same moment in which its worker would count as stuck. Whichever happens first, no worker
// counts as stuck afterwards, and the pool has its original size.
func TestPoolHasNoStuckWorkersAfterReadsOfExactlyTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy, most atomic.Int32
		p := newPool(t, func(*[]row) error {
			most.Store(max(most.Load(), busy.Add(1)))
			defer busy.Add(-1)
			time.Sleep(5 * time.Second)
			return nil
		})
		for n := range 500 {
			if err := <-startRead(p); err != nil {
				t.Fatalf("read %d: got error %v", n, err)
			}
			synctest.Wait()
			if got := p.Stats().Stuck; got != 0 {
				t.Fatalf("got %d stuck workers after read %d has returned", got, n)
			}
		}
		var results []<-chan error
		most.Store(0)
		for range 4 {
			results = append(results, startRead(p))
		}
		time.Sleep(4 * time.Second)
		if got := most.Load(); got != 2 {
			t.Errorf("%d concurrent reads, want 2", got)
		}
		for _, result := range results {
			if err := <-result; err != nil {
				t.Errorf("concurrent read: got error %v", err)
			}
		}
	})
}

// All workers and their replacements get a call that hangs. The other calls fail.
func TestPoolLimitOfStuckWorkers(t *testing.T) {
	for _, tt := range []struct{ workers, maxStuck, reach int }{
		{1, 0, 1}, {1, 1, 2}, {2, 0, 2}, {2, 1, 3}, {2, 2, 4}, {3, 1, 4}, {3, 5, 8},
	} {
		t.Run(fmt.Sprintf("%d workers, %d replaced", tt.workers, tt.maxStuck), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hang := make(chan struct{})
				var reached atomic.Int32
				p := newPoolOfSize(t, tt.workers, tt.maxStuck, fakeSession{
					call: func(wmiquery.Call) (wmiquery.Reply, error) {
						reached.Add(1)
						<-hang
						return wmiquery.Reply{}, nil
					},
				})
				var results []<-chan error
				for n := range 10 {
					results = append(results, startCallOf(p, fmt.Sprint("Method", n)))
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if got, want := int(reached.Load()), min(tt.workers+tt.maxStuck, 2*tt.workers); got != want {
					t.Errorf("after 5s, %d calls have reached the host, want %d", got, want)
				}
				time.Sleep(time.Hour)
				if got := int(reached.Load()); got != tt.reach {
					t.Errorf("after an hour, %d calls have reached the host, want %d", got, tt.reach)
				}
				checkStats(t, p, "while all calls hang", tt.reach, tt.maxStuck)
				close(hang)
				busy := fmt.Sprintf("all %d workers are waiting for the host: busy", tt.reach)
				rejected := 0
				for _, result := range results {
					if err := <-result; err != nil {
						rejected++
						if !errors.Is(err, wmiquery.ErrBusy) || err.Error() != busy {
							t.Errorf("got error %v, want %q", err, busy)
						}
					}
				}
				if rejected != 10-tt.reach {
					t.Errorf("%d of 10 calls were rejected, want %d", rejected, 10-tt.reach)
				}
				synctest.Wait()
				checkStats(t, p, "after all calls have returned", 0, tt.maxStuck)
			})
		})
	}
}

// If one of the stuck workers recovers, it serves reads until it is stuck again.
func TestPoolServesReadsWhenOneStuckWorkerRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{}) // each value ends one read
		var reached atomic.Int32
		p := newPoolOfSize(t, 2, 0, fakeSession{read: func(*[]row) error { reached.Add(1); <-release; return nil }})
		startRead(p)
		startRead(p)
		for n := range 4 {
			time.Sleep(5 * time.Second)
			synctest.Wait()
			checkStats(t, p, "with two hanging reads", 2, 0)
			if err := <-startRead(p); !errors.Is(err, wmiquery.ErrBusy) {
				t.Errorf("with two hanging reads: got error %v, want ErrBusy", err)
			}
			release <- struct{}{}
			synctest.Wait()
			checkStats(t, p, "with one hanging read", 1, 0)
			startRead(p)
			synctest.Wait()
			if got := int(reached.Load()); got != n+3 {
				t.Fatalf("%d reads have reached the host, want %d", got, n+3)
			}
		}
		close(release)
	})
}

// MaxStuck limits the number of stuck workers that are replaced at a time, not in total.
func TestPoolReplacesStuckWorkersAgainAfterRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoolOfSize(t, 1, 1, fakeSession{call: func(wmiquery.Call) (wmiquery.Reply, error) {
			time.Sleep(20 * time.Second)
			return wmiquery.Reply{}, nil
		}})
		for n := range 5 {
			first := startCallOf(p, "GetErrorEx")
			time.Sleep(10 * time.Second)
			checkStats(t, p, fmt.Sprintf("outage %d", n), 1, n+1)
			second := startCallOf(p, "KillJob") // the replacement serves it
			for name, result := range map[string]<-chan error{"first": first, "second": second} {
				if err := <-result; err != nil {
					t.Errorf("outage %d: got error %v for the %s call", n, err, name)
				}
			}
			synctest.Wait()
			checkStats(t, p, fmt.Sprintf("after outage %d", n), 0, n+1)
		}
	})
}

// Reads and method calls have separate workers and separate limits. The statistics have both.
func TestPoolCountsStuckReadsAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p := newPoolOfSize(t, 2, 2, fakeSession{
			read: func(*[]row) error { <-hang; return nil },
			call: func(wmiquery.Call) (wmiquery.Reply, error) { <-hang; return wmiquery.Reply{}, nil },
		})
		startCall(p)
		time.Sleep(10 * time.Second)
		checkStats(t, p, "with one stuck call", 1, 1)
		for range 3 {
			startRead(p)
		}
		time.Sleep(20 * time.Second)
		checkStats(t, p, "with three stuck reads and one stuck call", 4, 3)
		if err := <-startRead(p); !errors.Is(err, wmiquery.ErrBusy) || !strings.Contains(err.Error(), "3 workers") {
			t.Errorf("read: got error %v, want ErrBusy of 3 workers", err)
		}
		call := startCall(p)
		synctest.Wait()
		select {
		case err := <-call:
			t.Errorf("call: got error %v although workers for calls are free", err)
		default:
		}
		close(hang)
		if err := <-call; err != nil {
			t.Errorf("call: got error %v", err)
		}
	})
}

func TestPoolReadsWorkWhileCallsHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p := newPoolOfSize(t, 2, 3, fakeSession{
			call: func(wmiquery.Call) (wmiquery.Reply, error) { <-hang; return wmiquery.Reply{}, nil },
		})
		for range 10 {
			startCall(p)
		}
		time.Sleep(time.Minute)
		if err := <-startCall(p); !errors.Is(err, wmiquery.ErrBusy) {
			t.Errorf("call while all calls hang: got error %v, want ErrBusy", err)
		}
		var rows []row
		if err := p.Read(within(t, time.Second), &rows); err != nil {
			t.Errorf("read while all calls hang: %v", err)
		}
		close(hang)
	})
}

// A read in the queue fails when all workers are stuck, also if a stuck worker has recovered while the read waited.
func TestPoolRejectsReadThatWaitedDuringRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		durations := make(chan time.Duration, 4)
		for _, d := range []time.Duration{6 * time.Second, time.Minute, time.Minute, 0} {
			durations <- d
		}
		p := newPoolOfSize(t, 2, 0, fakeSession{read: func(*[]row) error {
			time.Sleep(<-durations)
			return nil
		}})
		startRead(p) // stuck from 5 to 6 seconds
		time.Sleep(3 * time.Second)
		startRead(p) // stuck from 8 seconds on
		synctest.Wait()
		startRead(p) // takes the worker that recovers, which is stuck again from 11 seconds on
		synctest.Wait()
		last := startRead(p)
		start := time.Now()
		if err := <-last; !errors.Is(err, wmiquery.ErrBusy) || time.Since(start) != 8*time.Second {
			t.Errorf("got error %v after %v, want ErrBusy after 8s, when the last worker is stuck", err, time.Since(start))
		}
		time.Sleep(time.Minute)
	})
}
