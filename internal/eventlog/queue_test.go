package eventlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/eventlog/eventlogtest"
)

// hangingLog is an event log whose Info hangs until the test receives from released or closes it.
type hangingLog struct {
	eventlogtest.Recorder
	started, released chan struct{}
}

func newHangingLog() *hangingLog {
	return &hangingLog{started: make(chan struct{}, 2*maxQueuedEvents), released: make(chan struct{})}
}

func (l *hangingLog) Info(id uint32, text string) error {
	l.started <- struct{}{}
	<-l.released
	return l.Recorder.Info(id, text)
}

// While the event log hangs, the queue accepts 1,000 events and drops the rest. When the event log answers again, the
// queue writes the events in order and, as soon as there is room for it, how many were dropped.
func TestQueueDropsEventsWhenFull(t *testing.T) {
	log := newHangingLog()
	q := NewQueue(log)
	add := func(text string) bool { return q.Info(EventAudit, text) == nil }
	if !add("0") {
		t.Fatal("the first event was dropped")
	}
	<-log.started // it is on its way to the event log: the queue is empty
	for i := range 1000 {
		if !add(fmt.Sprint(i + 1)) {
			t.Fatalf("event %d was dropped", i+1)
		}
	}
	for i := range 99 {
		if add(fmt.Sprint("dropped ", i)) {
			t.Fatal("a full queue accepts an event")
		}
	}
	log.released <- struct{}{}
	<-log.started // the second event has left the queue: there is room for one
	if !add("1001") {
		t.Error("an event for which there is room was dropped: the warning took its place")
	}
	log.released <- struct{}{}
	<-log.started
	log.released <- struct{}{}
	<-log.started // there is room for two: the warning and an event
	if !add("1002") {
		t.Error("an event for which there is room was dropped")
	}
	log.released <- struct{}{}
	<-log.started
	if !add("1003") { // the warning is written once
		t.Error("an event for which there is room was dropped")
	}
	close(log.released)
	q.Close(time.Minute)

	var want []string
	for i := range 1002 {
		want = append(want, fmt.Sprint("info 100 ", i))
	}
	want = append(want, "warning 1 event log too slow: 99 events before this one were dropped", "info 100 1002", "info 100 1003")
	if got := log.Events(); !slices.Equal(got, want) {
		t.Errorf("%d events, want %d; the last ones are %q", len(got), len(want), got[max(0, len(got)-3):])
	}
	if q.Info(EventAudit, "too late") == nil {
		t.Error("Info succeeds after Close")
	}
}

// Close does not wait for an event log that hangs longer than its timeout.
func TestCloseDoesNotWaitForHangingLog(t *testing.T) {
	log := newHangingLog()
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

// The queue writes each event with its type and ID, in order. Closing it again does nothing.
func TestQueueKeepsTypesAndOrder(t *testing.T) {
	var log eventlogtest.Recorder
	q := NewQueue(&log)
	for _, err := range []error{q.Info(1, "a"), q.Warning(2, "b"), q.Error(3, "c"), q.Info(100, "d")} {
		if err != nil {
			t.Error(err)
		}
	}
	q.Close(time.Minute)
	q.Close(time.Minute)
	want := []string{"info 1 a", "warning 2 b", "error 3 c", "info 100 d"}
	if got := log.Events(); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}
