package eventlog

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Queue is a Log that writes to another one in the background, so that an event log that hangs delays neither a scrape
// nor a call of the admin endpoint. It keeps the order of events. Events that do not fit are dropped and counted.
type Queue struct {
	log  Log
	done chan struct{} // closed when everything has been written after Close

	mu      sync.Mutex
	events  chan func() error // nil after Close
	dropped int               // since the last event that was queued
}

// maxQueuedEvents is the capacity of a Queue.
const maxQueuedEvents = 1000

// errQueueFull is the error for an event that was dropped.
var errQueueFull = errors.New("event log too slow, event dropped")

// NewQueue returns a queue that writes to log until Close.
func NewQueue(log Log) *Queue {
	q := &Queue{log: log, done: make(chan struct{}), events: make(chan func() error, maxQueuedEvents)}
	go func(events <-chan func() error) {
		defer close(q.done)
		for write := range events {
			_ = write() // a service has no other output
		}
	}(q.events)
	return q
}

// Info implements Log.
func (q *Queue) Info(id uint32, text string) error { return q.add(q.log.Info, id, text) }

// Warning implements Log.
func (q *Queue) Warning(id uint32, text string) error { return q.add(q.log.Warning, id, text) }

// Error implements Log.
func (q *Queue) Error(id uint32, text string) error { return q.add(q.log.Error, id, text) }

func (q *Queue) add(write func(uint32, string) error, id uint32, text string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dropped > 0 && len(q.events) < cap(q.events)-1 {
		warning := fmt.Sprintf("event log too slow: %d events before this one were dropped", q.dropped)
		q.events <- func() error { return q.log.Warning(EventLog, warning) }
		q.dropped = 0
	}
	select {
	case q.events <- func() error { return write(id, text) }:
		return nil
	default:
		q.dropped++
		return errQueueFull
	}
}

// Close waits until all queued events are written, but not longer than timeout.
func (q *Queue) Close(timeout time.Duration) {
	q.mu.Lock()
	if q.events != nil {
		close(q.events)
		q.events = nil
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(timeout):
	}
}
