package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Going back to an older recovery point loses what was written since then, however
// small the lag is.
func TestLossOfRecoveryPoint(t *testing.T) {
	l := newLab(t)
	l.clock.Advance(26 * time.Hour)
	points, _ := l.get("HV02", "vic", l.replica(withPoints, "primary")).json["recovery_points"].([]any)
	oldest, age := "", 0.0
	for _, p := range points {
		at, err := time.Parse(time.RFC3339, p.(m)["created"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if a := l.clock.Now().Sub(at).Seconds(); a > age {
			oldest, age = p.(m)["InstanceID"].(string), a
		}
	}
	if age < 20*3600 {
		t.Fatalf("the oldest of %d recovery points is %.0f s old", len(points), age)
	}
	payload := m{"parameters": m{"SnapshotSettingData": oldest}}
	r := l.act("HV02", "fred", withPoints, "primary", "test-failover", m{"parameters": payload["parameters"], "dry_run": true})
	if lag := r.json["estimated_loss"].(m)["lag_seconds"].(float64); lag > 3600 {
		t.Errorf("a test would lose %.0f s", lag)
	}
	first := l.act("HV02", "fred", withPoints, "primary", "failover", payload)
	l.want("the first step", first, 409, "confirmation-required")
	if lag := first.json["estimated_loss"].(m)["lag_seconds"].(float64); lag < age-1 || lag > age+1 {
		t.Errorf("the estimated loss is %.0f s, want %.0f", lag, age)
	}
	for _, c := range []struct {
		accepted float64
		code     int
		slug     string
	}{{age - 60, 412, "data-loss-exceeded"}, {age + 60, 202, ""}} {
		second := l.second("HV02", withPoints, first, payload)
		second["max_data_loss_seconds"] = c.accepted
		l.want("the second step", l.act("HV02", "fred", withPoints, "primary", "failover", second), c.code, c.slug)
	}
}

// A lag that nobody knows is covered by no number: it is accepted by name.
func TestLossUnknown(t *testing.T) {
	l := newLab(t)
	spy := l.hosts["HV02"].pool
	for what, at := range map[string]*time.Time{"null": nil, "by a clock that was ahead": new(l.clock.Now().Add(2 * time.Hour))} {
		spy.shows = func(dst any) {
			if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
				for i := range *rows {
					(*rows)[i].LastReplicationTime = at
				}
			}
		}
		if lag := l.get("HV02", "vic", l.replica(healthy, "primary")).json["lag_seconds"]; lag != nil {
			t.Errorf("%s: the lag is %v", what, lag)
		}
		first := l.act("HV02", "omar", healthy, "primary", "remove", nil)
		second := l.second("HV02", healthy, first, m{"accept_unknown_loss": false})
		l.want(what, l.act("HV02", "omar", healthy, "primary", "remove", second), 412, "data-loss-exceeded")
	}
	l.finish("accepted", "HV02", l.confirmed("HV02", "omar", healthy, "remove", nil), "succeeded")
	intent := l.audited("HV02")
	for _, line := range intent {
		if a := line.Accepted; line.Event == auditIntent && (a == nil || !a.Confirmed || !a.UnknownLoss || a.MaxLossSeconds == nil) {
			t.Errorf("what was accepted is not in the audit log: %+v", a)
		}
	}
}

// The window's figures are no data of the VM.
func TestLossOfFigures(t *testing.T) {
	l := newLab(t)
	first := l.act("HV02", "olga", healthy, "primary", "reset-statistics", nil)
	second := l.second("HV02", healthy, first, nil)
	delete(second, "max_data_loss_seconds")
	l.finish("reset", "HV02", l.act("HV02", "olga", healthy, "primary", "reset-statistics", second), "succeeded")
}

// Who may prepare a failover may take that back, or the VM stays locked.
func TestCallOff(t *testing.T) {
	l := newLab(t)
	l.write(l.policy, "rules: [{users: [vic], role: viewer}, {users: [fred], role: failover}, {users: [omar], role: owner}]")
	l.want("reload", l.do("HV01", "omar", http.MethodPost, "/-/reload", nil), 200, "")
	if err := l.world.SetPower(l.vms[healthy], "HV01", false); err != nil {
		t.Fatal(err)
	}
	l.finish("prepare", "HV01", l.act("HV01", "fred", healthy, "primary", "prepare-failover", nil), "succeeded")
	l.finish("call off", "HV01", l.act("HV01", "fred", healthy, "primary", "cancel-failover", nil), "succeeded")
	if err := l.world.SetPower(l.vms[healthy], "HV01", true); err != nil {
		t.Error(err)
	}
	l.finish("prepare", "HV01", l.prepared(healthy), "succeeded")
	r := l.do("HV01", "fred", http.MethodPost, "/api/v1/methods/RevertFailover", m{"parameters": m{"ComputerSystem": l.vms[healthy]}})
	l.finish("by the method", "HV01", r, "succeeded")
}

func (l *lab) prepared(vm int) response {
	l.Helper()
	if err := l.world.SetPower(l.vms[vm], "HV01", false); err != nil {
		l.Fatal(err)
	}
	return l.act("HV01", "fred", vm, "primary", "prepare-failover", nil)
}

// Settings can destroy, too.
func TestSettingsThatDestroy(t *testing.T) {
	l := newLab(t)
	settings := func(change m) m {
		return m{"parameters": m{"ComputerSystem": l.vms[withPoints], "ReplicationSettingData": change}}
	}
	for _, c := range []struct {
		what, method string
		payload      m
		code         int
		slug, names  string
	}{
		{"no replica server any more", "ModifyServiceSettings", m{"parameters": m{"SettingData": m{"RecoveryServerEnabled": false}}}, 409, "confirmation-required", "the name of this host"},
		{"another window", "ModifyServiceSettings", m{"parameters": m{"SettingData": m{"MonitoringInterval": 7200}}}, 202, "", ""},
		{"fewer recovery points", "ModifyReplicationSettings", settings(m{"RecoveryHistory": 0}), 409, "confirmation-required", "the name of the VM"},
		{"no disks", "ModifyReplicationSettings", settings(m{"IncludedDisks": []string{}}), 409, "confirmation-required", "the name of the VM"},
		{"more recovery points", "ModifyReplicationSettings", settings(m{"RecoveryHistory": 24}), 202, "", ""},
		{"an entry", "RemoveAuthorizationEntry", m{"parameters": m{"AllowedPrimaryHostSystem": "HV02.contoso.com"}}, 409, "confirmation-required", "the name of this host"},
	} {
		r := l.do("HV01", "omar", http.MethodPost, "/api/v1/methods/"+c.method, c.payload)
		l.want(c.what, r, c.code, c.slug)
		if detail, _ := r.json["detail"].(string); !strings.Contains(detail, c.names) {
			t.Errorf("%s: %s", c.what, detail)
		}
		if c.code == 202 {
			l.finish(c.what, "HV01", r, "succeeded")
		}
	}
	payload := m{"parameters": m{"SettingData": m{"RecoveryServerEnabled": false}}}
	const path = "/api/v1/methods/ModifyServiceSettings"
	first := l.do("HV01", "omar", http.MethodPost, path, payload)
	second := l.second("HV01", healthy, first, payload)
	second["vm_name"] = ""
	l.want("no name of the host", l.do("HV01", "omar", http.MethodPost, path, second), 409, "confirmation-invalid")
	second["vm_name"] = "HV01"
	l.finish("confirmed", "HV01", l.do("HV01", "omar", http.MethodPost, path, second), "succeeded")
}

// To go on with a resynchronization is one, and no two are left to themselves.
func TestOneResynchronization(t *testing.T) {
	l := newLab(t)
	l.want("another runs", l.act("HV01", "tim", resyncPaused, "primary", "resume", nil), 409, "resynchronization-running")
	if err := l.world.SetState("HV01", msvm.Key{VM: l.vms[resyncRuns], Link: msvm.Primary}, msvm.Replicating); err != nil {
		t.Fatal(err)
	}
	l.finish("suspend", "HV01", l.act("HV01", "olga", healthy, "primary", "suspend", nil), "succeeded")
	at := m{"parameters": m{"StartTime": l.clock.Now().Add(time.Hour).Format(time.RFC3339)}}
	l.want("the first at a time", l.confirmed("HV01", "olga", healthy, "resynchronize", at), 202, "")
	l.want("a second", l.act("HV01", "olga", resyncRequired, "primary", "resynchronize", at), 409, "resynchronization-running")
	l.want("now", l.act("HV01", "olga", resyncRequired, "primary", "resynchronize", nil), 409, "confirmation-required")
}

// One resynchronization runs at a time. Another one is refused with Retry-After, and is
// accepted when the first has ended.
func TestSecondResynchronizationIsRefused(t *testing.T) {
	l := newLab(t)
	l.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	spy := l.hosts["HV01"].pool
	refused := func(what string, r response) {
		t.Helper()
		l.want(what, r, http.StatusConflict, "resynchronization-running")
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After: %v", what, r.header)
		}
	}
	second := func(payload any) response {
		return l.act("HV01", "olga", resyncRequired, "primary", "resynchronize", payload)
	}
	l.finish("suspend", "HV01", l.act("HV01", "olga", healthy, "primary", "suspend", nil), "succeeded")
	running := l.confirmed("HV01", "olga", healthy, "resynchronize", nil)
	calls := spy.called()
	refused("second resynchronization", second(nil))
	refused("dry run of a second resynchronization", second(m{"dry_run": true}))
	refused("resume that resynchronizes", l.act("HV01", "tim", resyncPaused, "primary", "resume", nil))
	if n := spy.called() - calls; n > 0 {
		t.Errorf("%d calls while a resynchronization runs, want 0", n)
	}
	l.finish("first resynchronization", "HV01", running, "succeeded")

	resumed := l.act("HV01", "tim", resyncPaused, "primary", "resume", nil)
	l.finish("resume that resynchronizes", "HV01", resumed, "succeeded")
	refused("resynchronization after the resume", second(nil))
	l.clock.Advance(2 * time.Hour)
	l.finish("second resynchronization", "HV01", l.confirmed("HV01", "olga", resyncRequired, "resynchronize", nil), "succeeded")
}

// A resume that continues a resynchronization counts as one while its job runs, although
// the host does not show the new state yet.
func TestResumeThatResynchronizesCounts(t *testing.T) {
	l := newLab(t)
	l.clock.Advance(2 * time.Hour)
	l.hosts["HV01"].pool.answers = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Code: wmiquery.CodeJobStarted, Job: msvm.JobRef("00000000-0000-0000-0000-000000000001")}, nil
	}
	l.hosts["HV01"].pool.shows = func(dst any) {
		if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
			*rows = append(*rows, msvm.ConcreteJob{InstanceID: "00000000-0000-0000-0000-000000000001", JobState: new(msvm.JobRunning)})
		}
	}
	l.want("resume", l.act("HV01", "tim", resyncPaused, "primary", "resume", nil), http.StatusAccepted, "")
	r := l.act("HV01", "olga", resyncRequired, "primary", "resynchronize", m{"dry_run": true})
	l.want("resynchronization while the resume runs", r, http.StatusConflict, "resynchronization-running")
	if r.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", r.header)
	}
}

// A record that an older version stored as waiting has an unknown outcome after a
// restart. The host is not called.
func TestWaitingRecordOfOlderVersion(t *testing.T) {
	l := newLab(t)
	record := m{
		"id": "waited", "state": "queued", "waiting": true, "cancellable": true, "action": "resynchronize",
		"method": "Resynchronize", "vm_id": l.vms[resyncRequired], "role": "operator", "user": "olga", "created": l.clock.Now(),
	}
	if err := l.hosts["HV01"].server.store.put(bucketJobs, "waited", record); err != nil {
		t.Fatal(err)
	}
	l.restart("HV01")
	if j := l.get("HV01", "vic", apiJobs+"/waited"); j.json["state"] != "unknown" || j.json["ended"] == nil || j.json["cancellable"] != false {
		t.Errorf("the job is %s, want the state unknown", j)
	}
	l.clock.Advance(2 * time.Hour)
	if n := l.hosts["HV01"].pool.called(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}

// What turns into a resynchronization while it is looked at was not claimed as one.
func TestChangedMeanwhile(t *testing.T) {
	l := newLab(t)
	looks := 0
	l.hosts["HV01"].pool.shows = func(dst any) {
		rows, ok := dst.(*[]msvm.ReplicationRelationship)
		if !ok {
			return
		}
		looks++
		for i := range *rows {
			switch k, _ := msvm.ParseKey((*rows)[i].InstanceID); {
			case k.VM != l.vms[suspendedVM]:
				(*rows)[i].ReplicationState = new(msvm.Replicating)
			case looks > 1:
				(*rows)[i].ReplicationState = new(msvm.ResynchronizationSuspended)
			}
		}
	}
	l.want("resume", l.act("HV01", "tim", suspendedVM, "primary", "resume", nil), 409, "invalid-state")
	if n := l.hosts["HV01"].pool.called(); n > 0 {
		t.Errorf("%d calls were made", n)
	}
}

// A call that never comes back is told of, and does not keep anybody from stopping
// what it has begun.
func TestLostCall(t *testing.T) {
	l := newLab(t, func(o *Options) { o.CallTimeout = time.Nanosecond })
	spy := l.hosts["HV01"].pool
	wait := make(chan struct{})
	spy.wait = wait
	lost := l.act("HV01", "tim", healthy, "primary", "test-connection", nil)
	l.want("lost", lost, 202, "")
	l.clock.Advance(time.Hour)
	r := l.act("HV01", "tim", healthy, "primary", "test-connection", nil)
	l.want("beside it", r, 409, "busy")
	if !strings.Contains(r.text, "test-connection since 2026-11-22T12:00:00Z, which the host does not answer") || r.json["job"] != lost.header.Get("Location") {
		t.Errorf("it does not tell what keeps it: %s", r)
	}
	spy.mu.Lock()
	spy.wait = nil
	spy.mu.Unlock()
	r = l.act("HV01", "tim", healthy, "primary", "suspend", nil)
	l.want("to stop it", r, 202, "")
	close(wait)
	l.hosts["HV01"].server.calls.Wait()
	l.finish("suspend", "HV01", r, "succeeded")
}

// A cancel with a key is one, and takes nothing that it does not heed.
func TestCancelOnce(t *testing.T) {
	l := newLab(t)
	l.clock.Advance(2 * time.Hour)
	l.finish("suspend", "HV01", l.act("HV01", "olga", healthy, "primary", "suspend", nil), "succeeded")
	started := l.confirmed("HV01", "olga", healthy, "resynchronize", nil)
	cancel := started.header.Get("Location") + "/cancel"
	l.want("what it does not heed", l.do("HV01", "tim", http.MethodPost, cancel, m{"expected_state": "critical"}), 400, "bad-request")
	spy := l.hosts["HV01"].pool
	before := spy.called()
	for range 2 {
		l.want("cancel", l.do("HV01", "tim", http.MethodPost, cancel, nil, headerIdempotencyKey, "k"), 202, "")
	}
	if n := spy.called() - before; n != 1 {
		t.Errorf("%d calls", n)
	}
}

// What the host has done is not answered as if it had not, audit log or not.
func TestCancelWithoutOutcome(t *testing.T) {
	l := newLab(t)
	l.clock.Advance(2 * time.Hour)
	l.finish("suspend", "HV01", l.act("HV01", "olga", healthy, "primary", "suspend", nil), "succeeded")
	started := l.confirmed("HV01", "olga", healthy, "resynchronize", nil)
	e := l.hosts["HV01"]
	e.pool.wait = make(chan struct{})
	done, before := make(chan response), e.pool.called()
	go func() {
		done <- l.do("HV01", "tim", http.MethodPost, started.header.Get("Location")+"/cancel", nil)
	}()
	for e.pool.called() == before {
		l.get("HV01", "vic", "/api/v1/methods")
	}
	if err := e.server.audit.file.Close(); err != nil {
		t.Fatal(err)
	}
	close(e.pool.wait)
	l.want("cancel", <-done, 202, "")
	if err := e.server.audit.reopen(); err != nil { // for the end of the test
		t.Fatal(err)
	}
}

// Whatever comes last is what is kept, and a record that has ended stays so.
func TestJobSavedInOrder(t *testing.T) {
	l := newLab(t)
	s := l.hosts["HV01"].server
	for i := range 50 {
		id := hash("job", fmt.Sprint(i))
		if err := s.jobs.begin(jobRecord{ID: id, State: jobQueued, Created: l.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		saved := make(chan struct{})
		go func() {
			defer close(saved)
			s.jobs.change(id, func(r *jobRecord) { r.Path = "a job"; r.at(jobRunning, l.clock.Now()) })
		}()
		for path := ""; path == ""; {
			r, _ := s.jobs.get(id)
			path = r.Path
		}
		s.jobs.change(id, func(r *jobRecord) { r.at(jobSucceeded, l.clock.Now()) })
		<-saved
		var kept jobRecord
		if _, err := s.store.get(bucketJobs, id, &kept); err != nil || kept.State != jobSucceeded {
			t.Fatalf("kept is %q, %v", kept.State, err)
		}
	}
	if n := len(s.jobs.active); n > 0 {
		t.Errorf("%d jobs that have ended are followed", n)
	}
}

// Classes are read side by side: a host that takes seconds for each is looked at before
// the time is over.
func TestReadsSideBySide(t *testing.T) {
	l := newLab(t)
	const classes = 5
	var reading atomic.Int32
	together := make(chan struct{})
	l.hosts["HV01"].pool.shows = func(any) {
		if reading.Add(1) == classes {
			close(together)
		}
		select {
		case <-together:
		case <-time.After(20 * time.Second): // one after the other
			t.Error("it waits for one class before it asks for the next")
		}
	}
	l.want("look", l.get("HV01", "vic", apiReplicas), 200, "")
}

// The test VM is told, however the host tells it: at once, by the job, or not at all.
func TestTestVM(t *testing.T) {
	l := newLab(t)
	spy := l.hosts["HV02"].pool
	const made = "11111111-2222-3333-4444-555555555555"
	spy.answers = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Out: map[string]any{"ResultingSystem": msvm.VMRef(made)}}, nil
	}
	if r := l.act("HV02", "olga", healthy, "primary", "test-failover", nil); r.code != 200 || r.json["test_vm_id"] != made {
		t.Errorf("at once: %s", r)
	}
	spy.answers = nil
	spy.shows = func(dst any) {
		if rows, ok := dst.(*[]msvm.AffectedJobElement); ok {
			*rows = nil
		}
	}
	r := l.finish("test", "HV02", l.act("HV02", "olga", healthy, "primary", "test-failover", nil), "succeeded")
	if tests, _ := l.get("HV02", "vic", l.replica(healthy, "primary")).json["test_vms"].([]any); len(tests) != 1 || r.json["test_vm_id"] != tests[0] {
		t.Errorf("the test VM of %v is %v", tests, r.json["test_vm_id"])
	}
}

// How a test went stands in the record of its clean-up and in the audit log.
func TestTestResult(t *testing.T) {
	l := newLab(t)
	l.finish("test", "HV02", l.act("HV02", "olga", healthy, "primary", "test-failover", nil), "succeeded")
	l.want("not a result", l.act("HV02", "olga", healthy, "primary", "cleanup-test-failover", m{"test_result": "so so"}), 400, "bad-request")
	l.want("of nothing", l.act("HV02", "olga", healthy, "primary", "suspend", m{"test_result": "passed"}), 400, "bad-request")
	r := l.finish("clean up", "HV02", l.confirmed("HV02", "olga", healthy, "cleanup-test-failover", m{"test_result": "failed"}), "succeeded")
	if r.json["test_result"] != "failed" {
		t.Errorf("the record is %s", r)
	}
	lines := l.audited("HV02")
	told := 0
	for _, line := range lines {
		if line.Action == "cleanup-test-failover" && line.TestResult == "failed" {
			told++
		}
	}
	if told < 2 {
		t.Errorf("%d lines of the audit log tell of it", told)
	}
}
