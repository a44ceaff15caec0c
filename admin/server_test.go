package admin

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// Options that are 0 have documented defaults. All others are kept.
func TestDefaultsOfOptions(t *testing.T) {
	type values struct {
		body, call, watch         time.Duration
		actions                   int
		requestRate               float64
		requestBurst, actionBurst int
		actionRate                float64
	}
	valuesOf := func(o Options) values {
		return values{
			o.BodyTimeout, o.CallTimeout, o.WatchInterval, o.MaxActions, o.RequestRate, o.RequestBurst, o.ActionBurst,
			o.ActionRate,
		}
	}
	want := values{10 * time.Second, 30 * time.Second, 5 * time.Second, 32, 10, 100, 100, 2}
	if got := valuesOf(Options{}.withDefaults()); got != want {
		t.Errorf("the defaults are %+v, want %+v", got, want)
	}
	set := Options{
		BodyTimeout: 1, CallTimeout: 2, WatchInterval: 3, MaxActions: 4, RequestRate: 5, RequestBurst: 6, ActionRate: 7,
		ActionBurst: 8,
	}
	if got := valuesOf(set.withDefaults()); got != valuesOf(set) {
		t.Errorf("the options are %+v, want %+v", got, valuesOf(set))
	}
}

// Close writes the audit records that were kept in memory while the audit log could not be written.
func TestCloseWritesKeptRecords(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	unblock := e.blockAuditLog(env)
	env.waitForJob("suspend while the audit log cannot be written", "HV01", started, "succeeded")
	unblock()
	e.close()
	if got := env.auditRecords("HV01"); len(got) != 1 || got[0].Event != "job" || got[0].Action != "suspend" {
		t.Errorf("the audit log has %+v, want the end of the job", got)
	}
}

// Close waits for a call in progress, so that its outcome is recorded, but not longer than its context allows.
func TestCloseWaitsForCalls(t *testing.T) {
	for _, wait := range []bool{true, false} {
		env := newTestEnv(t)
		e := env.hosts["HV01"]
		e.server.options.CallTimeout = time.Nanosecond
		block := make(chan struct{})
		e.pool.setBlock(block)
		started := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
		env.want("suspend", started, 202, "")
		ctx, cancel := context.WithCancel(t.Context())
		if !wait {
			cancel()
		}
		closed := make(chan error, 1)
		e.closed = true
		go func() { closed <- e.server.Close(ctx) }()
		if wait {
			e.server.background.Wait() // Close has begun
			close(block)
		}
		select {
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			close(block)
			t.Fatalf("Close waits: %v, but does not return", wait)
		}
		env.startEndpoint("HV01", e.folder)
		j := env.get("HV01", "vic", started.header.Get("Location"))
		if got := j.json["native_job"] != nil; got != wait {
			t.Errorf("Close waits: %v, the record has the job of the host: %v, want %v: %s", wait, got, wait, j)
		}
		if !wait {
			close(block)
		}
		cancel()
	}
}

// No response can be cached, interpreted as another type, or shown in a frame.
func TestSecurityHeaders(t *testing.T) {
	env := newTestEnv(t)
	for _, r := range []response{
		env.get("HV01", "vic", apiReplicas), env.get("HV01", "", apiReplicas), env.get("HV01", "vic", "/nonsense"),
		env.request("HV01", "vic", http.MethodPost, "/-/reload", nil),
	} {
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := r.header.Get(header); got != want {
				t.Errorf("status %d: %s is %q, want %q", r.code, header, got, want)
			}
		}
	}
}
