package admin

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-kit/log"
)

// eventSink collects what is passed on of an audit log.
type eventSink struct {
	mu    sync.Mutex
	lines []string
	fails error
}

func (s *eventSink) add(line []byte) error {
	runtime.Gosched() // lets those overtake that can
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, string(line))
	return s.fails
}

// Every line of the audit log is passed on, in the order of the file: whatever it is
// about, and after a torn line, too.
func TestEvents(t *testing.T) {
	sink := &eventSink{}
	l := newLab(t)
	l.hosts["HV01"].close()
	folder := l.hosts["HV01"].folder
	path := filepath.Join(folder, auditFile)
	l.write(path, `{"torn": `)
	l.start("HV01", folder, func(o *Options) { o.Events = sink.add })

	l.want("a dry run", l.act("HV01", "tim", healthy, "primary", "suspend", m{"dry_run": true}), 200, "")
	l.want("by a viewer", l.act("HV01", "vic", healthy, "primary", "suspend", nil), 403, "forbidden")
	l.finish("suspend", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", m{"reason": "line\nbreak"}), "succeeded")
	l.want("again", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 409, "invalid-state")
	l.want("reload", l.do("HV01", "omar", http.MethodPost, "/-/reload", nil), 200, "")
	var actions sync.WaitGroup // order, and no line in the middle of another
	for i := range 40 {
		actions.Go(func() {
			l.act("HV01", "tim", i%8, "primary", "suspend", m{"dry_run": true, "reason": strings.Repeat("x", 500)})
		})
	}
	actions.Wait()

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if file[0] != `{"torn": ` || !slices.Equal(file[1:], sink.lines) {
		t.Errorf("in the file:\n%s\npassed on:\n%s", text, strings.Join(sink.lines, "\n"))
	}
	for _, event := range []auditEvent{auditDryRun, auditIntent, auditOutcome, auditJob, auditRefused, auditReload} {
		if !strings.Contains(strings.Join(sink.lines, "\n"), fmt.Sprintf(`"event":%q`, event)) {
			t.Errorf("no event %s", event)
		}
	}
}

// What is not in the file is not passed on; that it cannot be passed on stops nothing.
func TestEventsFail(t *testing.T) {
	sink := &eventSink{fails: errors.New("the log is full")}
	var logs bytes.Buffer
	l := newLab(t, func(o *Options) {
		o.Events, o.Logger = sink.add, log.NewLogfmtLogger(log.NewSyncWriter(&logs))
	})
	if err := l.hosts["HV01"].server.audit.file.Close(); err != nil {
		t.Fatal(err)
	}
	l.want("no file", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 503, "audit-unavailable")
	if len(sink.lines) > 0 {
		t.Errorf("passed on: %v", sink.lines)
	}
	if err := l.hosts["HV01"].server.audit.reopen(); err != nil {
		t.Fatal(err)
	}
	l.finish("the file is back", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", nil), "succeeded")
	l.hosts["HV01"].close()
	if n := strings.Count(logs.String(), `err="the log is full"`); n != 3 || len(sink.lines) != 3 {
		t.Errorf("%d lines were passed on, want 3, each with an error in the log:\n%s", len(sink.lines), &logs)
	}
}
