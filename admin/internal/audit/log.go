// Package audit is the audit log: a file of JSON lines to which records are only appended.
package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hyperv_replica_exporter/internal/disk"
)

// Options configure a log.
type Options struct {
	Path string
	// OnWrite, if not nil, is called for each line after it is in the file, in the order of the file.
	OnWrite func(line []byte)
	// OnError, if not nil, is called with the first of several errors in a row of what the log does on its own, such as
	// its rotation.
	OnError func(error)
	Now     func() time.Time // time.Now by default
	// MaxBytes is the size at which the file is renamed and a new one started, 0 for never. MaxFiles is the number of
	// renamed files that are kept.
	MaxBytes int64
	MaxFiles int
	// ReserveBytes is the space that is reserved for records that must be written. Others are refused when there is no
	// more space than that.
	ReserveBytes int64
	// RefusalInterval is the interval at which further refusals of the same type to the same caller are written, as one
	// record. If it is 0, each is written.
	RefusalInterval time.Duration
}

// Log is an audit log.
type Log struct {
	options Options

	mu          sync.Mutex
	file        *os.File
	reservation *disk.Reservation
	partialLine bool     // the file does not end with a newline
	pending     [][]byte // lines of WriteOrKeep that are not in the file yet
	refusals    map[refusalKey]*refusals
	rotateErr   error // of the last try
}

// Open opens the log, or creates it.
func Open(o Options) (*Log, error) {
	if o.OnWrite == nil {
		o.OnWrite = func([]byte) {}
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Log{options: o, refusals: map[refusalKey]*refusals{}}
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
	f, reservation, err := l.openFile(l.options.Path)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	partial, err := endsInPartialLine(f)
	if err == nil {
		err = disk.SyncDir(filepath.Dir(l.options.Path)) // so that the file exists after a power failure
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", errors.Join(err, f.Close(), reservation.Close()))
	}
	l.use(f, reservation)
	l.partialLine = partial
	return nil
}

// openFile opens a file for appending, and for the reservation of space.
func (l *Log) openFile(path string) (*os.File, *disk.Reservation, error) {
	f, err := openForAppend(path)
	if err != nil {
		return nil, nil, err
	}
	reservation, err := disk.Reserve(path)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, reservation, nil
}

// use replaces the open file. The caller must hold l.mu.
func (l *Log) use(f *os.File, r *disk.Reservation) {
	if l.file != nil {
		_ = errors.Join(l.file.Close(), l.reservation.Close()) // the error of every write was checked
	}
	l.file, l.reservation = f, r
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
	there, err := os.Stat(l.options.Path)
	return err != nil || !os.SameFile(open, there)
}

// Write appends a record. If it returns an error, the caller must not start the action that the record announces.
// With sync the record is on disk when Write returns, and it may use the reserved space.
func (l *Log) Write(r Record, sync bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(r, sync)
}

// write is Write. The caller must hold l.mu.
func (l *Log) write(r Record, sync bool) error {
	line, err := encode(r)
	if err != nil {
		return err
	}
	if err := l.flush(); err != nil {
		return err
	}
	return l.append(line, sync)
}

// WriteOrKeep appends a record of something that has already happened. If it returns an error, it keeps the record in
// memory. The record is written as soon as possible, before any other.
func (l *Log) WriteOrKeep(r Record) error {
	line, err := encode(r)
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

// FlushPending writes the records that WriteOrKeep could not write, and those of refusals that are due.
func (l *Log) FlushPending() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.flush(); err != nil {
		return err
	}
	return l.flushRefusals(false)
}

// flush writes the records that WriteOrKeep could not write. The caller must hold l.mu. There are never many pending
// records: each belongs to an action whose intent was written, and no action starts while the log cannot be written.
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
	if err := l.rotateIfFull(len(line) + 1); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if err := l.reserve(len(line) + 1); err != nil && !sync {
		return fmt.Errorf("audit log: %w", err)
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
		l.options.OnWrite(line)
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// reserve makes sure that the file has its reserved space after a line of some bytes. The caller must hold l.mu.
func (l *Log) reserve(lineBytes int) error {
	info, err := l.file.Stat()
	if err != nil || l.options.ReserveBytes == 0 {
		return err
	}
	needed := info.Size() + int64(lineBytes) + l.options.ReserveBytes
	const step = 64 << 10 // so that not every line needs a call of the system
	if err := l.reservation.Extend((needed + step - 1) / step * step); err != nil {
		return l.reservation.Extend(needed)
	}
	return nil
}

// trim gives up the space that a file has beyond its end. An error only costs the space.
func trim(f *os.File, size int64) { _ = f.Truncate(size) }

// Close writes what is still counted or kept, and closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.flushRefusals(true), l.file.Close(), l.reservation.Close())
}
