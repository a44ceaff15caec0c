package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// A job record is kept after the host has deleted its job, also across a restart.
func TestJobRecordIsKept(t *testing.T) {
	env := newTestEnv(t)
	started := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"reason": "maintenance"})
	env.waitForJob("suspend", "HV01", started, "succeeded")
	env.clock.Advance(time.Hour)
	env.restartEndpoint("HV01")
	j := env.get("HV01", "vic", started.header.Get("Location"))
	if j.json["state"] != "succeeded" || j.json["user"] != "tim" || j.json["reason"] != "maintenance" ||
		j.json["percent_complete"] != 100.0 {
		t.Errorf("an hour later the job is %s", j)
	}
	if all, _ := env.get("HV01", "vic", apiJobs).json["jobs"].([]any); len(all) != 1 {
		t.Errorf("%d jobs are listed, want 1", len(all))
	}
	env.want("unknown job", env.get("HV01", "vic", apiJobs+"/nonsense"), 404, "not-found")
}

// After a restart a running job is found again. A job whose end was not observed has an unknown outcome. No call is
// repeated.
func TestJobsAfterRestart(t *testing.T) {
	env := newTestEnv(t)
	started := env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil)
	env.restartEndpoint("HV02")
	env.want("second test failover",
		env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil), 409, "busy")
	env.waitForJob("test failover", "HV02", started, "succeeded")
	cleanup := env.postConfirmed("HV02", "olga", vmReplicating, "cleanup-test-failover", nil)
	env.clock.Advance(10 * time.Minute)
	env.restartEndpoint("HV02")
	if j := env.waitForJob("clean up", "HV02", cleanup, "unknown"); !strings.Contains(j.text, "gone") {
		t.Errorf("the job does not say why: %s", j)
	}
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("%d calls after the restart, want 0", n)
	}
	s := env.hosts["HV02"].server
	if err := s.jobs.Begin(job.Record{
		ID: "unanswered", State: job.Queued, VMID: env.vms[vmReplicating],
		Created: env.clock.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	env.restartEndpoint("HV02")
	if j := env.get("HV02", "vic", apiJobs+"/unanswered"); j.json["state"] != "unknown" {
		t.Errorf("the job without an answer is %s", j)
	}
}

// The record of a failed job has the errors of the host.
func TestFailedJobHasErrors(t *testing.T) {
	env := newTestEnv(t)
	env.setFaults("job-failing")
	j := env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "failed")
	errors, _ := j.json["errors"].([]any)
	if len(errors) != 1 || !strings.Contains(errors[0].(object)["message"].(string), env.vms[vmReplicating]) ||
		j.json["error_code"] != 32768.0 {
		t.Errorf("the job is %s", j)
	}
	lines := env.auditRecords("HV01")
	if last := lines[len(lines)-1]; last.Event != audit.JobEnded || last.State != "failed" || last.Error == "" {
		t.Errorf("the audit log ends with %+v", last)
	}
	env.setFaults("method-failing")
	r := env.postAction("HV01", "tim", 2, "primary", "suspend", nil)
	env.want("method that fails", r, http.StatusBadGateway, "host-failed")
	if r.json["return_code"] != 32768.0 {
		t.Errorf("the response is %s", r)
	}
}

// setFaults switches faults of the simulated hosts on, and all others off.
func (env *testEnv) setFaults(specs ...string) {
	env.Helper()
	f, err := simulator.ParseFaults(specs)
	if err != nil {
		env.Fatal(err)
	}
	env.world.SetFaults(f)
}

// A cancellable job can be cancelled by a caller who may start its action.
func TestCancelJob(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	at := env.clock.Now().Add(time.Hour).Format(time.RFC3339)
	env.want("start time too far ahead",
		env.postAction("HV01", "olga", vmReplicating, "primary", "resynchronize",
			object{"parameters": object{"StartTime": env.clock.Now().Add(8 * 24 * time.Hour)}}), 400, "invalid-parameter")
	started := env.postConfirmed("HV01",
		"olga", vmReplicating, "resynchronize", object{"parameters": object{"StartTime": at}})
	cancel := started.header.Get("Location") + "/cancel"
	if j := env.get("HV01", "vic", started.header.Get("Location")); j.json["scheduled"] != true ||
		j.json["cancellable"] != true {
		t.Errorf("the job is %s", j)
	}
	env.want("cancel by a viewer", env.request("HV01", "vic", "POST", cancel, nil), 403, "forbidden")
	env.want("dry run of a cancel", env.request("HV01", "tim", "POST", cancel, object{"dry_run": true}), 200, "")
	env.want("cancel by an operator", env.request("HV01", "tim", "POST", cancel, nil), 202, "")
	env.waitForJob("resynchronization", "HV01", started, "cancelled")
	env.want("cancel again", env.request("HV01", "tim", "POST", cancel, nil), 409, "invalid-state")
}

// A cancel with an Idempotency-Key calls the host once. It has no fields of an action.
func TestCancelIsIdempotent(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour)
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	started := env.postConfirmed("HV01", "olga", vmReplicating, "resynchronize", nil)
	cancel := started.header.Get("Location") + "/cancel"
	env.want("cancel with an expected state",
		env.request("HV01", "tim", http.MethodPost, cancel, object{"expected_state": "critical"}), 400, "bad-request")
	spy := env.hosts["HV01"].pool
	before := spy.callCount()
	for range 2 {
		env.want("cancel", env.request("HV01", "tim", http.MethodPost, cancel, nil, headerIdempotencyKey, "k"), 202, "")
	}
	if n := spy.callCount() - before; n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// A cancel that the host has executed is answered as such, even if its outcome cannot be written to the audit log.
func TestCancelWithoutAuditLog(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour)
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	started := env.postConfirmed("HV01", "olga", vmReplicating, "resynchronize", nil)
	e := env.hosts["HV01"]
	release := env.blockedCall(func() response {
		return env.request("HV01", "tim", http.MethodPost, started.header.Get("Location")+"/cancel", nil)
	})
	if err := e.server.audit.Close(); err != nil {
		t.Fatal(err)
	}
	env.want("cancel", release(), 202, "")
	if err := e.server.audit.Reopen(); err != nil { // so that the endpoint can be closed
		t.Fatal(err)
	}
}

// If the errors of a failed job cannot be read, the read is retried. A client that disconnects does not stop the read.
func TestErrorsOfFailedJobAreRetried(t *testing.T) {
	files := newTestEnv(t).hosts["HV01"].server // for its store and audit log
	for name, tt := range map[string]struct{ failures, errors int }{
		"third read succeeds": {2, 1},
		"no read succeeds":    {100, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := &failedJob{failures: tt.failures}
			j, err := job.NewTracker(job.Options{
				Reader: fake, Store: files.store, Audit: files.audit,
				Logger: log.NewNopLogger(), Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Begin(job.Record{
				ID: name, State: job.Running, Path: string(msvm.JobRef("J")),
				Created: time.Now(),
			}); err != nil {
				t.Fatal(err)
			}
			disconnected, disconnect := context.WithCancel(t.Context())
			disconnect()
			s := &Server{jobs: j}
			for range 6 { // one read and five retries
				s.refreshJobs(httptest.NewRequestWithContext(disconnected, http.MethodGet, "/", nil))
			}
			if r, ok := j.Get(name); !ok || r.State != job.Failed || len(r.Errors) != tt.errors {
				t.Errorf("%s: the job is %+v", name, r)
			}
		})
	}
}

// failedJob shows a job that failed. The first reads of its errors fail.
type failedJob struct {
	wmiquery.Reader
	failures int
}

func (r *failedJob) Read(ctx context.Context, dst any) error {
	if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
		*rows = []msvm.ConcreteJob{{InstanceID: "j", JobState: new(msvm.JobException)}}
	}
	return ctx.Err()
}

func (r *failedJob) Get(ctx context.Context, _ wmiquery.Call) (wmiquery.Reply, error) {
	if r.failures--; r.failures >= 0 {
		return wmiquery.Reply{}, wmiquery.ErrTimeout
	}
	text := `<INSTANCE CLASSNAME="Msvm_Error"><PROPERTY NAME="Message" TYPE="string"><VALUE>no space</VALUE></PROPERTY></INSTANCE>`
	return wmiquery.Reply{Out: map[string]any{"Errors": []string{text}}}, ctx.Err()
}
