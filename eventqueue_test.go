package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// hungEventLog writes nothing until it is released.
type hungEventLog struct {
	fakeEventLog
	released chan struct{}
}

func (f *hungEventLog) Info(id uint32, text string) error {
	<-f.released
	return f.fakeEventLog.Info(id, text)
}

// An event log that hangs holds up nobody; what it was told in time it writes in order
// when it comes back, and how much is lost.
func TestEventQueue(t *testing.T) {
	hung := &hungEventLog{released: make(chan struct{})}
	q := newEventQueue(hung)
	lost := 0
	const n = queuedEvents + 100
	for i := range n {
		if err := q.Info(eventAudit, fmt.Sprint(i)); err != nil {
			lost++
		}
	}
	if lost < 99 || lost > 100 { // one is being written
		t.Errorf("%d of %d are lost", lost, n)
	}
	close(hung.released)
	for len(q.events) > 0 {
		runtime.Gosched() // it catches up
	}
	if err := q.Info(eventAudit, "after"); err != nil {
		t.Error(err)
	}
	q.close(time.Minute)
	got := hung.all()
	want := []string{fmt.Sprintf("warning 1 %d events before this one are lost: the event log does not keep up", lost), "info 100 after"}
	if end := got[len(got)-2:]; !slices.Equal(end, want) {
		t.Errorf("the last events are %q, want %q", end, want)
	}
	for i, e := range got[:len(got)-2] {
		if e != fmt.Sprint("info 100 ", i) {
			t.Fatalf("event %d is %q", i, e)
		}
	}
	if err := q.Info(eventAudit, "too late"); err == nil {
		t.Error("it takes events after its end")
	}
}

// Who stops does not wait for one that hangs.
func TestEventQueueStops(t *testing.T) {
	hung := &hungEventLog{released: make(chan struct{})}
	defer close(hung.released)
	q := newEventQueue(hung)
	(events{q}).complain(fmt.Errorf("x"))
	if err := q.Info(eventLine, "never written"); err != nil {
		t.Error(err)
	}
	q.close(time.Nanosecond)
	if all := hung.all(); len(all) > 1 || len(all) == 1 && !strings.HasPrefix(all[0], "error 2 x") {
		t.Errorf("the events are %q", all)
	}
}
