package admin

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// A record outlives the host's job, which is gone after five minutes.
func TestJobOutlives(t *testing.T) {
	l := newLab(t)
	started := l.act("HV01", "tim", healthy, "primary", "suspend", m{"reason": "maintenance"})
	l.finish("suspend", "HV01", started, "succeeded")
	l.clock.Advance(time.Hour)
	l.restart("HV01")
	j := l.get("HV01", "vic", started.header.Get("Location"))
	if j.json["state"] != "succeeded" || j.json["user"] != "tim" || j.json["reason"] != "maintenance" || j.json["percent_complete"] != 100.0 {
		t.Errorf("an hour later: %s", j)
	}
	if all, _ := l.get("HV01", "vic", apiJobs).json["jobs"].([]any); len(all) != 1 {
		t.Errorf("%d jobs are listed", len(all))
	}
	l.want("no such job", l.get("HV01", "vic", apiJobs+"/nonsense"), 404, "not-found")
}

// A job that ran is found again by its path; one that ended unseen is unknown, and
// nothing is called again.
func TestJobsAfterRestart(t *testing.T) {
	l := newLab(t)
	started := l.act("HV02", "olga", healthy, "primary", "test-failover", nil)
	l.restart("HV02")
	l.want("it still counts", l.act("HV02", "olga", healthy, "primary", "test-failover", nil), 409, "busy")
	l.finish("test", "HV02", started, "succeeded")
	cleanup := l.confirmed("HV02", "olga", healthy, "cleanup-test-failover", nil)
	l.clock.Advance(10 * time.Minute)
	l.restart("HV02")
	if j := l.finish("unseen", "HV02", cleanup, "unknown"); !strings.Contains(j.text, "gone") {
		t.Errorf("it does not say why: %s", j)
	}
	if n := l.hosts["HV02"].pool.called(); n > 0 {
		t.Errorf("%d calls were made after the restart", n)
	}
	s := l.hosts["HV02"].server
	if err := s.jobs.begin(jobRecord{ID: "halfway", State: jobQueued, VMID: l.vms[healthy], Created: l.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	l.restart("HV02")
	if j := l.get("HV02", "vic", apiJobs+"/halfway"); j.json["state"] != "unknown" {
		t.Errorf("what was never answered: %s", j)
	}
}

// A job that fails tells the host's reasons.
func TestJobFails(t *testing.T) {
	l := newLab(t)
	l.fault("job-failing")
	j := l.finish("suspend", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", nil), "failed")
	errors, _ := j.json["errors"].([]any)
	if len(errors) != 1 || !strings.Contains(errors[0].(m)["message"].(string), l.vms[healthy]) || j.json["error_code"] != 32768.0 {
		t.Errorf("the job is %s", j)
	}
	lines := l.audited("HV01")
	if last := lines[len(lines)-1]; last.Event != auditJob || last.State != "failed" || last.Error == "" {
		t.Errorf("the audit log ends with %+v", last)
	}
	l.fault("method-failing")
	r := l.act("HV01", "tim", 2, "primary", "suspend", nil)
	l.want("the method fails", r, http.StatusBadGateway, "host-failed")
	if r.json["return_code"] != 32768.0 {
		t.Errorf("the answer is %s", r)
	}
}

func (l *lab) fault(specs ...string) {
	l.Helper()
	f, err := simulator.ParseFaults(specs)
	if err != nil {
		l.Fatal(err)
	}
	l.world.SetFaults(f)
}

// A job can be cancelled where the host says so, by who may begin it.
func TestCancelJob(t *testing.T) {
	l := newLab(t)
	l.clock.Advance(2 * time.Hour) // other resynchronizations have ended
	l.finish("suspend", "HV01", l.act("HV01", "olga", healthy, "primary", "suspend", nil), "succeeded")
	at := l.clock.Now().Add(time.Hour).Format(time.RFC3339)
	l.want("too far ahead", l.act("HV01", "olga", healthy, "primary", "resynchronize", m{"parameters": m{"StartTime": l.clock.Now().Add(8 * 24 * time.Hour)}}), 400, "invalid-parameter")
	started := l.confirmed("HV01", "olga", healthy, "resynchronize", m{"parameters": m{"StartTime": at}})
	cancel := started.header.Get("Location") + "/cancel"
	if j := l.get("HV01", "vic", started.header.Get("Location")); j.json["scheduled"] != true || j.json["cancellable"] != true {
		t.Errorf("the job is %s", j)
	}
	l.want("by a viewer", l.do("HV01", "vic", "POST", cancel, nil), 403, "forbidden")
	l.want("a dry run", l.do("HV01", "tim", "POST", cancel, m{"dry_run": true}), 200, "")
	l.want("by an operator", l.do("HV01", "tim", "POST", cancel, nil), 202, "")
	l.finish("the job", "HV01", started, "cancelled")
	l.want("again", l.do("HV01", "tim", "POST", cancel, nil), 409, "invalid-state")
}

// If the audit log cannot be written nothing is done.
func TestNoAudit(t *testing.T) {
	l := newLab(t)
	e := l.hosts["HV01"]
	if err := e.server.audit.file.Close(); err != nil {
		t.Fatal(err)
	}
	l.want("suspend", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 503, "audit-unavailable")
	l.want("dry run", l.act("HV01", "tim", healthy, "primary", "suspend", m{"dry_run": true}), 503, "audit-unavailable")
	l.want("look", l.get("HV01", "vic", apiReplicas), 200, "")
	if n := e.pool.called(); n > 0 {
		t.Errorf("%d calls were made", n)
	}
	if err := e.server.audit.reopen(); err != nil {
		t.Fatal(err)
	}
	l.finish("when it is back", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", nil), "succeeded")
}

// The intent stands in the log before the call, the outcome after.
func TestAudit(t *testing.T) {
	l := newLab(t)
	l.finish("suspend", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", m{"reason": "maintenance"}), "succeeded")
	l.act("HV01", "tim", healthy, "primary", "suspend", nil)
	lines := l.audited("HV01")
	var events []string
	for _, a := range lines {
		events = append(events, string(a.Event))
	}
	if got := strings.Join(events, " "); got != "intent outcome job refused" {
		t.Fatalf("events are %s", got)
	}
	intent, outcome := lines[0], lines[1]
	if intent.User != "tim" || intent.Remote != "127.0.0.1" || intent.Action != "suspend" || intent.Method != "RequestReplicationStateChangeEx" ||
		intent.VMID != l.vms[healthy] || intent.VM != l.name("HV01", healthy) || intent.Relationship != "primary" || intent.Reason != "maintenance" ||
		intent.Seen.State != "replicating" || intent.Seen.LagSeconds == nil || intent.Parameters["RequestedState"] != 7.0 || intent.Code != nil {
		t.Errorf("the intent is %+v", intent)
	}
	if outcome.ID != intent.ID || outcome.Code == nil || outcome.Duration == nil || outcome.Status != 202 || outcome.Job == "" {
		t.Errorf("the outcome is %+v", outcome)
	}
	if refused := lines[3]; refused.Status != 409 || refused.Type != "invalid-state" {
		t.Errorf("the refusal is %+v", refused)
	}
	path := filepath.Join(l.hosts["HV01"].folder, auditFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l.write(path, string(text)+`{"torn": `)
	if err := l.hosts["HV01"].server.audit.reopen(); err != nil {
		t.Fatal(err)
	}
	l.act("HV01", "tim", healthy, "primary", "suspend", nil)
	if text, err = os.ReadFile(path); err != nil || !strings.Contains(string(text), "{\"torn\": \n{") {
		t.Errorf("after a torn line: %v, %s", err, text)
	}
}

// A call whose answer is lost is not taken for one that failed, and not repeated.
func TestOutcomeUnknown(t *testing.T) {
	l := newLab(t)
	spy := l.hosts["HV01"].pool
	spy.fails = wmiquery.ErrUnavailable
	r := l.act("HV01", "tim", healthy, "primary", "suspend", nil, headerIdempotencyKey, "k")
	l.want("the connection is lost", r, 503, "outcome-unknown")
	if j := l.get("HV01", "vic", r.json["job"].(string)); j.json["state"] != "unknown" {
		t.Errorf("the job is %s", j)
	}
	l.want("again", l.act("HV01", "tim", healthy, "primary", "suspend", nil, headerIdempotencyKey, "k"), 503, "outcome-unknown")
	if n := spy.called(); n != 1 {
		t.Errorf("%d calls were made", n)
	}
	spy.fails = errors.New("odd")
	l.want("an odd failure", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 503, "outcome-unknown")
	spy.panics = true
	l.want("a panic", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 503, "outcome-unknown")
	spy.panics = false
	spy.fails = wmiquery.ErrDenied
	l.want("denied", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 403, "access-denied")
}

// A call that hangs is answered in time, keeps its VM, and its end is not lost.
func TestHungCall(t *testing.T) {
	l := newLab(t, func(o *Options) { o.CallTimeout = time.Nanosecond })
	spy := l.hosts["HV01"].pool
	spy.wait = make(chan struct{})
	r := l.act("HV01", "tim", healthy, "primary", "suspend", nil)
	l.want("suspend", r, 202, "")
	if r.json["state"] != "queued" {
		t.Errorf("the answer is %s", r)
	}
	l.want("beside it", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 409, "busy")
	l.want("on another VM", l.act("HV01", "tim", 2, "primary", "suspend", m{"dry_run": true}), 200, "")
	close(spy.wait)
	l.hosts["HV01"].server.calls.Wait()
	l.finish("in the end", "HV01", r, "succeeded")
}

// Only so many actions are under way.
func TestLimit(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Actions = 1; o.CallTimeout = time.Nanosecond })
	spy := l.hosts["HV01"].pool
	spy.wait = make(chan struct{})
	l.want("the first", l.act("HV01", "tim", healthy, "primary", "test-connection", nil), 202, "")
	l.want("the second", l.act("HV01", "tim", 2, "primary", "test-connection", nil), 503, "too-many-actions")
	l.want("a failover", l.act("HV01", "fred", inboundVM, "primary", "failover", nil), 409, "confirmation-required")
	close(spy.wait)
}

// jobFiles are what jobs are kept in, for tests in which the time is moved.
func jobFiles(t *testing.T) (*store, *auditLog) {
	t.Helper()
	folder := tempDir(t)
	store, _, err := openStore(filepath.Join(folder, storeFile), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	audit, err := openAudit(filepath.Join(folder, auditFile), func([]byte) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { audit.Close() })
	return store, audit
}

// The host is looked at again and again while a job runs: it keeps ended ones for
// five minutes only.
func TestWatch(t *testing.T) {
	store, audit := jobFiles(t)
	synctest.Test(t, func(t *testing.T) {
		fake := &jobReader{ends: time.Now().Add(3 * time.Minute)}
		j, err := newJobs(&jobs{reader: fake, store: store, audit: audit, logger: log.NewNopLogger(), now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.begin(jobRecord{ID: "a", State: jobRunning, Path: string(msvm.JobRef("J")), Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go j.watch(ctx, 5*time.Second, time.Second)
		time.Sleep(time.Hour) // in the bubble's time
		stop()
		synctest.Wait()
		r, _ := j.get("a")
		if took := r.Ended.Sub(r.Created); r.State != jobSucceeded || !r.Warnings || took < 3*time.Minute || took > 4*time.Minute {
			t.Errorf("the job is %+v", r)
		}
		if fake.looks > 40 {
			t.Errorf("%d looks, though the job had ended", fake.looks)
		}
	})
}

// jobReader shows one job, which ends with warnings and is gone five minutes later.
type jobReader struct {
	wmiquery.Reader
	ends  time.Time
	looks int
}

func (r *jobReader) Read(_ context.Context, dst any) error {
	rows, ok := dst.(*[]msvm.ConcreteJob)
	if !ok {
		*dst.(*[]msvm.ReplicationService) = make([]msvm.ReplicationService, 1)
		return nil
	}
	r.looks++
	state := msvm.JobRunning
	switch now := time.Now(); {
	case now.After(r.ends.Add(5 * time.Minute)):
		return nil
	case now.After(r.ends):
		state = msvm.JobCompletedWithWarnings
	}
	*rows = []msvm.ConcreteJob{{InstanceID: "j", JobState: &state}}
	return nil
}

func (r *jobReader) Get(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
	return wmiquery.Reply{}, wmiquery.ErrNotFound
}
