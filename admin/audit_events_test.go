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

	"hyperv_replica_exporter/admin/internal/audit"

	"github.com/go-kit/log"
)

// eventSink collects the lines that an endpoint passes to Options.Events.
type eventSink struct {
	mu    sync.Mutex
	lines []string
	err   error
}

func (s *eventSink) add(line []byte) error {
	runtime.Gosched() // gives another line the chance to come first
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, string(line))
	return s.err
}

// Every line of the audit log is passed to Options.Events in the order of the file, also after a partial line.
func TestEventsHaveTheOrderOfTheAuditLog(t *testing.T) {
	sink := &eventSink{}
	env := newTestEnv(t)
	env.hosts["HV01"].close()
	folder := env.hosts["HV01"].folder
	path := filepath.Join(folder, auditFile)
	env.writeFile(path, `{"partial": `)
	env.startEndpoint("HV01", folder, func(o *Options) { o.Events = sink.add })

	env.want("dry run", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}),
		200, "")
	env.want("suspend by a viewer",
		env.postAction("HV01", "vic", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"reason": "line\nbreak"}), "succeeded")
	env.want("suspend again", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil),
		409, "invalid-state")
	env.want("reload", env.request("HV01", "omar", http.MethodPost, "/-/reload", nil), 200, "")
	var actions sync.WaitGroup // concurrent writers must not interleave lines
	for i := range 40 {
		actions.Go(func() {
			env.postAction("HV01", "tim", i%8, "primary", "suspend", object{"dry_run": true, "reason": strings.Repeat("x", 500)})
		})
	}
	actions.Wait()

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if file[0] != `{"partial": ` || !slices.Equal(file[1:], sink.lines) {
		t.Errorf("file:\n%s\nevents:\n%s", text, strings.Join(sink.lines, "\n"))
	}
	for _, event := range []audit.Event{
		audit.DryRun, audit.Intent, audit.Outcome, audit.JobEnded, audit.Refused,
		audit.Reload,
	} {
		if !strings.Contains(strings.Join(sink.lines, "\n"), fmt.Sprintf(`"event":%q`, event)) {
			t.Errorf("no event %s", event)
		}
	}
}

// A line that is not in the file is no event. An error of Options.Events is logged and stops nothing.
func TestEventErrorsStopNothing(t *testing.T) {
	sink := &eventSink{err: errors.New("the log is full")}
	var logs bytes.Buffer
	env := newTestEnv(t, func(o *Options) {
		o.Events, o.Logger = sink.add, log.NewLogfmtLogger(log.NewSyncWriter(&logs))
	})
	if err := env.hosts["HV01"].server.audit.Close(); err != nil {
		t.Fatal(err)
	}
	env.want("suspend without an audit log",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 503, "audit-unavailable")
	if len(sink.lines) > 0 {
		t.Errorf("unexpected events: %v", sink.lines)
	}
	if err := env.hosts["HV01"].server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	env.waitForJob("suspend with an audit log",
		"HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.hosts["HV01"].close()
	if n := strings.Count(logs.String(), `err="the log is full"`); n != 3 || len(sink.lines) != 3 {
		t.Errorf("%d events, want 3, each with an error in the log:\n%s", len(sink.lines), &logs)
	}
}
