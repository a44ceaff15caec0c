package wmiquery_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// hangingCalls returns a session in which calls of a method hang until the channel is closed, and others return at
// once.
func hangingCalls(method string, hang <-chan struct{}) fakeSession {
	return fakeSession{call: func(c wmiquery.Call) (wmiquery.Reply, error) {
		if c.Method == method {
			<-hang
		}
		return wmiquery.Reply{}, nil
	}}
}

// A method that hangs, however often it is called, never has all workers: others are called at once.
func TestPoolMethodThatHangsLeavesOneWorker(t *testing.T) {
	for _, tt := range []struct{ workers, maxStuck, busyAfter int }{
		{1, 1, 1}, {1, 8, 8}, {4, 1, 4}, {4, 8, 11},
	} {
		t.Run(fmt.Sprintf("%d workers, %d replaced", tt.workers, tt.maxStuck), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hang := make(chan struct{})
				p := newPoolOfSize(t, tt.workers, tt.maxStuck, hangingCalls("GetReplicationStatisticsEx", hang))
				for range 40 {
					startCallOf(p, "GetReplicationStatisticsEx")
				}
				time.Sleep(time.Hour)
				start := time.Now()
				if err := <-startCallOf(p, "GetSystemCertificates"); err != nil || time.Since(start) != 0 {
					t.Errorf("other method: got error %v after %v, want none at once", err, time.Since(start))
				}
				checkStats(t, p, "with calls of one method", tt.busyAfter, tt.maxStuck)
				busy := fmt.Sprintf("%d workers are waiting for GetReplicationStatisticsEx: busy", tt.busyAfter)
				if err := <-startCallOf(p, "GetReplicationStatisticsEx"); !errors.Is(err, wmiquery.ErrBusy) ||
					err.Error() != busy {
					t.Errorf("the method that hangs: got error %v, want %q", err, busy)
				}
				close(hang)
				synctest.Wait()
				if err := <-startCallOf(p, "GetReplicationStatisticsEx"); err != nil {
					t.Errorf("the method after it has returned: got error %v", err)
				}
				checkStats(t, p, "after all calls have returned", 0, tt.maxStuck)
			})
		})
	}
}

// Without replacements, a method may have all workers: one that is kept free would be missing all the time.
func TestPoolWithoutReplacementsUsesAllWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		p := newPoolOfSize(t, 2, 0, hangingCalls("GetErrorEx", hang))
		startCallOf(p, "GetErrorEx")
		startCallOf(p, "GetErrorEx")
		time.Sleep(time.Minute)
		checkStats(t, p, "with two calls", 2, 0)
		close(hang)
	})
}

// A free worker takes the task of the operation with the fewest running tasks; operations take turns if there are
// several: a single call does not wait for all calls of a method that is called for each VM.
func TestPoolServesOperationWithFewestRunningTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l hostLog
		p := newPoolOfSize(t, 2, 0, slowCalls(&l))
		startCallOf(p, "many")
		time.Sleep(time.Second) // the two workers are never free at the same time
		for _, method := range []string{"many", "many", "many", "one", "two", "two", "many"} {
			startCallOf(p, method)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		l.check(t, "many", "many", "one", "many", "two", "many", "two", "many")
	})
}

// A caller that leaves does not take its place in the queue with it, nor that of others.
func TestPoolQueueWithoutCallerThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l hostLog
		p := newPoolOfSize(t, 1, 0, slowCalls(&l))
		startCallOf(p, "running")
		synctest.Wait()
		for _, method := range []string{"a", "a", "b"} {
			startCallOf(p, method)
			synctest.Wait()
		}
		if _, err := invoke(within(t, time.Second), p, "a"); !errors.Is(err, wmiquery.ErrTimeout) {
			t.Errorf("got error %v, want ErrTimeout", err)
		}
		time.Sleep(time.Minute)
		l.check(t, "running", "a", "b", "a")
	})
}
