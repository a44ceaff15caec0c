package admin

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/store"
)

// No action is executed while the audit log cannot be written. Reading is still possible.
func TestActionsNeedTheAuditLog(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	if err := e.server.audit.Close(); err != nil {
		t.Fatal(err)
	}
	env.want("suspend", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 503, "audit-unavailable")
	env.want("dry run", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}),
		503, "audit-unavailable")
	env.want("read", env.get("HV01", "vic", apiReplicas), 200, "")
	if n := e.pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	if err := e.server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	env.waitForJob("suspend when the audit log can be written again",
		"HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
}

// The audit log has the intent before the outcome, the end of the job, and refusals. A partial line at its end is ended
// by a newline.
func TestAuditLog(t *testing.T) {
	env := newTestEnv(t)
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"reason": "maintenance"}), "succeeded")
	env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	lines := env.auditRecords("HV01")
	var events []string
	for _, a := range lines {
		events = append(events, string(a.Event))
	}
	if got := strings.Join(events, " "); got != "intent outcome job refused" {
		t.Fatalf("the events are %s", got)
	}
	intent, outcome := lines[0], lines[1]
	seen, _ := intent.Seen.(object)
	if intent.User != "tim" || intent.Remote != "127.0.0.1" || intent.Action != "suspend" ||
		intent.Method != "RequestReplicationStateChangeEx" ||
		intent.VMID != env.vms[vmReplicating] || intent.VM != env.vmName("HV01", vmReplicating) ||
		intent.Relationship != "primary" || intent.Reason != "maintenance" ||
		seen["state"] != "replicating" || seen["lag_seconds"] == nil || intent.Parameters["RequestedState"] != 7.0 ||
		intent.Code != nil {
		t.Errorf("the intent is %+v", intent)
	}
	if outcome.ID != intent.ID || outcome.Code == nil || outcome.Duration == nil || outcome.Status != 202 ||
		outcome.Job == "" {
		t.Errorf("the outcome is %+v", outcome)
	}
	if refused := lines[3]; refused.Status != 409 || refused.Type != "invalid-state" {
		t.Errorf("the refusal is %+v", refused)
	}
	path := filepath.Join(env.hosts["HV01"].folder, auditFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	env.writeFile(path, string(text)+`{"partial": `)
	if err := env.hosts["HV01"].server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	if text, err = os.ReadFile(path); err != nil || !strings.Contains(string(text), "{\"partial\": \n{") {
		t.Errorf("after a partial line: %v, %s", err, text)
	}
}

// blockAuditLog puts a directory in the place of the audit log, so that it cannot be written until unblock is called.
func (e *endpoint) blockAuditLog(env *testEnv) (unblock func()) {
	env.Helper()
	path := filepath.Join(e.folder, auditFile)
	if err := os.Rename(path, path+".1"); err != nil {
		env.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		env.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			env.Error(err)
		}
	}
}

// A disk that is full when a job ends loses nothing: the record is kept in memory. It is written as soon as possible,
// before any other record.
func TestFullDiskAtTheEndOfAJob(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", started, 202, "")
	unblock := e.blockAuditLog(env)
	if err := e.server.store.Close(); err != nil {
		t.Fatal(err)
	}
	ended := env.waitForJob("suspend while nothing can be written", "HV01", started, "succeeded")
	if ended.json["ended"] == nil {
		t.Errorf("the job has not ended: %s", ended)
	}
	unblock()
	reopened, damage, err := store.Open(filepath.Join(e.folder, storeFile), env.clock.Now(),
		job.StoreBucket(), responseBucket(), maintenanceBucket())
	if err != nil || damage != nil {
		t.Fatal(err, damage)
	}
	*e.server.store = *reopened
	resumed := env.postAction("HV01", "tim", vmReplicating, "primary", "resume", nil)
	env.want("resume", resumed, 202, "")
	var events []string
	for _, line := range env.auditRecords("HV01") {
		events = append(events, string(line.Event)+" "+line.Action)
	}
	if want := []string{"job suspend", "intent resume", "outcome resume"}; !slices.Equal(events, want) {
		t.Errorf("the events in the new audit log are %q, want %q", events, want)
	}
	e.server.jobs.RetryUnsaved()
	var stored job.Record
	if ok, err := e.server.store.Get(job.Bucket, ended.json["id"].(string), &stored); !ok || err != nil ||
		stored.State != job.Succeeded {
		t.Errorf("the stored record: %v %v %+v", ok, err, stored)
	}
	env.waitForJob("resume", "HV01", resumed, "succeeded")
	if err := e.server.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []response{ended, resumed} {
		if j, ok := e.server.jobs.Get(r.json["id"].(string)); ok {
			t.Errorf("the stored record is still in memory: %+v", j)
		}
	}
}

// If the audit log was moved away, the next record starts a new file.
func TestMovedAuditLogIsCreatedAgain(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	if err := os.Rename(filepath.Join(e.folder, auditFile), filepath.Join(e.folder, auditFile+".1")); err != nil {
		t.Fatal(err)
	}
	env.want("suspend", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 202, "")
	if lines := env.auditRecords("HV01"); len(lines) != 2 || lines[0].Event != audit.Intent {
		t.Errorf("the audit log is %+v", lines)
	}
}

// The audit log can be moved away while it is open, also on Windows. A reload starts a new file.
func TestAuditLogRotation(t *testing.T) {
	env := newTestEnv(t)
	file := filepath.Join(env.hosts["HV01"].folder, auditFile)
	env.waitForJob("suspend", "HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	env.want("reload", env.request("HV01", "omar", http.MethodPost, "/-/reload", nil), 200, "")
	env.waitForJob("resume", "HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "resume", nil), "succeeded")
	old, err := os.ReadFile(file + ".1")
	if err != nil || !bytes.Contains(old, []byte(`"suspend"`)) || bytes.Contains(old, []byte(`"resume"`)) {
		t.Errorf("the old audit log: %v:\n%s", err, old)
	}
	lines := env.auditRecords("HV01")
	if lines[0].Event != audit.Reload || lines[0].User != "omar" || lines[len(lines)-1].Action != "resume" {
		t.Errorf("the new audit log starts with %+v", lines[0])
	}
}

// No action is executed while the disk of the audit log is full. /dev/full simulates a full disk.
func TestFullDiskRejectsActions(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("no /dev/full on this system; TestActionsNeedTheAuditLog covers a closed file")
		return
	}
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	path := filepath.Join(e.folder, auditFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	if err := e.server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", r, 503, "audit-unavailable")
	env.want("confirmed removal", env.postConfirmation("HV01", "omar", vmReplicating, "remove"), 503, "audit-unavailable")
	if n := e.pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := e.server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	env.waitForJob("suspend when the disk has space again",
		"HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
}

// postConfirmation requests and confirms an action, and returns the response to the confirmation.
func (env *testEnv) postConfirmation(host, user string, vm int, action string) response {
	env.Helper()
	first := env.postAction(host, user, vm, "primary", action, nil)
	return env.postAction(host, user, vm, "primary", action, env.confirmation(host, vm, first, nil))
}
