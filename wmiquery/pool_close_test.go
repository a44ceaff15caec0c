package wmiquery_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// Close returns when the running read and the running call have returned and their sessions are closed: the program
// must not end while WMI is in use. Both callers get their results.
func TestPoolCloseWaitsForRunningWork(t *testing.T) {
	for name, tt := range map[string]struct{ read, call, want time.Duration }{
		"idle":      {0, 0, time.Second}, // closing a session takes a second
		"slow read": {3 * time.Second, 0, 4 * time.Second},
		"slow call": {0, 4 * time.Second, 5 * time.Second},
		"both slow": {4 * time.Second, 2 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opened, closed atomic.Int32
				p := newPoolWithOpen(t, 2, 3, func() (wmiquery.Session, error) {
					opened.Add(1)
					return fakeSession{
						read:  func(*[]row) error { time.Sleep(tt.read); return nil },
						call:  func(wmiquery.Call) (wmiquery.Reply, error) { time.Sleep(tt.call); return wmiquery.Reply{}, nil },
						close: func() { time.Sleep(time.Second); closed.Add(1) },
					}, nil
				})
				read, call := startRead(p), startCall(p)
				synctest.Wait()
				start := time.Now()
				p.Close()
				if d := time.Since(start); d != tt.want {
					t.Errorf("Close returned after %v, want %v", d, tt.want)
				}
				if opened.Load() != 2 || closed.Load() != 2 {
					t.Errorf("%d sessions opened, %d closed when Close returned, want 2 and 2", opened.Load(), closed.Load())
				}
				if err := <-read; err != nil {
					t.Errorf("read: got error %v", err)
				}
				if err := <-call; err != nil {
					t.Errorf("call: got error %v", err)
				}
			})
		})
	}
}

// While Close waits for running work, the pool accepts neither reads nor calls.
func TestPoolAcceptsNothingWhileItCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func() error { time.Sleep(3 * time.Second); return nil }
		p := newPoolOfSize(t, 2, 3, fakeSession{
			read: func(*[]row) error { return slow() },
			call: func(wmiquery.Call) (wmiquery.Reply, error) { return wmiquery.Reply{}, slow() },
		})
		startRead(p)
		startCall(p)
		synctest.Wait()
		go p.Close()
		time.Sleep(time.Second)
		start := time.Now()
		for name, err := range map[string]error{"read": <-startRead(p), "call": <-startCall(p)} {
			if !errors.Is(err, wmiquery.ErrUnavailable) || time.Since(start) != 0 {
				t.Errorf("%s: got error %v after %v, want ErrUnavailable at once", name, err, time.Since(start))
			}
		}
	})
}

// Callers in the queue of a pool that closes get an error at once. Their reads never reach the host.
func TestPoolCloseRejectsQueuedReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reached atomic.Int32
		p := newPoolOfSize(t, 1, 0, fakeSession{read: func(*[]row) error {
			reached.Add(1)
			time.Sleep(3 * time.Second)
			return nil
		}})
		running := startRead(p)
		synctest.Wait()
		start := time.Now()
		rejected := make(chan time.Duration, 10)
		for range cap(rejected) {
			go func() {
				err := <-startRead(p)
				if !errors.Is(err, wmiquery.ErrUnavailable) || err.Error() != "pool is closed: connection lost" {
					t.Errorf("read in the queue: got error %v", err)
				}
				rejected <- time.Since(start)
			}()
		}
		time.Sleep(time.Second)
		p.Close()
		for range cap(rejected) {
			if d := <-rejected; d != time.Second {
				t.Errorf("a read in the queue returned %v after its start, want 1s, the time of Close", d)
			}
		}
		if err := <-running; err != nil || reached.Load() != 1 {
			t.Errorf("the running read got error %v, %d reads have reached the host, want 1", err, reached.Load())
		}
	})
}

// A read that gets stuck while Close waits for it ends the wait. Its worker is not replaced. The session is closed when
// the read returns.
func TestPoolCloseDoesNotWaitForReadThatGetsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		closed := 0
		p := newPoolOfSize(t, 2, 3, fakeSession{read: func(*[]row) error { <-hang; return nil }, close: func() { closed++ }})
		read := startRead(p)
		time.Sleep(time.Second)
		start := time.Now()
		p.Close()
		if d := time.Since(start); d != 4*time.Second {
			t.Errorf("Close returned after %v, want 4s, when the read was stuck", d)
		}
		checkStats(t, p, "after Close", 1, 0)
		close(hang)
		if err := <-read; err != nil {
			t.Errorf("read: got error %v", err)
		}
		synctest.Wait()
		if closed != 1 {
			t.Errorf("%d sessions closed after the read has returned, want 1", closed)
		}
		checkStats(t, p, "after the read", 0, 0)
	})
}

func TestPoolCloseDoesNotWaitForStuckWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var closed atomic.Int32
		p := newPoolOfSize(t, 2, 3, fakeSession{
			read:  func(*[]row) error { <-hang; return nil },
			call:  func(wmiquery.Call) (wmiquery.Reply, error) { <-hang; return wmiquery.Reply{}, nil },
			close: func() { closed.Add(1) },
		})
		read, call := startRead(p), startCall(p)
		time.Sleep(6 * time.Second)
		start := time.Now()
		p.Close()
		if d := time.Since(start); d != 0 {
			t.Errorf("Close returned after %v, want 0", d)
		}
		close(hang)
		if err := errors.Join(<-read, <-call); err != nil {
			t.Errorf("got error %v when the host answers after Close", err)
		}
		synctest.Wait()
		if closed.Load() != 2 {
			t.Errorf("%d sessions closed, want 2", closed.Load())
		}
	})
}

// A pool can be closed several times. Afterwards, no read and no call reaches the host.
func TestPoolIsUnavailableAfterClose(t *testing.T) {
	opened := 0
	p := newPoolWithOpen(t, 2, 3, func() (wmiquery.Session, error) { opened++; return fakeSession{}, nil })
	var all sync.WaitGroup
	for range 3 {
		all.Go(p.Close)
	}
	all.Wait()
	for range 20 { // a worker could accept one of them by chance
		for _, err := range []error{<-startRead(p), <-startCall(p)} {
			if !errors.Is(err, wmiquery.ErrUnavailable) || err.Error() != "pool is closed: connection lost" {
				t.Errorf("got error %v, want ErrUnavailable", err)
			}
		}
	}
	if opened != 0 {
		t.Errorf("%d sessions were opened", opened)
	}
}
