package admin

import (
	"testing"
	"time"
)

// The same key and body give the same answer and no second call; another body is
// refused, as is another path.
func TestIdempotency(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	send := func(user, verb string, payload any) response {
		return env.act("HV01", user, vmReplicating, "primary", verb, payload, headerIdempotencyKey, "night shift")
	}
	first := send("tim", "suspend", object{"reason": "a"})
	env.finish("suspend", "HV01", first, "succeeded")
	again := send("tim", "suspend", object{"reason": "a"})
	if again.text != first.text || again.code != first.code || again.header.Get("Location") != first.header.Get("Location") || again.header.Get(headerReplayed) != "true" {
		t.Errorf("the answer is\n%s, it was\n%s", again, first)
	}
	env.want("another body", send("tim", "suspend", object{"reason": "b"}), 422, "idempotency-reuse")
	env.want("another action", send("tim", "resume", object{"reason": "a"}), 422, "idempotency-reuse")
	env.want("somebody else", send("olga", "suspend", object{"reason": "a"}), 409, "invalid-state")
	if n := spy.callCount(); n != 1 {
		t.Errorf("%d calls were made, want 1", n)
	}
	env.restart("HV01")
	spy = env.hosts["HV01"].pool
	if again := send("tim", "suspend", object{"reason": "a"}); again.text != first.text || spy.callCount() > 0 {
		t.Errorf("after a restart: %s, %d calls", again, spy.callCount())
	}
	env.fault("disconnected")
	if again := send("tim", "suspend", object{"reason": "a"}); again.text != first.text {
		t.Errorf("while the host is away: %s", again)
	}
	env.fault()
	env.clock.Advance(25 * time.Hour)
	env.want("a day later", send("tim", "suspend", object{"reason": "a"}), 409, "invalid-state")
	env.want("no key", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil, headerIdempotencyKey, ""), 400, "bad-request")
}

// A refusal is not kept: when its reason is gone the same request works.
func TestIdempotencyOfRefusals(t *testing.T) {
	env := newTestEnv(t)
	send := func() response {
		return env.act("HV01", "tim", vmReplicating, "primary", "resume", nil, headerIdempotencyKey, "k")
	}
	env.want("resume what runs", send(), 409, "invalid-state")
	env.finish("suspend", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.finish("resume", "HV01", send(), "succeeded")
}

// While a request is under way, and after the program stopped in the middle of it,
// the same key gives a conflict.
func TestIdempotencyUnderWay(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	spy.wait = make(chan struct{})
	done := make(chan response)
	go func() {
		done <- env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil, headerIdempotencyKey, "k")
	}()
	for spy.callCount() == 0 {
		env.get("HV01", "vic", "/api/v1/methods")
	}
	env.want("beside it", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil, headerIdempotencyKey, "k"), 409, "idempotency-conflict")
	env.want("beside it, another body", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"reason": "x"}, headerIdempotencyKey, "k"), 422, "idempotency-reuse")
	close(spy.wait)
	<-done
	s := env.hosts["HV01"].server
	key, request := hash("tim", "", "lost"), hash("POST", env.replica(vmReplicating, "primary")+"/actions/suspend", "", "")
	if err := s.store.Put(bucketResponses, key, storedResponse{Request: request, Job: "x", Created: env.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	env.want("lost", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil, headerIdempotencyKey, "lost"), 409, "idempotency-conflict")
}
