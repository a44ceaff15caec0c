package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// blockedCall sends a request in a goroutine and returns when the host was called. The call waits until release is
// called, which returns the response.
func (env *testEnv) blockedCall(send func() response) (release func() response) {
	env.Helper()
	spy := env.hosts["HV01"].pool
	block, done := make(chan struct{}), make(chan response, 1)
	spy.setBlock(block)
	for len(spy.called) > 0 {
		<-spy.called
	}
	go func() { done <- send() }()
	<-spy.called
	spy.setBlock(nil)
	return func() response { close(block); return <-done }
}

func (s *spy) setBlock(block chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block = block
}

// While a job of a VM runs, other actions on either relationship of the VM are refused, except those that can pause or
// cancel it. When the job has ended, they are possible at once.
func TestJobLocksItsVM(t *testing.T) {
	env := newTestEnv(t)
	started := env.postAction("HV01", "tim", vmExtended, "extended", "test-connection", nil)
	env.want("job of the extended relationship", started, 202, "")
	for _, payload := range []any{nil, object{"dry_run": true}} {
		for _, link := range []string{"primary", "extended"} {
			r := env.postAction("HV01", "olga", vmExtended, link, "reset-statistics", payload)
			env.want("other action on the "+link+" relationship", r, 409, "busy")
			if r.header.Get("Retry-After") != "5" || r.json["job"] != started.header.Get("Location") {
				t.Errorf("the response does not name the job, or has no Retry-After: %v %s", r.header, r)
			}
		}
	}
	view := env.get("HV01", "omar", env.replicaPath(vmExtended, "primary"))
	if got, _ := view.json["allowed_operations"].([]any); !slices.Equal(got, []any{"suspend"}) {
		t.Errorf("allowed_operations is %v, want [suspend]", got)
	}
	env.want("action on another VM",
		env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", object{"dry_run": true}), 200, "")
	for _, payload := range []object{{"dry_run": true}, {}} {
		if r := env.postAction("HV01", "tim", vmExtended, "primary", "suspend", payload); r.code >= 300 {
			t.Errorf("suspend %v: %s", payload, r)
		}
	}
	env.clock.Advance(time.Hour)
	env.want("action after the job",
		env.postAction("HV01", "tim", vmExtended, "extended", "test-connection", nil), 202, "")
}

// A call blocks even a suspend of its VM until it is stuck, that is for more than 30 seconds. After that it blocks only
// actions that could collide with what it started.
func TestCallLocksItsVMUntilItIsStuck(t *testing.T) {
	env := newTestEnv(t)
	release := env.blockedCall(func() response {
		return env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil)
	})
	const stuck = "has not answered"
	for _, age := range []time.Duration{0, 30 * time.Second} {
		env.clock.Advance(age)
		for _, action := range []string{"suspend", "test-connection"} {
			r := env.postAction("HV01", "tim", vmReplicating, "primary", action, nil)
			env.want(action+" during the call", r, 409, "busy")
			if strings.Contains(r.text, stuck) {
				t.Errorf("the call counts as stuck: %s", r)
			}
		}
	}
	env.clock.Advance(time.Nanosecond)
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil)
	env.want("test-connection during the stuck call", r, 409, "busy")
	if !strings.Contains(r.text, stuck) {
		t.Errorf("the call does not count as stuck: %s", r)
	}
	env.want("dry run of test-connection during the stuck call",
		env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", object{"dry_run": true}), 409, "busy")
	env.want("suspend during the stuck call",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 202, "")
	env.want("end of the call", release(), 202, "")
	env.clock.Advance(time.Hour)
	env.want("action after the call",
		env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil), 202, "")
}

// A call counts from the time at which it has locked the VM, however long the plan took.
func TestCallCountsFromItsLock(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if _, ok := dst.(*[]msvm.ReplicationService); ok {
			env.clock.Advance(20 * time.Second)
		}
	}
	release := env.blockedCall(func() response {
		return env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil)
	})
	env.hosts["HV01"].pool.onRead = nil
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend 40 s after the request, 20 s after its lock", r, 409, "busy")
	if !strings.Contains(r.text, "since 2026-11-22T12:00:20Z") {
		t.Errorf("the response does not have the time of the lock: %s", r)
	}
	env.want("end of the call", release(), 202, "")
}

// A clock that goes back makes no call stuck and no Idempotency-Key new.
func TestClockThatGoesBackUnlocksNothing(t *testing.T) {
	env := newTestEnv(t)
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	release := env.blockedCall(func() response { return env.keyed("tim", "key", suspend, nil) })
	env.clock.Advance(-time.Hour)
	env.want("same action", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 409, "busy")
	env.want("same key", env.keyed("tim", "key", suspend, nil), 409, "idempotency-conflict")
	first := release()
	env.want("first request", first, 202, "")
	env.clock.Advance(-48 * time.Hour)
	env.wantReplay("same key after the call", env.keyed("tim", "key", suspend, nil), first)
}

// The limit of actions counts each call and each running job once. It does not apply to failovers and to actions that
// pause or cancel a job.
func TestMaxActions(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.MaxActions = 2 })
	release := env.blockedCall(func() response {
		return env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil)
	})
	second := env.postAction("HV01", "tim", 2, "primary", "test-connection", nil)
	env.want("second action, during the call of the first one", second, 202, "")
	full := func(what string) {
		t.Helper()
		for _, payload := range []any{nil, object{"dry_run": true}} {
			r := env.postAction("HV01", "tim", 3, "primary", "test-connection", payload)
			env.want(what, r, http.StatusServiceUnavailable, "too-many-actions")
			if r.header.Get("Retry-After") != "10" {
				t.Errorf("%s: Retry-After is %q, want 10", what, r.header.Get("Retry-After"))
			}
		}
	}
	full("third action")
	env.want("first action", release(), 202, "")
	full("third action while two jobs run")
	for action, user := range map[string]string{"reset-statistics": "olga", "remove": "omar"} {
		env.want(action, env.postAction("HV01", user, 3, "primary", action, nil),
			http.StatusServiceUnavailable, "too-many-actions")
	}
	env.want("failover", env.postConfirmed("HV01", "fred", vmInbound, "failover", nil), 202, "")
	env.want("suspend", env.postAction("HV01", "tim", vmResyncing, "primary", "suspend", nil), 202, "")
	env.clock.Advance(time.Hour)
	env.get("HV01", "vic", apiJobs) // as the background refresh does
	for vm := 22; vm < 24; vm++ {
		env.want("action after the jobs", env.postAction("HV01", "tim", vm, "primary", "test-connection", nil), 202, "")
	}
	full("third action, again")
}

// By default 32 actions can be in progress.
func TestActionsInProgressByDefault(t *testing.T) {
	env := newTestEnvWith(t, 80, []string{"HV01"}, nil)
	started := 0
	for vm := 22; vm < len(env.vms); vm++ {
		switch r := env.postAction("HV01", "tim", vm, "primary", "test-connection", nil); r.slug() {
		case "":
			started++
		case "too-many-actions":
			if started != 32 {
				t.Errorf("%d actions are in progress, want 32", started)
			}
			return
		}
	}
	t.Errorf("no limit after %d actions", started)
}

// A job that has ended does not count, although nobody has asked for it since.
func TestEndedJobsDoNotCount(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.MaxActions = 1 })
	env.want("first action", env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil), 202, "")
	env.clock.Advance(time.Hour)
	env.want("dry run after the job",
		env.postAction("HV01", "tim", 2, "primary", "test-connection", object{"dry_run": true}), 200, "")
	env.want("action after the job", env.postAction("HV01", "tim", 2, "primary", "test-connection", nil), 202, "")
	env.want("action during the job", env.postAction("HV01", "tim", 3, "primary", "test-connection", nil),
		http.StatusServiceUnavailable, "too-many-actions")
}

// A scheduled job neither locks its VM nor counts as an action in progress. Only a scheduled resynchronization prevents
// another one.
func TestScheduledJobLocksNothing(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.MaxActions = 1 })
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	at := object{"parameters": object{"StartTime": env.clock.Now().Add(time.Hour).Format(time.RFC3339)}}
	env.want("scheduled initial replication",
		env.postAction("HV01", "tim", vmNotStarted, "primary", "start-initial-replication", at), 202, "")
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.want("scheduled resynchronization", env.postConfirmed("HV01", "olga", vmReplicating, "resynchronize", at), 202, "")
	at["dry_run"] = true
	env.want("dry run of a second scheduled resynchronization",
		env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize", at), 409, "resynchronization-running")
	env.get("HV01", "vic", apiJobs) // as the background refresh does
	env.want("dry run of another scheduled initial replication",
		env.postAction("HV01", "tim", vmNotStarted, "primary", "start-initial-replication", at), 200, "")
	env.want("other action on the VM",
		env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil), 202, "")
}

// While the call of a resynchronization is in progress, no other resynchronization begins.
func TestCallOfResynchronizationExcludesOthers(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	first := env.postAction("HV01", "olga", vmReplicating, "primary", "resynchronize", nil)
	second := env.confirmation("HV01", vmReplicating, first, nil)
	release := env.blockedCall(func() response {
		return env.postAction("HV01", "olga", vmReplicating, "primary", "resynchronize", second)
	})
	for _, r := range []response{
		env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize", nil),
		env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize", object{"dry_run": true}),
		env.postAction("HV01", "olga", vmResyncPaused, "primary", "resume", nil),
	} {
		env.want("second resynchronization", r, 409, "resynchronization-running")
		if r.header.Get("Retry-After") != "10" {
			t.Errorf("Retry-After is %q, want 10", r.header.Get("Retry-After"))
		}
	}
	env.want("other action on another VM",
		env.postAction("HV01", "olga", vmResyncRequired, "primary", "reset-statistics", nil), 409, "confirmation-required")
	env.want("first resynchronization", release(), 202, "")
}

// A running resynchronization excludes others after a restart, even if the host does not show its state.
func TestResynchronizationExcludesOthersAfterRestart(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	const job = "00000000-0000-0000-0000-000000000001"
	env.hosts["HV01"].pool.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Code: wmiquery.CodeJobStarted, Job: msvm.JobRef(job)}, nil
	}
	env.want("first resynchronization", env.postConfirmed("HV01", "olga", vmReplicating, "resynchronize", nil), 202, "")
	env.restartEndpoint("HV01")
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
			*rows = append(*rows, msvm.ConcreteJob{InstanceID: job, JobState: new(msvm.JobRunning)})
		}
	}
	r := env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize", nil)
	env.want("second resynchronization", r, 409, "resynchronization-running")
	if r.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After is %q, want 60", r.header.Get("Retry-After"))
	}
}

// The job that deletes a test VM locks the replica until it ends, also after a restart.
func TestDeletionOfTestVMLocksTheReplica(t *testing.T) {
	env := newTestEnv(t)
	test := env.testVMOf("HV01", vmWithTestVM)
	payload := object{"parameters": object{"AffectedSystem": test}}
	first := env.postMethod("HV01", "omar", "DestroySystem", payload)
	env.want("first request", first, 409, "confirmation-required")
	second := env.confirmation("HV01", vmWithTestVM, first, payload)
	second["vm_name"] = "radius01 - Test"
	started := env.postMethod("HV01", "omar", "DestroySystem", second)
	env.want("deletion of the test VM", started, 202, "")
	if started.json["vm_id"] != test || started.json["claimed_vm_id"] != env.vms[vmWithTestVM] {
		t.Errorf("the job is not about the test VM %s, or does not lock its replica: %s", test, started)
	}
	for range 2 {
		env.want("action on the replica",
			env.postAction("HV01", "olga", vmWithTestVM, "primary", "reset-statistics", nil), 409, "busy")
		env.want("failover of the replica",
			env.postAction("HV01", "fred", vmWithTestVM, "primary", "failover", nil), 409, "busy")
		env.restartEndpoint("HV01")
	}
	env.waitForJob("deletion", "HV01", started, "succeeded")
	env.want("action on the replica after the job",
		env.postAction("HV01", "olga", vmWithTestVM, "primary", "reset-statistics", nil), 409, "confirmation-required")
}

// Methods about the host exclude each other, but not actions on VMs.
func TestMethodLocksTheHost(t *testing.T) {
	env := newTestEnv(t)
	modify := func() response {
		return env.postMethod("HV01", "omar", "ModifyServiceSettings",
			object{"parameters": object{"SettingData": object{"MonitoringInterval": 7200}}})
	}
	suspended := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("action on a VM", suspended, 202, "")
	second := func(when string) {
		t.Helper()
		r := modify()
		env.want(when, r, 409, "busy")
		if !strings.Contains(r.text, "host: another action") {
			t.Errorf("%s: the response does not name the host: %s", when, r)
		}
	}
	release := env.blockedCall(modify)
	second("second method during the call of the first one")
	env.want("action on a VM during the call",
		env.postAction("HV01", "tim", 3, "primary", "suspend", object{"dry_run": true}), 200, "")
	env.want("method about the host, while a job of a VM runs", release(), 202, "")
	second("second method while the job of the first one runs")
	env.want("action on a VM while the job runs", env.postAction("HV01", "tim", 2, "primary", "suspend", nil), 202, "")
	env.clock.Advance(time.Hour)
	env.want("method about the host after the job", modify(), 202, "")
}
