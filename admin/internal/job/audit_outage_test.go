//go:build !windows

// On Windows nothing can take the place of a file that is open, so an audit log cannot be made unwritable there.

package job

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A record or an audit record that could not be written is written later, without another action.
func TestUnsavedRecordsAreWrittenLater(t *testing.T) {
	tr := newTestTracker(t)
	dir := filetest.Dir(t)
	file := filepath.Join(dir, "audit")
	tr.begin("a", vmA, path(jobA))
	tr.Audit = mustOpenAudit(t, file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil { // the log cannot be written
		t.Fatal(err)
	}
	tr.host.jobs = []msvm.ConcreteJob{row(jobA, 7)}
	tr.now = startTime.Add(90 * time.Second)
	tr.refresh()
	tr.RetryUnsaved()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	tr.now = startTime.Add(time.Hour)
	tr.RetryUnsaved()
	lines := tr.auditLines(file)
	if len(lines) != 1 {
		t.Fatalf("the audit log has %q", lines)
	}
	for _, want := range []string{
		`"time":"2026-11-22T12:01:30Z"`, `"event":"job"`, `"id":"a"`, `"user":"tim"`, `"action":"suspend"`, `"method":"X"`,
		`"vm_id":"` + vmA + `"`, `"state":"succeeded"`, `"duration_seconds":90`, `"job":"Msvm_ConcreteJob`,
	} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("the audit record %s does not have %s", lines[0], want)
		}
	}
}

// auditLines returns the lines of the audit log.
func (tt *testTracker) auditLines(file string) []string {
	tt.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tt.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func mustOpenAudit(t *testing.T, file string) *audit.Log {
	t.Helper()
	l, err := audit.Open(audit.Options{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
