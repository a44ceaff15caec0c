package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// eventQueue stands before the event log: one that hangs holds up neither a scrape nor a
// call of the admin endpoint. Order stays; what it cannot hold is lost, and counted.
type eventQueue struct {
	log     eventLog
	written chan struct{} // closed when all is written after close

	mu     sync.Mutex
	events chan func() error // nil once closed
	lost   int
}

// queuedEvents is how many wait at the most.
const queuedEvents = 1000

var errEventLost = errors.New("the event log does not keep up")

func newEventQueue(log eventLog) *eventQueue {
	q := &eventQueue{log: log, written: make(chan struct{}), events: make(chan func() error, queuedEvents)}
	go func(events <-chan func() error) {
		defer close(q.written)
		for write := range events {
			_ = write() // there is no other place to tell
		}
	}(q.events)
	return q
}

func (q *eventQueue) Info(id uint32, text string) error    { return q.add(q.log.Info, id, text) }
func (q *eventQueue) Warning(id uint32, text string) error { return q.add(q.log.Warning, id, text) }
func (q *eventQueue) Error(id uint32, text string) error   { return q.add(q.log.Error, id, text) }

func (q *eventQueue) add(write func(uint32, string) error, id uint32, text string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lost > 0 && len(q.events) < cap(q.events)-1 {
		lost := fmt.Sprintf("%d events before this one are lost: %v", q.lost, errEventLost)
		q.events <- func() error { return q.log.Warning(eventLine, lost) }
		q.lost = 0
	}
	select {
	case q.events <- func() error { return write(id, text) }:
		return nil
	default:
		q.lost++
		return errEventLost
	}
}

// close waits until all is written, but not for long.
func (q *eventQueue) close(patience time.Duration) {
	q.mu.Lock()
	if q.events != nil {
		close(q.events)
		q.events = nil
	}
	q.mu.Unlock()
	select {
	case <-q.written:
	case <-time.After(patience):
	}
}
