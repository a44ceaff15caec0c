package admin

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A caller who sends too much does not keep another one at the same address from being served. Retry-After is the time
// until the next request.
func TestRatesCountByCaller(t *testing.T) {
	env := newTestEnv(t, func(o *Options) {
		o.RequestRate, o.RequestBurst, o.ActionRate, o.ActionBurst = 0.5, 6, 0.25, 2
	})
	dryRun := func(user string) response {
		return env.postAction("HV01", user, vmReplicating, "primary", "suspend", object{"dry_run": true})
	}
	refused := func(what string, r response, retryAfter string) {
		t.Helper()
		env.want(what, r, http.StatusTooManyRequests, "rate-limited")
		if got := r.header.Get("Retry-After"); got != retryAfter {
			t.Errorf("%s: Retry-After is %q, want %s", what, got, retryAfter)
		}
	}
	for range 2 {
		env.want("action within the limit", dryRun("tim"), 200, "")
	}
	refused("third action", dryRun("tim"), "4")
	env.want("action of another user", dryRun("olga"), 200, "")
	env.clock.Advance(3500 * time.Millisecond)
	refused("action too early", dryRun("tim"), "1")
	env.clock.Advance(500 * time.Millisecond)
	env.want("action in time", dryRun("tim"), 200, "")
	for range 6 {
		env.want("reading", env.get("HV01", "vic", apiMethods), 200, "")
	}
	refused("reading too much", env.get("HV01", "vic", apiMethods), "2")
	env.want("reading of another user", env.get("HV01", "omar", apiMethods), 200, "")
	for range 10 {
		env.want("wrong password", env.get("HV01", "nobody", apiMethods), 401, "unauthenticated")
	}
	env.want("reading after wrong passwords", env.get("HV01", "omar", apiMethods), 200, "")
}

// A caller with the role failover can send two requests for each of hundreds of VMs in one go. An operator cannot.
func TestFailoverOfAWholeSite(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { // the defaults
		o.RequestRate, o.RequestBurst, o.ActionRate, o.ActionBurst = 0, 0, 0, 0
	})
	sent := func(user string) (n int) {
		for ; n < 700; n++ {
			if env.request("HV01", user, http.MethodPost, apiJobs+"/a/cancel", nil).code == http.StatusTooManyRequests {
				break
			}
		}
		return n
	}
	for user, want := range map[string]int{"fred": 700, "omar": 700, "tim": 100, "vic": 100} {
		if got := sent(user); got != want {
			t.Errorf("%s can send %d requests, want %d", user, got, want)
		}
	}
}

// Requests of a viewer that wait for a slow host leave workers for others: at most four of them read the host at a time.
func TestViewerLeavesRoomForOthers(t *testing.T) {
	env := newTestEnv(t)
	pool := env.hosts["HV01"].pool
	const requests = 12
	reading, block := make(chan struct{}, requests), make(chan struct{})
	pool.read = func(ctx context.Context, dst any) error {
		c, _ := ctx.Value(principalKey{}).(authz.Principal)
		if _, ok := dst.(*[]msvm.ReplicationService); ok && c.User == "vic" {
			reading <- struct{}{}
			<-block
		}
		return pool.Pool.Read(ctx, dst)
	}
	var viewer sync.WaitGroup
	for range requests {
		viewer.Go(func() { env.want("request of the viewer", env.get("HV01", "vic", apiReplicas), 200, "") })
	}
	for range 4 {
		<-reading
	}
	for _, user := range []string{"omar", "fred", "tim"} {
		env.want("request of "+user, env.get("HV01", user, apiReplicas), 200, "")
	}
	if n := len(reading); n > 0 {
		t.Errorf("%d requests of the viewer read the host, want 4", 4+n)
	}
	close(block)
	viewer.Wait()
}

// An action that only waits for the answer of the host keeps no request of its user waiting.
func TestCallHoldsNoSlot(t *testing.T) {
	env := newTestEnv(t)
	pool := env.hosts["HV01"].pool
	block := make(chan struct{})
	pool.setBlock(block)
	var calls sync.WaitGroup
	for i := range 4 {
		calls.Go(func() {
			env.want("call", env.postAction("HV01", "tim", 22+i, "primary", "test-connection", nil), 202, "")
		})
		<-pool.called
	}
	env.want("request during the calls", env.get("HV01", "tim", apiReplicas), 200, "")
	close(block)
	calls.Wait()
}

// There are eight slots, four for a caller. A request waits ten seconds for one.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots()
		var release []func()
		acquire := func(caller string, want bool, after time.Duration) {
			t.Helper()
			began := time.Now()
			done, ok := s.acquire(t.Context(), caller)
			if d := time.Since(began); ok != want || d != after {
				t.Errorf("a slot for %s: %v after %s, want %v after %s", caller, ok, d, want, after)
			}
			if ok {
				release = append(release, done)
			}
		}
		for range 4 {
			acquire("a", true, 0)
		}
		acquire("a", false, 10*time.Second)
		for range 4 {
			acquire("b", true, 0)
		}
		acquire("c", false, 10*time.Second)
		twice := release[0]
		time.AfterFunc(3*time.Second, func() { twice(); twice() }) // counts once
		acquire("c", true, 3*time.Second)
		time.AfterFunc(3*time.Second, release[4]) // of b
		acquire("a", true, 3*time.Second)
		time.AfterFunc(3*time.Second, release[5]) // of b
		acquire("a", false, 10*time.Second)
	})
}
