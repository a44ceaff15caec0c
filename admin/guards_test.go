package admin

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Going back to an older recovery point loses what was written since then, however
// small the lag is.
func TestLossOfRecoveryPoint(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(26 * time.Hour)
	points, _ := env.get("HV02", "vic", env.replica(vmWithRecoveryPoints, "primary")).json["recovery_points"].([]any)
	oldest, age := "", 0.0
	for _, p := range points {
		at, err := time.Parse(time.RFC3339, p.(object)["created"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if a := env.clock.Now().Sub(at).Seconds(); a > age {
			oldest, age = p.(object)["InstanceID"].(string), a
		}
	}
	if age < 20*3600 {
		t.Fatalf("the oldest of %d recovery points is %.0f s old", len(points), age)
	}
	payload := object{"parameters": object{"SnapshotSettingData": oldest}}
	r := env.act("HV02", "fred", vmWithRecoveryPoints, "primary", "test-failover", object{"parameters": payload["parameters"], "dry_run": true})
	if lag := r.json["estimated_loss"].(object)["lag_seconds"].(float64); lag > 3600 {
		t.Errorf("a test would lose %.0f s", lag)
	}
	first := env.act("HV02", "fred", vmWithRecoveryPoints, "primary", "failover", payload)
	env.want("the first step", first, 409, "confirmation-required")
	if lag := first.json["estimated_loss"].(object)["lag_seconds"].(float64); lag < age-1 || lag > age+1 {
		t.Errorf("the estimated loss is %.0f s, want %.0f", lag, age)
	}
	for _, c := range []struct {
		accepted float64
		code     int
		slug     string
	}{{age - 60, 412, "data-loss-exceeded"}, {age + 60, 202, ""}} {
		second := env.second("HV02", vmWithRecoveryPoints, first, payload)
		second["max_data_loss_seconds"] = c.accepted
		env.want("the second step", env.act("HV02", "fred", vmWithRecoveryPoints, "primary", "failover", second), c.code, c.slug)
	}
}

// A lag that nobody knows is covered by no number: it is accepted by name.
func TestLossUnknown(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV02"].pool
	for what, at := range map[string]*time.Time{"null": nil, "by a clock that was ahead": new(env.clock.Now().Add(2 * time.Hour))} {
		spy.shows = func(dst any) {
			if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
				for i := range *rows {
					(*rows)[i].LastReplicationTime = at
				}
			}
		}
		if lag := env.get("HV02", "vic", env.replica(vmReplicating, "primary")).json["lag_seconds"]; lag != nil {
			t.Errorf("%s: the lag is %v", what, lag)
		}
		first := env.act("HV02", "omar", vmReplicating, "primary", "remove", nil)
		second := env.second("HV02", vmReplicating, first, object{"accept_unknown_loss": false})
		env.want(what, env.act("HV02", "omar", vmReplicating, "primary", "remove", second), 412, "data-loss-exceeded")
	}
	env.finish("accepted", "HV02", env.confirmed("HV02", "omar", vmReplicating, "remove", nil), "succeeded")
	intent := env.audited("HV02")
	for _, line := range intent {
		if a := line.Accepted; line.Event == audit.Intent && (a == nil || !a.Confirmed || !a.UnknownLoss || a.MaxLossSeconds == nil) {
			t.Errorf("what was accepted is not in the audit log: %+v", a)
		}
	}
}

// The window's figures are no data of the VM.
func TestLossOfFigures(t *testing.T) {
	env := newTestEnv(t)
	first := env.act("HV02", "olga", vmReplicating, "primary", "reset-statistics", nil)
	second := env.second("HV02", vmReplicating, first, nil)
	delete(second, "max_data_loss_seconds")
	env.finish("reset", "HV02", env.act("HV02", "olga", vmReplicating, "primary", "reset-statistics", second), "succeeded")
}

// Who may prepare a failover may take that back, or the VM stays locked.
func TestCallOff(t *testing.T) {
	env := newTestEnv(t)
	env.write(env.policy, "rules: [{users: [vic], role: viewer}, {users: [fred], role: failover}, {users: [omar], role: owner}]")
	env.want("reload", env.do("HV01", "omar", http.MethodPost, "/-/reload", nil), 200, "")
	if err := env.world.SetPower(env.vms[vmReplicating], "HV01", false); err != nil {
		t.Fatal(err)
	}
	env.finish("prepare", "HV01", env.act("HV01", "fred", vmReplicating, "primary", "prepare-failover", nil), "succeeded")
	env.finish("call off", "HV01", env.act("HV01", "fred", vmReplicating, "primary", "cancel-failover", nil), "succeeded")
	if err := env.world.SetPower(env.vms[vmReplicating], "HV01", true); err != nil {
		t.Error(err)
	}
	env.finish("prepare", "HV01", env.prepared(vmReplicating), "succeeded")
	r := env.do("HV01", "fred", http.MethodPost, "/api/v1/methods/RevertFailover", object{"parameters": object{"ComputerSystem": env.vms[vmReplicating]}})
	env.finish("by the method", "HV01", r, "succeeded")
}

func (env *testEnv) prepared(vm int) response {
	env.Helper()
	if err := env.world.SetPower(env.vms[vm], "HV01", false); err != nil {
		env.Fatal(err)
	}
	return env.act("HV01", "fred", vm, "primary", "prepare-failover", nil)
}

// Settings can destroy, too.
func TestSettingsThatDestroy(t *testing.T) {
	env := newTestEnv(t)
	settings := func(change object) object {
		return object{"parameters": object{"ComputerSystem": env.vms[vmWithRecoveryPoints], "ReplicationSettingData": change}}
	}
	for _, c := range []struct {
		what, method string
		payload      object
		code         int
		slug, names  string
	}{
		{"no replica server any more", "ModifyServiceSettings", object{"parameters": object{"SettingData": object{"RecoveryServerEnabled": false}}}, 409, "confirmation-required", "the name of this host"},
		{"another window", "ModifyServiceSettings", object{"parameters": object{"SettingData": object{"MonitoringInterval": 7200}}}, 202, "", ""},
		{"fewer recovery points", "ModifyReplicationSettings", settings(object{"RecoveryHistory": 0}), 409, "confirmation-required", "the name of the VM"},
		{"no disks", "ModifyReplicationSettings", settings(object{"IncludedDisks": []string{}}), 409, "confirmation-required", "the name of the VM"},
		{"more recovery points", "ModifyReplicationSettings", settings(object{"RecoveryHistory": 24}), 202, "", ""},
		{"an entry", "RemoveAuthorizationEntry", object{"parameters": object{"AllowedPrimaryHostSystem": "HV02.contoso.com"}}, 409, "confirmation-required", "the name of this host"},
	} {
		r := env.do("HV01", "omar", http.MethodPost, "/api/v1/methods/"+c.method, c.payload)
		env.want(c.what, r, c.code, c.slug)
		if detail, _ := r.json["detail"].(string); !strings.Contains(detail, c.names) {
			t.Errorf("%s: %s", c.what, detail)
		}
		if c.code == 202 {
			env.finish(c.what, "HV01", r, "succeeded")
		}
	}
	payload := object{"parameters": object{"SettingData": object{"RecoveryServerEnabled": false}}}
	const path = "/api/v1/methods/ModifyServiceSettings"
	first := env.do("HV01", "omar", http.MethodPost, path, payload)
	second := env.second("HV01", vmReplicating, first, payload)
	second["vm_name"] = ""
	env.want("no name of the host", env.do("HV01", "omar", http.MethodPost, path, second), 409, "confirmation-invalid")
	second["vm_name"] = "HV01"
	env.finish("confirmed", "HV01", env.do("HV01", "omar", http.MethodPost, path, second), "succeeded")
}

// To go on with a resynchronization is one, and no two are left to themselves.
func TestOneResynchronization(t *testing.T) {
	env := newTestEnv(t)
	env.want("another runs", env.act("HV01", "tim", vmResyncPaused, "primary", "resume", nil), 409, "resynchronization-running")
	if err := env.world.SetState("HV01", msvm.Key{VM: env.vms[vmResyncing], Link: msvm.Primary}, msvm.Replicating); err != nil {
		t.Fatal(err)
	}
	env.finish("suspend", "HV01", env.act("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	at := object{"parameters": object{"StartTime": env.clock.Now().Add(time.Hour).Format(time.RFC3339)}}
	env.want("the first at a time", env.confirmed("HV01", "olga", vmReplicating, "resynchronize", at), 202, "")
	env.want("a second", env.act("HV01", "olga", vmResyncRequired, "primary", "resynchronize", at), 409, "resynchronization-running")
	env.want("now", env.act("HV01", "olga", vmResyncRequired, "primary", "resynchronize", nil), 409, "confirmation-required")
}

// One resynchronization runs at a time. Another one is refused with Retry-After, and is
// accepted when the first has ended.
func TestSecondResynchronizationIsRefused(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	spy := env.hosts["HV01"].pool
	refused := func(what string, r response) {
		t.Helper()
		env.want(what, r, http.StatusConflict, "resynchronization-running")
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After: %v", what, r.header)
		}
	}
	second := func(payload any) response {
		return env.act("HV01", "olga", vmResyncRequired, "primary", "resynchronize", payload)
	}
	env.finish("suspend", "HV01", env.act("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	running := env.confirmed("HV01", "olga", vmReplicating, "resynchronize", nil)
	calls := spy.callCount()
	refused("second resynchronization", second(nil))
	refused("dry run of a second resynchronization", second(object{"dry_run": true}))
	refused("resume that resynchronizes", env.act("HV01", "tim", vmResyncPaused, "primary", "resume", nil))
	if n := spy.callCount() - calls; n > 0 {
		t.Errorf("%d calls while a resynchronization runs, want 0", n)
	}
	env.finish("first resynchronization", "HV01", running, "succeeded")

	resumed := env.act("HV01", "tim", vmResyncPaused, "primary", "resume", nil)
	env.finish("resume that resynchronizes", "HV01", resumed, "succeeded")
	refused("resynchronization after the resume", second(nil))
	env.clock.Advance(2 * time.Hour)
	env.finish("second resynchronization", "HV01", env.confirmed("HV01", "olga", vmResyncRequired, "resynchronize", nil), "succeeded")
}

// A resume that continues a resynchronization counts as one while its job runs, although
// the host does not show the new state yet.
func TestResumeThatResynchronizesCounts(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour)
	env.hosts["HV01"].pool.answers = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Code: wmiquery.CodeJobStarted, Job: msvm.JobRef("00000000-0000-0000-0000-000000000001")}, nil
	}
	env.hosts["HV01"].pool.shows = func(dst any) {
		if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
			*rows = append(*rows, msvm.ConcreteJob{InstanceID: "00000000-0000-0000-0000-000000000001", JobState: new(msvm.JobRunning)})
		}
	}
	env.want("resume", env.act("HV01", "tim", vmResyncPaused, "primary", "resume", nil), http.StatusAccepted, "")
	r := env.act("HV01", "olga", vmResyncRequired, "primary", "resynchronize", object{"dry_run": true})
	env.want("resynchronization while the resume runs", r, http.StatusConflict, "resynchronization-running")
	if r.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", r.header)
	}
}

// A record that an older version stored as waiting has an unknown outcome after a
// restart. The host is not called.
func TestWaitingRecordOfOlderVersion(t *testing.T) {
	env := newTestEnv(t)
	record := object{
		"id": "waited", "state": "queued", "waiting": true, "cancellable": true, "action": "resynchronize",
		"method": "Resynchronize", "vm_id": env.vms[vmResyncRequired], "role": "operator", "user": "olga", "created": env.clock.Now(),
	}
	if err := env.hosts["HV01"].server.store.Put(job.Bucket, "waited", record); err != nil {
		t.Fatal(err)
	}
	env.restart("HV01")
	if j := env.get("HV01", "vic", apiJobs+"/waited"); j.json["state"] != "unknown" || j.json["ended"] == nil || j.json["cancellable"] != false {
		t.Errorf("the job is %s, want the state unknown", j)
	}
	env.clock.Advance(2 * time.Hour)
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}

// What turns into a resynchronization while it is looked at was not claimed as one.
func TestChangedMeanwhile(t *testing.T) {
	env := newTestEnv(t)
	looks := 0
	env.hosts["HV01"].pool.shows = func(dst any) {
		rows, ok := dst.(*[]msvm.ReplicationRelationship)
		if !ok {
			return
		}
		looks++
		for i := range *rows {
			switch k, _ := msvm.ParseKey((*rows)[i].InstanceID); {
			case k.VM != env.vms[vmSuspended]:
				(*rows)[i].ReplicationState = new(msvm.Replicating)
			case looks > 1:
				(*rows)[i].ReplicationState = new(msvm.ResynchronizationSuspended)
			}
		}
	}
	env.want("resume", env.act("HV01", "tim", vmSuspended, "primary", "resume", nil), 409, "invalid-state")
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls were made", n)
	}
}

// A call that never comes back is told of, and does not keep anybody from stopping
// what it has begun.
func TestLostCall(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.CallTimeout = time.Nanosecond })
	spy := env.hosts["HV01"].pool
	wait := make(chan struct{})
	spy.wait = wait
	lost := env.act("HV01", "tim", vmReplicating, "primary", "test-connection", nil)
	env.want("lost", lost, 202, "")
	env.clock.Advance(time.Hour)
	r := env.act("HV01", "tim", vmReplicating, "primary", "test-connection", nil)
	env.want("beside it", r, 409, "busy")
	if !strings.Contains(r.text, "test-connection since 2026-11-22T12:00:00Z, which the host has not answered") || r.json["job"] != lost.header.Get("Location") {
		t.Errorf("it does not tell what keeps it: %s", r)
	}
	spy.mu.Lock()
	spy.wait = nil
	spy.mu.Unlock()
	r = env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("to stop it", r, 202, "")
	close(wait)
	env.hosts["HV01"].server.calls.Wait()
	env.finish("suspend", "HV01", r, "succeeded")
}

// A cancel with a key is one, and takes nothing that it does not heed.
func TestCancelOnce(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour)
	env.finish("suspend", "HV01", env.act("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	started := env.confirmed("HV01", "olga", vmReplicating, "resynchronize", nil)
	cancel := started.header.Get("Location") + "/cancel"
	env.want("what it does not heed", env.do("HV01", "tim", http.MethodPost, cancel, object{"expected_state": "critical"}), 400, "bad-request")
	spy := env.hosts["HV01"].pool
	before := spy.callCount()
	for range 2 {
		env.want("cancel", env.do("HV01", "tim", http.MethodPost, cancel, nil, headerIdempotencyKey, "k"), 202, "")
	}
	if n := spy.callCount() - before; n != 1 {
		t.Errorf("%d calls", n)
	}
}

// What the host has done is not answered as if it had not, audit log or not.
func TestCancelWithoutOutcome(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour)
	env.finish("suspend", "HV01", env.act("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	started := env.confirmed("HV01", "olga", vmReplicating, "resynchronize", nil)
	e := env.hosts["HV01"]
	e.pool.wait = make(chan struct{})
	done, before := make(chan response), e.pool.callCount()
	go func() {
		done <- env.do("HV01", "tim", http.MethodPost, started.header.Get("Location")+"/cancel", nil)
	}()
	for e.pool.callCount() == before {
		env.get("HV01", "vic", "/api/v1/methods")
	}
	if err := e.server.audit.Close(); err != nil {
		t.Fatal(err)
	}
	close(e.pool.wait)
	env.want("cancel", <-done, 202, "")
	if err := e.server.audit.Reopen(); err != nil { // for the end of the test
		t.Fatal(err)
	}
}

// Classes are read side by side: a host that takes seconds for each is looked at before
// the time is over.
func TestReadsSideBySide(t *testing.T) {
	env := newTestEnv(t)
	const classes = 5
	var reading atomic.Int32
	together := make(chan struct{})
	env.hosts["HV01"].pool.shows = func(any) {
		if reading.Add(1) == classes {
			close(together)
		}
		select {
		case <-together:
		case <-time.After(20 * time.Second): // one after the other
			t.Error("it waits for one class before it asks for the next")
		}
	}
	env.want("look", env.get("HV01", "vic", apiReplicas), 200, "")
}

// The test VM is told, however the host tells it: at once, by the job, or not at all.
func TestTestVM(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV02"].pool
	const made = "11111111-2222-3333-4444-555555555555"
	spy.answers = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Out: map[string]any{"ResultingSystem": msvm.VMRef(made)}}, nil
	}
	if r := env.act("HV02", "olga", vmReplicating, "primary", "test-failover", nil); r.code != 200 || r.json["test_vm_id"] != made {
		t.Errorf("at once: %s", r)
	}
	spy.answers = nil
	spy.shows = func(dst any) {
		if rows, ok := dst.(*[]msvm.AffectedJobElement); ok {
			*rows = nil
		}
	}
	r := env.finish("test", "HV02", env.act("HV02", "olga", vmReplicating, "primary", "test-failover", nil), "succeeded")
	if tests, _ := env.get("HV02", "vic", env.replica(vmReplicating, "primary")).json["test_vms"].([]any); len(tests) != 1 || r.json["test_vm_id"] != tests[0] {
		t.Errorf("the test VM of %v is %v", tests, r.json["test_vm_id"])
	}
}

// How a test went stands in the record of its clean-up and in the audit log.
func TestTestResult(t *testing.T) {
	env := newTestEnv(t)
	env.finish("test", "HV02", env.act("HV02", "olga", vmReplicating, "primary", "test-failover", nil), "succeeded")
	env.want("not a result", env.act("HV02", "olga", vmReplicating, "primary", "cleanup-test-failover", object{"test_result": "so so"}), 400, "bad-request")
	env.want("of nothing", env.act("HV02", "olga", vmReplicating, "primary", "suspend", object{"test_result": "passed"}), 400, "bad-request")
	r := env.finish("clean up", "HV02", env.confirmed("HV02", "olga", vmReplicating, "cleanup-test-failover", object{"test_result": "failed"}), "succeeded")
	if r.json["test_result"] != "failed" {
		t.Errorf("the record is %s", r)
	}
	lines := env.audited("HV02")
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
