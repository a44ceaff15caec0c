package eventlog

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/eventlog/eventlogtest"
)

// hangingLog is an event log whose Info hangs until released is closed.
type hangingLog struct {
	eventlogtest.Recorder
	released chan struct{}
}

func (l *hangingLog) Info(id uint32, text string) error {
	<-l.released
	return l.Recorder.Info(id, text)
}

// While the event log hangs, the queue accepts events up to its capacity and drops the rest. When the event log
// answers again, the queue writes the events in order and how many were dropped.
func TestQueueDropsEventsWhenFull(t *testing.T) {
	log := &hangingLog{released: make(chan struct{})}
	q := NewQueue(log)
	dropped := 0
	const n = maxQueuedEvents + 100
	for i := range n {
		if err := q.Info(EventAudit, fmt.Sprint(i)); err != nil {
			dropped++
		}
	}
	if dropped < 99 || dropped > 100 { // one event may already be on its way to the event log
		t.Errorf("%d of %d events dropped, want 99 or 100", dropped, n)
	}
	close(log.released)
	for len(q.events) > 0 {
		runtime.Gosched()
	}
	if err := q.Info(EventAudit, "after"); err != nil {
		t.Error(err)
	}
	q.Close(time.Minute)
	got := log.Events()
	want := []string{
		fmt.Sprintf("warning 1 event log too slow: %d events before this one were dropped", dropped), "info 100 after",
	}
	if end := got[len(got)-2:]; !slices.Equal(end, want) {
		t.Errorf("last events %q, want %q", end, want)
	}
	for i, e := range got[:len(got)-2] {
		if e != fmt.Sprint("info 100 ", i) {
			t.Fatalf("event %d is %q", i, e)
		}
	}
	if err := q.Info(EventAudit, "too late"); err == nil {
		t.Error("Info succeeds after Close")
	}
}

// Close does not wait for an event log that hangs longer than its timeout.
func TestCloseDoesNotWaitForHangingLog(t *testing.T) {
	log := &hangingLog{released: make(chan struct{})}
	defer close(log.released)
	q := NewQueue(log)
	Output{q}.Fatal(errors.New("x"))
	if err := q.Info(EventLog, "never written"); err != nil {
		t.Error(err)
	}
	q.Close(time.Nanosecond)
	if all := log.Events(); len(all) > 1 || len(all) == 1 && !strings.HasPrefix(all[0], "error 2 x") {
		t.Errorf("events %q", all)
	}
}
