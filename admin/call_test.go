package admin

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
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
	const classes = 6
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
