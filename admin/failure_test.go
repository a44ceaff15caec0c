package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// unwritable makes the audit log one that cannot be written, until it is called back: a
// folder stands where it was.
func (e *endpoint) unwritable(env *testEnv) (back func()) {
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

// A disk that is full when a job ends loses nothing: the end is told from memory, and
// written when that is possible, before anything else begins.
func TestFullAtTheEnd(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", started, 202, "")
	back := e.unwritable(env)
	if err := e.server.store.Close(); err != nil {
		t.Fatal(err)
	}
	ended := env.finish("while nothing can be written", "HV01", started, "succeeded")
	if ended.json["ended"] == nil {
		t.Errorf("it has not ended: %s", ended)
	}
	back()
	reopened, damage, err := store.Open(filepath.Join(e.folder, storeFile), env.clock.Now(),
		job.StoreBucket(), responseBucket(), maintenanceBucket())
	if err != nil || damage != nil {
		t.Fatal(err, damage)
	}
	*e.server.store = *reopened
	resumed := env.act("HV01", "tim", vmReplicating, "primary", "resume", nil)
	env.want("resume", resumed, 202, "")
	var events []string
	for _, line := range env.audited("HV01") {
		events = append(events, string(line.Event)+" "+line.Action)
	}
	if want := []string{"job suspend", "intent resume", "outcome resume"}; !slices.Equal(events, want) {
		t.Errorf("the new audit log has %q, want %q", events, want)
	}
	e.server.jobs.RetryUnsaved()
	var kept job.Record
	if ok, err := e.server.store.Get(job.Bucket, ended.json["id"].(string), &kept); !ok || err != nil || kept.State != job.Succeeded {
		t.Errorf("the store has %v %v %+v", ok, err, kept)
	}
	env.finish("resume", "HV01", resumed, "succeeded")
	if err := e.server.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []response{ended, resumed} {
		if j, ok := e.server.jobs.Get(r.json["id"].(string)); ok {
			t.Errorf("the stored record is still in memory: %+v", j)
		}
	}
}

// The emergency stop holds although the audit log cannot be written when it comes.
func TestStopWithoutAudit(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	back := e.unwritable(env)
	env.write(env.policy, "read_only: true\n"+fullPolicy)
	e.server.reloadIfChanged()
	env.want("reload", env.do("HV01", "omar", http.MethodPost, "/-/reload", nil), 503, "audit-unavailable")
	back()
	env.want("suspend", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	reloads := 0
	for _, line := range env.audited("HV01") {
		if line.Event == audit.Reload {
			reloads++
		}
	}
	if reloads != 2 {
		t.Errorf("the audit log has %d reloads, want 2", reloads)
	}
}

// Nothing that takes its time holds up the emergency stop.
func TestStopAtOnce(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.WatchInterval = time.Millisecond })
	hang := make(chan struct{})
	defer close(hang)
	s := env.hosts["HV01"].server
	reading := make(chan struct{}, 100)
	env.hosts["HV01"].pool.shows = func(dst any) {
		if _, ok := dst.(*[]msvm.ConcreteJob); ok {
			reading <- struct{}{}
			<-hang
		}
	}
	if err := s.jobs.Begin(job.Record{ID: "hangs", State: job.Running, Path: string(msvm.JobRef("J")), Created: env.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	<-reading
	env.write(env.policy, "read_only: true\n"+fullPolicy)
	for end := time.Now().Add(20 * time.Second); s.policy.Load().Authorize(authz.Principal{User: "omar"}, authz.Attributes{Role: authz.RoleOwner}) == nil; {
		if time.Now().After(end) {
			t.Fatal("the emergency stop is not heeded")
		}
	}
}

// A log that was moved away or deleted is begun anew: nobody would find what is written
// to it.
func TestAuditGone(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	if err := os.Rename(filepath.Join(e.folder, auditFile), filepath.Join(e.folder, auditFile+".1")); err != nil {
		t.Fatal(err)
	}
	env.want("suspend", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), 202, "")
	if lines := env.audited("HV01"); len(lines) != 2 || lines[0].Event != audit.Intent {
		t.Errorf("the audit log has %+v", lines)
	}
}

// The host is asked again why a job failed, if it did not tell; and a client that hangs
// up does not cut that short.
func TestReasonsOfFailure(t *testing.T) {
	files := newTestEnv(t).hosts["HV01"].server // for its store and audit log
	for name, tt := range map[string]struct{ silent, reasons int }{"at the third time": {2, 1}, "never": {100, 0}} {
		synctest.Test(t, func(t *testing.T) {
			fake := &failedJob{silent: tt.silent}
			j, err := job.NewTracker(job.Options{Reader: fake, Store: files.store, Audit: files.audit, Logger: log.NewNopLogger(), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Begin(job.Record{ID: name, State: job.Running, Path: string(msvm.JobRef("J")), Created: time.Now()}); err != nil {
				t.Fatal(err)
			}
			left, leave := context.WithCancel(t.Context())
			leave()
			s := &Server{jobs: j}
			for range 6 { // one read and five retries
				s.refreshJobs(httptest.NewRequestWithContext(left, http.MethodGet, "/", nil))
			}
			if r, ok := j.Get(name); !ok || r.State != job.Failed || len(r.Errors) != tt.reasons {
				t.Errorf("%s: the job is %+v", name, r)
			}
		})
	}
}

// failedJob shows a job that failed, and does not tell why for some times.
type failedJob struct {
	wmiquery.Reader
	silent int
}

func (r *failedJob) Read(ctx context.Context, dst any) error {
	if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
		*rows = []msvm.ConcreteJob{{InstanceID: "j", JobState: new(msvm.JobException)}}
	}
	return ctx.Err()
}

func (r *failedJob) Get(ctx context.Context, _ wmiquery.Call) (wmiquery.Reply, error) {
	if r.silent--; r.silent >= 0 {
		return wmiquery.Reply{}, wmiquery.ErrTimeout
	}
	text := `<INSTANCE CLASSNAME="Msvm_Error"><PROPERTY NAME="Message" TYPE="string"><VALUE>no space</VALUE></PROPERTY></INSTANCE>`
	return wmiquery.Reply{Out: map[string]any{"Errors": []string{text}}}, ctx.Err()
}

// A code that leaves open whether it was done is no failure.
func TestCodesOfTheUnknown(t *testing.T) {
	for _, code := range []uint32{wmiquery.CodeStatusUnknown, wmiquery.CodeTimeout} {
		env := newTestEnv(t)
		env.hosts["HV01"].pool.answers = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) { return wmiquery.Reply{Code: code}, nil }
		r := env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil)
		env.want("suspend", r, 503, "outcome-unknown")
		if j := env.get("HV01", "vic", r.json["job"].(string)); j.json["state"] != "unknown" {
			t.Errorf("%d: the job is %s", code, j)
		}
	}
}

// By whichever way a test VM is deleted, nothing else is done about its replica.
func TestOneCleanup(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.CallTimeout = time.Nanosecond })
	spy := env.hosts["HV01"].pool
	raw := object{"parameters": object{"AffectedSystem": env.testVM("HV01", vmWithTestVM)}}
	spy.wait = make(chan struct{})
	env.want("the verb", env.confirmed("HV01", "olga", vmWithTestVM, "cleanup-test-failover", nil), 202, "")
	env.want("the method", env.method("HV01", "omar", msvm.MethodDestroySystem, raw), 409, "busy")
	close(spy.wait)
	env.hosts["HV01"].server.calls.Wait()
	env.want("a result of what is no test", env.method("HV01", "omar", msvm.MethodRequestReplicationStateChangeEx, object{"target": env.vms[vmReplicating], "test_result": "passed"}), 400, "bad-request")
}
