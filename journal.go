package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// journal is where the program says what happens: standard error of a console, the
// event log for a service.
type journal interface {
	// logger writes lines of all levels, as logfmt or json.
	logger(format string) log.Logger
	// complain says why the program does not start.
	complain(err error)
	// auditor gets the lines of the audit log, nil if it is in its file only.
	auditor() func(line []byte) error
}

// console is the journal of a program with a standard error.
type console struct{ stderr io.Writer }

func (c console) logger(format string) log.Logger {
	return log.With(lineLogger(log.NewSyncWriter(c.stderr), format), "ts", log.DefaultTimestampUTC)
}

func (c console) complain(err error) {
	fmt.Fprintf(c.stderr, "%s: error: %s\n", programName, oneLine(err))
}

func (console) auditor() func([]byte) error { return nil }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// Numbers of the events. They stay as they are: people filter by them. 1000 is the
// largest that the message file of eventcreate.exe knows.
const (
	eventLine  = 1   // a line of the log
	eventUsage = 2   // why the program did not start
	eventAudit = 100 // a line of the audit log
)

// eventLog is the Windows event log, or what a test takes for it. It knows the time
// of each event.
type eventLog interface {
	Info(id uint32, text string) error
	Warning(id uint32, text string) error
	Error(id uint32, text string) error
}

// events is the journal of a service.
type events struct{ log eventLog }

func (e events) logger(format string) log.Logger {
	return log.LoggerFunc(func(keyvals ...any) error {
		var line bytes.Buffer
		if err := lineLogger(&line, format).Log(keyvals...); err != nil {
			return err
		}
		write := e.log.Info
		for i := 0; i+1 < len(keyvals); i += 2 {
			if keyvals[i] != level.Key() {
				continue
			}
			switch keyvals[i+1] {
			case level.ErrorValue():
				write = e.log.Error
			case level.WarnValue():
				write = e.log.Warning
			}
		}
		return write(eventLine, eventText(strings.TrimSuffix(line.String(), "\n")))
	})
}

// complain writes to the event log. If that fails there is no other place to tell it.
func (e events) complain(err error) { _ = e.log.Error(eventUsage, eventText(oneLine(err))) }

func (e events) auditor() func([]byte) error {
	return func(line []byte) error { return e.log.Info(eventAudit, eventText(string(line))) }
}

// longestEvent is shorter than Windows takes, 31839 characters in UTF-16: that many
// bytes of UTF-8 are not more characters.
const longestEvent = 31000

// insertion is what the event viewer takes for the place of another text: %1.
var insertion = regexp.MustCompile(`%([0-9])`)

// eventText makes a text fit for the event log. Text in JSON stays the same text,
// unless it is cut.
func eventText(text string) string {
	percent := "% $1"
	if strings.HasPrefix(text, "{") {
		percent = `\u0025$1`
	}
	text = insertion.ReplaceAllString(text, percent)
	if len(text) > longestEvent {
		text = strings.ToValidUTF8(text[:longestEvent], "") + "..."
	}
	return text
}
