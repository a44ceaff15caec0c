package logging

import (
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// NewLimited returns a logger that passes at most burst messages to next within a period, which starts with the first
// of them. At its end it logs how many were suppressed, if any. Messages of level debug are not limited. It is for
// messages that clients can cause, and for those that can repeat without end.
func NewLimited(next log.Logger, burst int, period time.Duration) log.Logger {
	return &limitedLogger{next: next, burst: burst, period: period}
}

type limitedLogger struct {
	next   log.Logger
	burst  int
	period time.Duration

	mu       sync.Mutex
	messages int // in the current period
}

// Log implements log.Logger.
func (l *limitedLogger) Log(kv ...any) error {
	if slices.Contains(kv, any(level.DebugValue())) {
		return l.next.Log(kv...)
	}
	l.mu.Lock()
	if l.messages == 0 {
		time.AfterFunc(l.period, l.endPeriod)
	}
	l.messages++
	suppress := l.messages > l.burst
	l.mu.Unlock()
	if suppress {
		return nil
	}
	return l.next.Log(kv...)
}

func (l *limitedLogger) endPeriod() {
	l.mu.Lock()
	suppressed := l.messages - l.burst
	l.messages = 0
	l.mu.Unlock()
	if suppressed > 0 {
		_ = level.Warn(l.next).Log("msg", "similar messages suppressed", "count", suppressed, "period", l.period)
	}
}

// maxValueBytes is the maximum length of a value in the log. An error can contain data of any length, for example a
// response of the host that cannot be parsed.
const maxValueBytes = 2048

// shortLogger shortens the values of the messages that it passes to next.
type shortLogger struct{ next log.Logger }

// Log implements log.Logger.
func (l shortLogger) Log(kv ...any) error {
	short := make([]any, len(kv))
	for i, v := range kv {
		short[i] = shortValue(v)
	}
	return l.next.Log(short...)
}

// shortValue returns v, or its text up to maxValueBytes if it is longer. It does not look into values that are not
// texts: these are few, and their length does not depend on others.
func shortValue(v any) any {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case error:
		text = v.Error()
	case []byte:
		text = string(v)
	default:
		return v
	}
	if len(text) <= maxValueBytes {
		return v
	}
	return shorten(text)
}

// shorten returns a text up to maxValueBytes, with its length if it is longer.
func shorten(text string) string {
	if len(text) <= maxValueBytes {
		return text
	}
	end := maxValueBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:end], len(text))
}
