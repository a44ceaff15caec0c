// Package logging makes the program's go-kit logger and adapts log/slog to it.
package logging

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// Output is where the program reports what it does: standard error on a console, the Windows event log for a service.
type Output interface {
	// Logger returns a logger of all levels in the given format, logfmt or json.
	Logger(format string) log.Logger
	// Fatal reports why the program does not start.
	Fatal(err error)
	// AuditSink returns the function that receives each line of the audit log, nil if the lines only go to the file.
	AuditSink() func(line []byte) error
}

// Console is the Output of a program with a standard error.
type Console struct {
	Program string // name of the program
	Stderr  io.Writer
}

// Logger implements Output. The lines have a timestamp, in UTC.
func (c Console) Logger(format string) log.Logger {
	return log.With(NewLineLogger(log.NewSyncWriter(c.Stderr), format), "ts", log.DefaultTimestampUTC)
}

// Fatal implements Output.
func (c Console) Fatal(err error) {
	fmt.Fprintf(c.Stderr, "%s: error: %s\n", c.Program, OneLine(err))
}

// AuditSink implements Output: the audit log only goes to its file.
func (Console) AuditSink() func([]byte) error { return nil }

// OneLine returns the text of an error on one line of limited length.
func OneLine(err error) string { return shorten(strings.Join(strings.Fields(err.Error()), " ")) }

// NewLineLogger returns a logger that writes lines in the given format: json, or else logfmt.
func NewLineLogger(w io.Writer, format string) log.Logger {
	if format == "json" {
		return log.NewJSONLogger(w)
	}
	return log.NewLogfmtLogger(w)
}

// New returns a logger that drops what is less severe than lvl: debug, info, warn or error, and limits the length of
// values. At debug level each line names its caller.
func New(logger log.Logger, lvl string) log.Logger {
	return NewReloadable(logger, func() string { return lvl })
}

// NewReloadable returns a logger like New whose level is that which lvl returns at the time of a message.
func NewReloadable(logger log.Logger, lvl func() string) log.Logger {
	f := levelFilter{lvl, map[string]log.Logger{}}
	for _, name := range []string{"debug", "info", "warn", "error"} {
		f.loggers[name] = level.NewFilter(shortLogger{logger}, level.Allow(level.ParseDefault(name, level.InfoValue())))
	}
	const depth = 4 // of the caller of Log, seen from log.Caller
	return log.With(f, "caller", log.Valuer(func() any {
		if lvl() == "debug" {
			return log.Caller(depth)()
		}
		return noCaller{}
	}))
}

// noCaller is the caller of a message that does not name it.
type noCaller struct{}

// levelFilter passes messages to the logger of the current level.
type levelFilter struct {
	lvl     func() string
	loggers map[string]log.Logger // by level
}

// Log implements log.Logger.
func (f levelFilter) Log(kv ...any) error {
	if i := slices.Index(kv, any(noCaller{})); i > 0 {
		kv = slices.Concat(kv[:i-1], kv[i+1:])
	}
	return f.loggers[f.lvl()].Log(kv...)
}
