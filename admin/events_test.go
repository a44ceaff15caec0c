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
	env := newTestEnv(t)
	env.hosts["HV01"].close()
	folder := env.hosts["HV01"].folder
	path := filepath.Join(folder, auditFile)
	env.write(path, `{"torn": `)
	env.start("HV01", folder, func(o *Options) { o.Events = sink.add })

	env.want("a dry run", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
	env.want("by a viewer", env.act("HV01", "vic", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.finish("suspend", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"reason": "line\nbreak"}), "succeeded")
	env.want("again", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 409, "invalid-state")
	env.want("reload", env.do("HV01", "omar", http.MethodPost, "/-/reload", nil), 200, "")
	var actions sync.WaitGroup // order, and no line in the middle of another
	for i := range 40 {
		actions.Go(func() {
			env.act("HV01", "tim", i%8, "primary", "suspend", object{"dry_run": true, "reason": strings.Repeat("x", 500)})
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
	for _, event := range []audit.Event{audit.DryRun, audit.Intent, audit.Outcome, audit.JobEnded, audit.Refused, audit.Reload} {
		if !strings.Contains(strings.Join(sink.lines, "\n"), fmt.Sprintf(`"event":%q`, event)) {
			t.Errorf("no event %s", event)
		}
	}
}

// What is not in the file is not passed on; that it cannot be passed on stops nothing.
func TestEventsFail(t *testing.T) {
	sink := &eventSink{fails: errors.New("the log is full")}
	var logs bytes.Buffer
	env := newTestEnv(t, func(o *Options) {
		o.Events, o.Logger = sink.add, log.NewLogfmtLogger(log.NewSyncWriter(&logs))
	})
	if err := env.hosts["HV01"].server.audit.Close(); err != nil {
		t.Fatal(err)
	}
	env.want("no file", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 503, "audit-unavailable")
	if len(sink.lines) > 0 {
		t.Errorf("passed on: %v", sink.lines)
	}
	if err := env.hosts["HV01"].server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	env.finish("the file is back", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.hosts["HV01"].close()
	if n := strings.Count(logs.String(), `err="the log is full"`); n != 3 || len(sink.lines) != 3 {
		t.Errorf("%d lines were passed on, want 3, each with an error in the log:\n%s", len(sink.lines), &logs)
	}
}
