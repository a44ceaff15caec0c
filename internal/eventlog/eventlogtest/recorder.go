// Package eventlogtest provides an event log for tests.
package eventlogtest

import (
	"fmt"
	"slices"
	"sync"
)

// Recorder is an eventlog.Log that keeps its events. It can be used by several goroutines.
type Recorder struct {
	mu     sync.Mutex
	events []string
}

// Info implements eventlog.Log.
func (r *Recorder) Info(id uint32, text string) error { return r.add("info", id, text) }

// Warning implements eventlog.Log.
func (r *Recorder) Warning(id uint32, text string) error { return r.add("warning", id, text) }

// Error implements eventlog.Log.
func (r *Recorder) Error(id uint32, text string) error { return r.add("error", id, text) }

func (r *Recorder) add(kind string, id uint32, text string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf("%s %d %s", kind, id, text))
	return nil
}

// Events returns the events so far, in order, each as type, ID and text.
func (r *Recorder) Events() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}
