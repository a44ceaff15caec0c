// Package eventlog writes the program's log and audit log to the Windows event log.
package eventlog

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/internal/logging"
)

// Event IDs. They must not change, because people filter by them. They must not exceed 1000, the highest ID in the
// message file of eventcreate.exe.
const (
	EventLog   uint32 = 1   // a line of the log
	EventFatal uint32 = 2   // why the program did not start
	EventAudit uint32 = 100 // a line of the audit log
)

// Log is the Windows event log, *eventlog.Log of golang.org/x/sys, or the replacement of a test. It adds the time to
// each event.
type Log interface {
	Info(id uint32, text string) error
	Warning(id uint32, text string) error
	Error(id uint32, text string) error
}

// Output is the logging.Output of a Windows service.
type Output struct{ Log Log }

// Logger implements logging.Output: each line becomes an event of the type that corresponds to its level.
func (o Output) Logger(format string) log.Logger {
	return log.LoggerFunc(func(keyvals ...any) error {
		var line bytes.Buffer
		if err := logging.NewLineLogger(&line, format).Log(keyvals...); err != nil {
			return err
		}
		write := o.Log.Info
		for i := 0; i+1 < len(keyvals); i += 2 {
			if keyvals[i] != level.Key() {
				continue
			}
			switch keyvals[i+1] {
			case level.ErrorValue():
				write = o.Log.Error
			case level.WarnValue():
				write = o.Log.Warning
			}
		}
		return write(EventLog, eventText(strings.TrimSuffix(line.String(), "\n")))
	})
}

// Fatal implements logging.Output. An error of the event log is ignored: a service has no other output.
func (o Output) Fatal(err error) { _ = o.Log.Error(EventFatal, eventText(logging.OneLine(err))) }

// AuditSink implements logging.Output.
func (o Output) AuditSink() func([]byte) error {
	return func(line []byte) error { return o.Log.Info(EventAudit, eventText(string(line))) }
}

// maxEventBytes is below the limit of Windows, 31,839 UTF-16 characters: text has at most as many UTF-16 characters as
// UTF-8 bytes.
const maxEventBytes = 31000

// insertion is a placeholder, such as %1, that the Event Viewer replaces.
var insertion = regexp.MustCompile(`%([0-9])`)

// eventText makes text fit for the event log. Unless it has to be cut, JSON keeps its meaning.
func eventText(text string) string {
	percent := "% $1"
	if strings.HasPrefix(text, "{") {
		percent = `\u0025$1`
	}
	text = insertion.ReplaceAllString(text, percent)
	if len(text) > maxEventBytes {
		text = strings.ToValidUTF8(text[:maxEventBytes], "") + "..."
	}
	return text
}
