// Package loggingtest provides a destination of log messages for tests.
package loggingtest

import (
	"bytes"
	"strings"
	"sync"
)

// Buffer keeps what is written to it. It can be used by several goroutines. The zero value is empty.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns what has been written and not taken.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Take returns what has been written since the last call.
func (b *Buffer) Take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.buf.Reset()
	return b.buf.String()
}

// TakeLines returns the lines that have been written since the last call, without empty ones.
func (b *Buffer) TakeLines() []string {
	return strings.FieldsFunc(b.Take(), func(r rune) bool { return r == '\n' })
}
