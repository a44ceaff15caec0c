// Package audit is the audit log: a file of JSON lines to which records are only appended.
package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Event is the kind of a record.
type Event string

// The events.
const (
	Intent      Event = "intent"  // before a call of the host; synced to disk
	Outcome     Event = "outcome" // the host has answered the call
	JobEnded    Event = "job"
	Refused     Event = "refused"
	DryRun      Event = "dry_run"
	Reload      Event = "reload"
	Maintenance Event = "maintenance" // announced or ended, without a call of the host
	Unlock      Event = "unlock"      // the lock of a call that hangs was released
	Damage      Event = "damage"      // stored records were damaged and are lost
)

// Record is one record of the audit log. It never contains a password, token or key.
type Record struct {
	Time   time.Time `json:"time"`
	Event  Event     `json:"event"`
	ID     string    `json:"id"` // of the action; the same in all its records
	User   string    `json:"user"`
	Remote string    `json:"remote,omitempty"` // address of the client

	Action       string         `json:"action"`
	Method       string         `json:"method,omitempty"`
	VMID         string         `json:"vm_id,omitempty"`
	VM           string         `json:"vm,omitempty"`
	Relationship string         `json:"relationship,omitempty"`
	Parameters   map[string]any `json:"parameters,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	Seen         any            `json:"seen,omitempty"` // state of the target before the call
	Accepted     *Accepted      `json:"accepted,omitempty"`
	TestResult   string         `json:"test_result,omitempty"`

	Status   int      `json:"status,omitempty"` // HTTP status
	Type     string   `json:"type,omitempty"`   // problem type
	Code     *uint32  `json:"code,omitempty"`   // return code of the method
	Job      string   `json:"job,omitempty"`    // object path of the host's job
	State    string   `json:"state,omitempty"`  // state of the job
	Error    string   `json:"error,omitempty"`
	Duration *float64 `json:"duration_seconds,omitempty"`
}

// Accepted is what the request expects and accepts.
type Accepted struct {
	State          string   `json:"expected_state,omitempty"`
	Mode           string   `json:"expected_mode,omitempty"`
	MaxLossSeconds *float64 `json:"max_data_loss_seconds,omitempty"`
	UnknownLoss    bool     `json:"unknown_loss,omitempty"`
	Confirmed      bool     `json:"confirmed,omitempty"` // with a confirmation token
}

// Log is an audit log.
type Log struct {
	path    string
	onWrite func(line []byte) // called for each line after it is in the file, in the order of the file

	mu          sync.Mutex
	file        *os.File
	partialLine bool     // the file does not end with a newline
	pending     [][]byte // lines of WriteOrKeep that are not in the file yet
}

// Open opens the log, or creates it. It calls onWrite for each line after it is in the file.
func Open(path string, onWrite func(line []byte)) (*Log, error) {
	l := &Log{path: path, onWrite: onWrite}
	return l, l.Reopen()
}

// Reopen opens the file at the log's path again. If the old file was moved away, this creates a new one.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reopen()
}

// reopen is Reopen. The caller must hold l.mu.
func (l *Log) reopen() error {
	f, err := openForAppend(l.path)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	partial, err := endsInPartialLine(f)
	if err != nil {
		f.Close() //nolint:errcheck // the other error is returned
		return fmt.Errorf("audit log: %w", err)
	}
	if l.file != nil {
		l.file.Close() //nolint:errcheck // the error of every write was checked
	}
	l.file, l.partialLine = f, partial
	return nil
}

// endsInPartialLine reports whether a file does not end with a newline. This happens when the machine stops during a
// write.
func endsInPartialLine(f *os.File) (bool, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// moved reports whether the open file is no longer at the log's path. It was moved away or deleted, so lines that are
// written to it could get lost. The caller must hold l.mu.
func (l *Log) moved() bool {
	open, err := l.file.Stat()
	if err != nil { // the next write returns the error
		return false
	}
	there, err := os.Stat(l.path)
	return err != nil || !os.SameFile(open, there)
}

// Write appends a record. If it returns an error, the caller must not start the action that the record announces.
// With sync the record is on disk when Write returns.
func (l *Log) Write(r Record, sync bool) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.flush(); err != nil {
		return err
	}
	return l.append(line, sync)
}

// WriteOrKeep appends a record of something that has already happened. If it returns an error, it keeps the record in
// memory. The record is written as soon as possible, before any other.
func (l *Log) WriteOrKeep(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err = l.flush()
	if err == nil {
		err = l.append(line, true)
	}
	if err != nil {
		l.pending = append(l.pending, line)
	}
	return err
}

// FlushPending writes the records that WriteOrKeep could not write.
func (l *Log) FlushPending() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flush()
}

// flush is FlushPending. The caller must hold l.mu. There are never many pending records: each belongs to an action
// whose intent was written, and no action starts while the log cannot be written.
func (l *Log) flush() error {
	for len(l.pending) > 0 {
		if err := l.append(l.pending[0], true); err != nil {
			return err
		}
		l.pending = l.pending[1:]
	}
	return nil
}

// append writes a line to the file. The caller must hold l.mu.
func (l *Log) append(line []byte, sync bool) error {
	if l.moved() {
		if err := l.reopen(); err != nil {
			return err
		}
	}
	text := append(bytes.Clone(line), '\n')
	if l.partialLine {
		text = append([]byte{'\n'}, text...)
	}
	n, err := l.file.Write(text)
	if n > 0 || err == nil {
		l.partialLine = err != nil
	}
	if err == nil {
		if sync {
			err = l.file.Sync()
		}
		l.onWrite(line)
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
