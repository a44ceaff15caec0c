package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// unwritable makes the audit log one that cannot be written, until it is called back: a
// folder stands where it was.
func (e *endpoint) unwritable(l *lab) (back func()) {
	l.Helper()
	path := e.server.audit.path
	if err := os.Rename(path, path+".1"); err != nil {
		l.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		l.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			l.Error(err)
		}
	}
}

// A disk that is full when a job ends loses nothing: the end is told from memory, and
// written when that is possible, before anything else begins.
func TestFullAtTheEnd(t *testing.T) {
	l := newLab(t)
	e := l.hosts["HV01"]
	started := l.act("HV01", "tim", healthy, "primary", "suspend", nil)
	l.want("suspend", started, 202, "")
	back := e.unwritable(l)
	path := e.server.store.db.Path()
	if err := e.server.store.db.Close(); err != nil {
		t.Fatal(err)
	}
	ended := l.finish("while nothing can be written", "HV01", started, "succeeded")
	if ended.json["ended"] == nil {
		t.Errorf("it has not ended: %s", ended)
	}
	back()
	again, err := tryStore(path)
	if err != nil {
		t.Fatal(err)
	}
	e.server.store.db = again.db
	resumed := l.act("HV01", "tim", healthy, "primary", "resume", nil)
	l.want("resume", resumed, 202, "")
	var events []string
	for _, line := range l.audited("HV01") {
		events = append(events, string(line.Event)+" "+line.Action)
	}
	if want := []string{"job suspend", "intent resume", "outcome resume"}; !slices.Equal(events, want) {
		t.Errorf("the new audit log has %q, want %q", events, want)
	}
	e.server.jobs.settle()
	var kept jobRecord
	if ok, err := e.server.store.get(bucketJobs, ended.json["id"].(string), &kept); !ok || err != nil || kept.State != jobSucceeded {
		t.Errorf("the store has %v %v %+v", ok, err, kept)
	}
	if n := len(e.server.jobs.unsaved); n > 0 {
		t.Errorf("%d records are still to be kept", n)
	}
	l.finish("resume", "HV01", resumed, "succeeded")
	if n := len(e.server.jobs.active); n > 0 {
		t.Errorf("%d records that are kept are still in memory", n)
	}
}

// The emergency stop holds although the audit log cannot be written when it comes.
func TestStopWithoutAudit(t *testing.T) {
	l := newLab(t)
	e := l.hosts["HV01"]
	back := e.unwritable(l)
	l.write(l.policy, "read_only: true\n"+everything)
	e.server.heed()
	l.want("reload", l.do("HV01", "omar", http.MethodPost, "/-/reload", nil), 503, "audit-unavailable")
	back()
	l.want("suspend", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 403, "forbidden")
	reloads := 0
	for _, line := range l.audited("HV01") {
		if line.Event == auditReload {
			reloads++
		}
	}
	if reloads != 2 {
		t.Errorf("the audit log has %d reloads, want 2", reloads)
	}
}

// Nothing that takes its time holds up the emergency stop.
func TestStopAtOnce(t *testing.T) {
	l := newLab(t, func(o *Options) { o.WatchInterval = time.Millisecond })
	hang := make(chan struct{})
	defer close(hang)
	s := l.hosts["HV01"].server
	s.jobs.looking.Lock() // whoever looks at jobs waits: here for ever
	defer s.jobs.looking.Unlock()
	l.write(l.policy, "read_only: true\n"+everything)
	for end := time.Now().Add(20 * time.Second); !s.policy.Load().readOnly; {
		if time.Now().After(end) {
			t.Fatal("the emergency stop is not heeded")
		}
	}
}

// A log that was moved away or deleted is begun anew: nobody would find what is written
// to it.
func TestAuditGone(t *testing.T) {
	l := newLab(t)
	e := l.hosts["HV01"]
	if err := os.Rename(e.server.audit.path, e.server.audit.path+".1"); err != nil {
		t.Fatal(err)
	}
	l.want("suspend", l.act("HV01", "tim", healthy, "primary", "suspend", nil), 202, "")
	if lines := l.audited("HV01"); len(lines) != 2 || lines[0].Event != auditIntent {
		t.Errorf("the audit log has %+v", lines)
	}
}

// The host is asked again why a job failed, if it did not tell; and a client that hangs
// up does not cut that short.
func TestReasonsOfFailure(t *testing.T) {
	store, audit := jobFiles(t)
	for name, tt := range map[string]struct{ silent, reasons int }{"at the third time": {2, 1}, "never": {100, 0}} {
		synctest.Test(t, func(t *testing.T) {
			fake := &failedJob{silent: tt.silent}
			j, err := newJobs(&jobs{reader: fake, store: store, audit: audit, logger: log.NewNopLogger(), now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			if err := j.begin(jobRecord{ID: name, State: jobRunning, Path: string(msvm.JobRef("J")), Created: time.Now()}); err != nil {
				t.Fatal(err)
			}
			left, leave := context.WithCancel(t.Context())
			leave()
			s := &Server{o: Options{ReadTimeout: time.Second}, jobs: j}
			for range maxUnasked + 1 {
				s.freshen(httptest.NewRequestWithContext(left, http.MethodGet, "/", nil))
			}
			if r, ok := j.get(name); !ok || r.State != jobFailed || len(r.Errors) != tt.reasons {
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
		l := newLab(t)
		l.hosts["HV01"].pool.answers = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) { return wmiquery.Reply{Code: code}, nil }
		r := l.act("HV01", "tim", healthy, "primary", "suspend", nil)
		l.want("suspend", r, 503, "outcome-unknown")
		if j := l.get("HV01", "vic", r.json["job"].(string)); j.json["state"] != "unknown" {
			t.Errorf("%d: the job is %s", code, j)
		}
	}
}

// By whichever way a test VM is deleted, nothing else is done about its replica.
func TestOneCleanup(t *testing.T) {
	l := newLab(t, func(o *Options) { o.CallTimeout = time.Nanosecond })
	spy := l.hosts["HV01"].pool
	raw := m{"parameters": m{"AffectedSystem": l.testVM("HV01", testedVM)}}
	spy.wait = make(chan struct{})
	l.want("the verb", l.confirmed("HV01", "olga", testedVM, "cleanup-test-failover", nil), 202, "")
	l.want("the method", l.method("HV01", "omar", destroySystem, raw), 409, "busy")
	close(spy.wait)
	l.hosts["HV01"].server.calls.Wait()
	l.want("a result of what is no test", l.method("HV01", "omar", requestState, m{"target": l.vms[healthy], "test_result": "passed"}), 400, "bad-request")
}
