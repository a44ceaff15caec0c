package admin

import (
	"os"
	"path/filepath"
	"testing"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
)

// wantOutcomes checks that each intent in the audit log of HV01 has one outcome, and returns the outcomes.
func (env *testEnv) wantOutcomes(what string, want int) (outcomes []audit.Record) {
	env.Helper()
	open := map[string]int{}
	for _, r := range env.auditRecords("HV01") {
		switch r.Event {
		case audit.Intent:
			open[r.ID+r.Action]++
		case audit.Outcome:
			open[r.ID+r.Action]--
			outcomes = append(outcomes, r)
		}
	}
	for id, n := range open {
		if n != 0 {
			env.Errorf("%s: the action %s has %+d intents without an outcome", what, id, n)
		}
	}
	if len(outcomes) != want {
		env.Fatalf("%s: %d outcomes, want %d", what, len(outcomes), want)
	}
	return outcomes
}

// An intent after which the host is not called, because the record cannot be stored, has an outcome that says so.
func TestIntentWithoutACallHasAnOutcome(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	env.startFakeJob(e.pool)
	if err := e.server.store.Close(); err != nil {
		t.Fatal(err)
	}
	env.want("suspend", env.postAction("HV01", "tim", vmSuspended, "primary", "resume", nil), 500, "internal")
	outcome := env.wantOutcomes("not stored", 2)[1]
	if outcome.Error != "the host was not called" || outcome.State != "failed" || outcome.Status != 500 {
		t.Errorf("the outcome is %+v", outcome)
	}
}

// A call that panics has an outcome.
func TestPanicOfACallHasAnOutcome(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV01"].pool.panics = true
	env.want("suspend", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 503, "outcome-unknown")
	if outcome := env.wantOutcomes("panic", 1)[0]; outcome.State != "unknown" {
		t.Errorf("the outcome is %+v", outcome)
	}
}

// If the program ended between the answer of the host and the outcome in the audit log, the next start writes the outcome
// with what the record of the job knows.
func TestOutcomeFromTheRecordOfTheJob(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	e.close()
	intent := func(id string) string {
		return `{"time":"2026-11-22T12:00:00Z","event":"intent","id":"` + id + `","user":"tim","action":"suspend"}` + "\n"
	}
	env.writeFile(filepath.Join(e.folder, auditFile), intent("known")+intent("queued")+intent("not stored"))
	env.startEndpoint("HV01", e.folder)
	e = env.hosts["HV01"]
	env.wantOutcomes("without records", 3)
	for _, r := range []job.Record{
		{ID: "known", Action: "suspend", State: job.Succeeded, Code: new(uint32), Created: env.clock.Now(), Path: "P"},
		{ID: "queued", Action: "suspend", State: job.Queued, Created: env.clock.Now()},
	} {
		if err := e.server.store.Put(job.Bucket, r.ID, r); err != nil {
			t.Fatal(err)
		}
	}
	e.close()
	if err := os.Remove(filepath.Join(e.folder, auditFile)); err != nil {
		t.Fatal(err)
	}
	env.writeFile(filepath.Join(e.folder, auditFile), intent("known")+intent("queued")+intent("not stored"))
	env.startEndpoint("HV01", e.folder)
	outcomes := env.wantOutcomes("with records", 3)
	if o := outcomes[0]; o.State != "succeeded" || o.Code == nil || o.Job != "P" || o.User != "tim" {
		t.Errorf("the outcome of the known job is %+v", o)
	}
	for _, o := range outcomes[1:] {
		if o.State != "unknown" || o.Error != "the program ended before the outcome was written" {
			t.Errorf("the outcome is %+v", o)
		}
	}
	env.restartEndpoint("HV01")
	env.wantOutcomes("after another start", 3)
}
