package admin

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// onSecondRead calls a function with each row that the second and later reads of a class return. The first read is that
// of the plan, the second one that of the check under the lock.
func onSecondRead[T any](s *spy, change func(*T)) {
	reads := 0
	s.onRead = func(dst any) {
		rows, ok := dst.(*[]T)
		if !ok {
			return
		}
		if reads++; reads > 1 {
			for i := range *rows {
				change(&(*rows)[i])
			}
		}
	}
}

// Everything that can change between the plan and the call is checked again under the lock. A refused request calls
// nothing, and does not leave the VM locked.
func TestChangesDuringRequestAreNoticed(t *testing.T) {
	suspended := func(r *msvm.ReplicationRelationship) { r.ReplicationState = new(msvm.Suspended) }
	for _, tt := range []struct {
		name   string
		change func(*testEnv, *spy)
		user   string
		action string
		body   object
		code   int
		slug   string
	}{
		{
			"emergency stop", func(env *testEnv, s *spy) {
				onSecondRead(s, func(*msvm.ReplicationService) {
					env.writeFile(env.policy, "read_only: true\n"+fullPolicy)
					env.hosts["HV01"].server.reloadIfChanged()
				})
			}, "tim", "suspend", object{}, 403, "forbidden",
		},
		{
			"state, which the action does not allow", func(_ *testEnv, s *spy) { onSecondRead(s, suspended) },
			"tim", "suspend",
			object{},
			409, "invalid-state",
		},
		{
			"expected state", func(_ *testEnv, s *spy) { onSecondRead(s, suspended) },
			"tim", "test-connection",
			object{"expected_state": "replicating"},
			412, "precondition-failed",
		},
		{
			"expected mode", func(_ *testEnv, s *spy) {
				onSecondRead(s, func(c *msvm.ComputerSystem) { c.ReplicationMode = new(msvm.ModeReplica) })
			},
			"tim", "suspend",
			object{"expected_mode": "primary"},
			412, "precondition-failed",
		},
		{
			"power", func(env *testEnv, s *spy) {
				if err := env.world.SetPower(env.vms[vmReplicating], "HV01", false); err != nil {
					env.Fatal(err)
				}
				onSecondRead(s, func(c *msvm.ComputerSystem) { c.EnabledState = new(msvm.EnabledOn) })
			}, "fred", "prepare-failover", object{}, 409, "invalid-state",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := newTestEnv(t)
			spy := env.hosts["HV01"].pool
			tt.change(env, spy)
			env.want("request", env.postAction("HV01", tt.user, vmReplicating, "primary", tt.action, tt.body),
				tt.code, tt.slug)
			if n := spy.callCount(); n > 0 {
				t.Errorf("%d calls, want 0", n)
			}
			for _, line := range env.auditRecords("HV01") {
				if line.Event == audit.Intent {
					t.Errorf("unexpected audit record: %+v", line)
				}
			}
			spy.onRead = nil
			env.writeFile(env.policy, fullPolicy)
			env.hosts["HV01"].server.reloadIfChanged()
			env.want("next request", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 202, "")
		})
	}
}

// A request locks its VM, or the host, before it checks the state that its call relies on.
func TestLockIsTakenBeforeTheChecks(t *testing.T) {
	for name, send := range map[string]func(*testEnv) response{
		"VM": func(env *testEnv) response {
			return env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
		},
		"host": func(env *testEnv) response {
			return env.postMethod("HV01", "omar", "ModifyServiceSettings",
				object{"parameters": object{"SettingData": object{"MonitoringInterval": 7200}}})
		},
	} {
		env := newTestEnv(t)
		spy := env.hosts["HV01"].pool
		checking, hold, done := make(chan struct{}), make(chan struct{}), make(chan response)
		var reads atomic.Int32
		spy.onRead = func(dst any) {
			if _, ok := dst.(*[]msvm.ReplicationService); ok && reads.Add(1) == 2 {
				close(checking)
				<-hold
			}
		}
		go func() { done <- send(env) }()
		<-checking
		env.want(name+": second request during the checks of the first one", send(env), 409, "busy")
		if n := spy.callCount(); n > 0 {
			t.Errorf("%s: %d calls, want 0", name, n)
		}
		close(hold)
		env.want(name+": first request", <-done, 202, "")
	}
}

// A token does not confirm an action if the state changes between the plan and the call.
func TestTokenConfirmsTheStateUnderTheLock(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV02"].pool
	first := env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", nil)
	second := env.confirmation("HV02", vmReplicating, first, nil)
	onSecondRead(spy, func(r *msvm.ReplicationRelationship) { r.ReplicationState = new(msvm.Critical) })
	env.want("confirmation", env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", second),
		409, "confirmation-invalid")
	if n := spy.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}

// A test VM that becomes the test VM of another replica during the request is not deleted: its replica is not locked.
func TestTestVMOfAnotherReplicaIsNotDeleted(t *testing.T) {
	env := newTestEnv(t)
	payload := object{"parameters": object{"AffectedSystem": env.testVMOf("HV01", vmWithTestVM)}}
	onSecondRead(env.hosts["HV01"].pool, func(d *msvm.ReplicaSystemDependency) {
		d.Antecedent = msvm.VMRef(env.vms[vmInbound])
	})
	env.want("deletion", env.postMethod("HV01", "omar", "DestroySystem", payload), 409, "invalid-state")
}

// The lock of a call that the host rejects, or answers without a job, is released with the response.
func TestLockIsReleasedWithTheResponse(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	for _, code := range []uint32{0, 32775, 32773, 32770} { // completed, invalid state, invalid parameter, busy
		for range 2 {
			spy.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) { return wmiquery.Reply{Code: code}, nil }
			r := env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil)
			if r.slug() == "busy" {
				t.Errorf("return code %d: the VM is locked: %s", code, r)
			}
		}
	}
	if n := spy.callCount(); n != 8 {
		t.Errorf("%d calls, want 8", n)
	}
}

// A client that disconnects does not cancel the call of the host.
func TestClientThatDisconnectsDoesNotCancelTheCall(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	block, left := make(chan struct{}), make(chan error, 1)
	spy.setBlock(block)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost,
		env.hosts["HV01"].http.URL+env.replicaPath(vmReplicating, "primary")+"/actions/suspend", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("tim", password)
	req.Header.Set("Content-Type", "application/json")
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		left <- err
	}()
	<-spy.called
	cancel()
	if err := <-left; err == nil {
		t.Fatal("the request was answered")
	}
	close(block)
	env.hosts["HV01"].server.calls.Wait()
	env.clock.Advance(time.Minute)
	if jobs, _ := env.get("HV01", "vic", apiJobs).json["jobs"].([]any); len(jobs) != 1 ||
		jobs[0].(object)["state"] != "succeeded" {
		t.Errorf("the jobs are %v, want one that succeeded", jobs)
	}
}
