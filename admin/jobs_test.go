package admin

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// A record outlives the host's job, which is gone after five minutes.
func TestJobOutlives(t *testing.T) {
	env := newTestEnv(t)
	started := env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"reason": "maintenance"})
	env.finish("suspend", "HV01", started, "succeeded")
	env.clock.Advance(time.Hour)
	env.restart("HV01")
	j := env.get("HV01", "vic", started.header.Get("Location"))
	if j.json["state"] != "succeeded" || j.json["user"] != "tim" || j.json["reason"] != "maintenance" || j.json["percent_complete"] != 100.0 {
		t.Errorf("an hour later: %s", j)
	}
	if all, _ := env.get("HV01", "vic", apiJobs).json["jobs"].([]any); len(all) != 1 {
		t.Errorf("%d jobs are listed", len(all))
	}
	env.want("no such job", env.get("HV01", "vic", apiJobs+"/nonsense"), 404, "not-found")
}

// A job that ran is found again by its path; one that ended unseen is unknown, and
// nothing is called again.
func TestJobsAfterRestart(t *testing.T) {
	env := newTestEnv(t)
	started := env.act("HV02", "olga", vmReplicating, "primary", "test-failover", nil)
	env.restart("HV02")
	env.want("it still counts", env.act("HV02", "olga", vmReplicating, "primary", "test-failover", nil), 409, "busy")
	env.finish("test", "HV02", started, "succeeded")
	cleanup := env.confirmed("HV02", "olga", vmReplicating, "cleanup-test-failover", nil)
	env.clock.Advance(10 * time.Minute)
	env.restart("HV02")
	if j := env.finish("unseen", "HV02", cleanup, "unknown"); !strings.Contains(j.text, "gone") {
		t.Errorf("it does not say why: %s", j)
	}
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("%d calls were made after the restart", n)
	}
	s := env.hosts["HV02"].server
	if err := s.jobs.Begin(job.Record{ID: "halfway", State: job.Queued, VMID: env.vms[vmReplicating], Created: env.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	env.restart("HV02")
	if j := env.get("HV02", "vic", apiJobs+"/halfway"); j.json["state"] != "unknown" {
		t.Errorf("what was never answered: %s", j)
	}
}

// A job that fails tells the host's reasons.
func TestJobFails(t *testing.T) {
	env := newTestEnv(t)
	env.fault("job-failing")
	j := env.finish("suspend", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "failed")
	errors, _ := j.json["errors"].([]any)
	if len(errors) != 1 || !strings.Contains(errors[0].(object)["message"].(string), env.vms[vmReplicating]) || j.json["error_code"] != 32768.0 {
		t.Errorf("the job is %s", j)
	}
	lines := env.audited("HV01")
	if last := lines[len(lines)-1]; last.Event != audit.JobEnded || last.State != "failed" || last.Error == "" {
		t.Errorf("the audit log ends with %+v", last)
	}
	env.fault("method-failing")
	r := env.act("HV01", "tim", 2, "primary", "suspend", nil)
	env.want("the method fails", r, http.StatusBadGateway, "host-failed")
	if r.json["return_code"] != 32768.0 {
		t.Errorf("the answer is %s", r)
	}
}

func (env *testEnv) fault(specs ...string) {
	env.Helper()
	f, err := simulator.ParseFaults(specs)
	if err != nil {
		env.Fatal(err)
	}
	env.world.SetFaults(f)
}

// A job can be cancelled where the host says so, by who may begin it.
func TestCancelJob(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // other resynchronizations have ended
	env.finish("suspend", "HV01", env.act("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	at := env.clock.Now().Add(time.Hour).Format(time.RFC3339)
	env.want("too far ahead", env.act("HV01", "olga", vmReplicating, "primary", "resynchronize", object{"parameters": object{"StartTime": env.clock.Now().Add(8 * 24 * time.Hour)}}), 400, "invalid-parameter")
	started := env.confirmed("HV01", "olga", vmReplicating, "resynchronize", object{"parameters": object{"StartTime": at}})
	cancel := started.header.Get("Location") + "/cancel"
	if j := env.get("HV01", "vic", started.header.Get("Location")); j.json["scheduled"] != true || j.json["cancellable"] != true {
		t.Errorf("the job is %s", j)
	}
	env.want("by a viewer", env.do("HV01", "vic", "POST", cancel, nil), 403, "forbidden")
	env.want("a dry run", env.do("HV01", "tim", "POST", cancel, object{"dry_run": true}), 200, "")
	env.want("by an operator", env.do("HV01", "tim", "POST", cancel, nil), 202, "")
	env.finish("the job", "HV01", started, "cancelled")
	env.want("again", env.do("HV01", "tim", "POST", cancel, nil), 409, "invalid-state")
}

// If the audit log cannot be written nothing is done.
func TestNoAudit(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	if err := e.server.audit.Close(); err != nil {
		t.Fatal(err)
	}
	env.want("suspend", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 503, "audit-unavailable")
	env.want("dry run", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 503, "audit-unavailable")
	env.want("look", env.get("HV01", "vic", apiReplicas), 200, "")
	if n := e.pool.callCount(); n > 0 {
		t.Errorf("%d calls were made", n)
	}
	if err := e.server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	env.finish("when it is back", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
}

// The intent stands in the log before the call, the outcome after.
func TestAudit(t *testing.T) {
	env := newTestEnv(t)
	env.finish("suspend", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"reason": "maintenance"}), "succeeded")
	env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	lines := env.audited("HV01")
	var events []string
	for _, a := range lines {
		events = append(events, string(a.Event))
	}
	if got := strings.Join(events, " "); got != "intent outcome job refused" {
		t.Fatalf("events are %s", got)
	}
	intent, outcome := lines[0], lines[1]
	seen, _ := intent.Seen.(object)
	if intent.User != "tim" || intent.Remote != "127.0.0.1" || intent.Action != "suspend" || intent.Method != "RequestReplicationStateChangeEx" ||
		intent.VMID != env.vms[vmReplicating] || intent.VM != env.name("HV01", vmReplicating) || intent.Relationship != "primary" || intent.Reason != "maintenance" ||
		seen["state"] != "replicating" || seen["lag_seconds"] == nil || intent.Parameters["RequestedState"] != 7.0 || intent.Code != nil {
		t.Errorf("the intent is %+v", intent)
	}
	if outcome.ID != intent.ID || outcome.Code == nil || outcome.Duration == nil || outcome.Status != 202 || outcome.Job == "" {
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
	env.write(path, string(text)+`{"torn": `)
	if err := env.hosts["HV01"].server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	if text, err = os.ReadFile(path); err != nil || !strings.Contains(string(text), "{\"torn\": \n{") {
		t.Errorf("after a torn line: %v, %s", err, text)
	}
}

// A call whose answer is lost is not taken for one that failed, and not repeated.
func TestOutcomeUnknown(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	spy.fails = wmiquery.ErrUnavailable
	r := env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil, headerIdempotencyKey, "k")
	env.want("the connection is lost", r, 503, "outcome-unknown")
	if j := env.get("HV01", "vic", r.json["job"].(string)); j.json["state"] != "unknown" {
		t.Errorf("the job is %s", j)
	}
	env.want("again", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil, headerIdempotencyKey, "k"), 503, "outcome-unknown")
	if n := spy.callCount(); n != 1 {
		t.Errorf("%d calls were made", n)
	}
	spy.fails = errors.New("odd")
	env.want("an odd failure", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 503, "outcome-unknown")
	spy.panics = true
	env.want("a panic", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 503, "outcome-unknown")
	spy.panics = false
	spy.fails = wmiquery.ErrDenied
	env.want("denied", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 403, "access-denied")
}

// A call that hangs is answered in time, keeps its VM, and its end is not lost.
func TestHungCall(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.CallTimeout = time.Nanosecond })
	spy := env.hosts["HV01"].pool
	spy.wait = make(chan struct{})
	r := env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", r, 202, "")
	if r.json["state"] != "queued" {
		t.Errorf("the answer is %s", r)
	}
	env.want("beside it", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 409, "busy")
	env.want("on another VM", env.act("HV01", "tim", 2, "primary", "suspend", object{"dry_run": true}), 200, "")
	close(spy.wait)
	env.hosts["HV01"].server.calls.Wait()
	env.finish("in the end", "HV01", r, "succeeded")
}

// Only so many actions are under way.
func TestLimit(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.MaxActions = 1; o.CallTimeout = time.Nanosecond })
	spy := env.hosts["HV01"].pool
	spy.wait = make(chan struct{})
	env.want("the first", env.act("HV01", "tim", vmReplicating, "primary", "test-connection", nil), 202, "")
	env.want("the second", env.act("HV01", "tim", 2, "primary", "test-connection", nil), 503, "too-many-actions")
	env.want("a failover", env.act("HV01", "fred", vmInbound, "primary", "failover", nil), 409, "confirmation-required")
	close(spy.wait)
}
