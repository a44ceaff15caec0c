package admin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// A call that never returns blocks other actions on its VM, except those that stop what it may have started.
func TestStuckCallCanBeStopped(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.CallTimeout = time.Nanosecond })
	spy := env.hosts["HV01"].pool
	block := make(chan struct{})
	spy.block = block
	stuck := env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil)
	env.want("call that gets stuck", stuck, 202, "")
	env.clock.Advance(time.Hour)
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil)
	env.want("another action", r, 409, "busy")
	if !strings.Contains(r.text, "test-connection since 2026-11-22T12:00:00Z, which the host has not answered") ||
		r.json["job"] != stuck.header.Get("Location") {
		t.Errorf("the response does not name the stuck call: %s", r)
	}
	spy.mu.Lock()
	spy.block = nil
	spy.mu.Unlock()
	r = env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", r, 202, "")
	close(block)
	env.hosts["HV01"].server.calls.Wait()
	env.waitForJob("suspend", "HV01", r, "succeeded")
}

// The classes of a snapshot are read concurrently.
func TestSnapshotReadsConcurrently(t *testing.T) {
	env := newTestEnv(t)
	const classes = 5
	var reading atomic.Int32
	concurrent := make(chan struct{})
	env.hosts["HV01"].pool.onRead = func(any) {
		if reading.Add(1) == classes {
			close(concurrent)
		}
		select {
		case <-concurrent:
		case <-time.After(20 * time.Second):
			t.Error("the reads are not concurrent")
		}
	}
	env.want("read", env.get("HV01", "vic", apiReplicas), 200, "")
}

// The outcome of a call is unknown if its answer is lost. The call is not repeated.
func TestLostAnswerIsUnknownOutcome(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	spy.err = wmiquery.ErrUnavailable
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil, headerIdempotencyKey, "k")
	env.want("lost connection", r, 503, "outcome-unknown")
	if j := env.get("HV01", "vic", r.json["job"].(string)); j.json["state"] != "unknown" {
		t.Errorf("the job is %s", j)
	}
	env.want("same key again", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil,
		headerIdempotencyKey, "k"), 503, "outcome-unknown")
	if n := spy.callCount(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	spy.err = errors.New("unexpected")
	env.want("unexpected error", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil),
		503, "outcome-unknown")
	spy.panics = true
	env.want("panic", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 503, "outcome-unknown")
	spy.panics = false
	spy.err = wmiquery.ErrDenied
	env.want("access denied", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil),
		403, "access-denied")
}

// A request does not wait for a call that hangs. The VM stays locked, and the outcome is recorded when the call
// returns.
func TestHungCallIsAnsweredInTime(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.CallTimeout = time.Nanosecond })
	spy := env.hosts["HV01"].pool
	spy.block = make(chan struct{})
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", r, 202, "")
	if r.json["state"] != "queued" {
		t.Errorf("the response is %s", r)
	}
	env.want("another action on the VM",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 409, "busy")
	env.want("action on another VM",
		env.postAction("HV01", "tim", 2, "primary", "suspend", object{"dry_run": true}), 200, "")
	close(spy.block)
	env.hosts["HV01"].server.calls.Wait()
	env.waitForJob("suspend", "HV01", r, "succeeded")
}

// Some return codes leave open whether the call took effect.
func TestReturnCodesOfUnknownOutcome(t *testing.T) {
	for _, code := range []uint32{wmiquery.CodeStatusUnknown, wmiquery.CodeTimeout} {
		env := newTestEnv(t)
		env.hosts["HV01"].pool.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
			return wmiquery.Reply{Code: code}, nil
		}
		r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
		env.want("suspend", r, 503, "outcome-unknown")
		if j := env.get("HV01", "vic", r.json["job"].(string)); j.json["state"] != "unknown" {
			t.Errorf("code %d: the job is %s", code, j)
		}
	}
}

// A job of which the host does not tell the path has an unknown outcome.
func TestJobWithoutPathIsUnknown(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV01"].pool.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Code: 4096}, nil
	}
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", r, 202, "")
	if j := env.get("HV01", "vic", r.header.Get("Location")); j.json["state"] != "unknown" || j.json["error"] == nil {
		t.Errorf("the job is %s, want the state unknown with an error", j)
	}
	env.want("next action", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 202, "")
}

// By default a request waits 30 seconds for the answer of the host. Then it is answered as accepted.
func TestRequestWaits30SecondsForTheHost(t *testing.T) {
	folder := tempDir(t)
	policy, web := filepath.Join(folder, "policy.yml"), filepath.Join(folder, "web.yml")
	for file, text := range map[string]string{
		policy: fullPolicy, web: "basic_auth_users:\n  tim: " + passwordHash() + "\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		world, err := simulator.New(simulator.Config{Seed: 1, VMs: 1, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		pool := &spy{
			Pool: wmiquery.NewPool(wmiquery.PoolOptions{
				Open: world.OpenHost("HV01"), Now: world.Now, Workers: 1, StuckAfter: time.Minute, MaxStuck: 1,
			}),
			called: make(chan wmiquery.Call, 1), block: make(chan struct{}),
		}
		defer pool.Close()
		s, err := New(Options{
			Reader: pool, Invoker: pool, Now: time.Now, Logger: log.NewNopLogger(), Namespace: "test", PolicyFile: policy,
			WebConfigFile: web, Addresses: []string{"127.0.0.1:0"}, DataDir: filepath.Join(folder, "data"),
			WatchInterval: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), pool)
		if err != nil || len(rows) == 0 {
			t.Fatal(rows, err)
		}
		key, err := msvm.ParseKey(rows[0].InstanceID)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost,
			"http://localhost"+apiReplicas+"/"+key.VM+"/"+string(key.Link)+"/actions/suspend", nil)
		r.SetBasicAuth("tim", password)
		r.Header.Set("Content-Type", "application/json")
		w, began := httptest.NewRecorder(), time.Now()
		s.Handler().ServeHTTP(w, r)
		if waited := time.Since(began); waited != 30*time.Second || w.Code != http.StatusAccepted {
			t.Errorf("after %s: %d %s, want 202 after 30s", waited, w.Code, w.Body)
		}
		close(pool.block)
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
