package admin

import (
	"testing"
	"time"
)

// Requests with the same key and body get the same response and call the host once, also after a restart. Another body
// or path with the same key is refused.
func TestSameKeyReplaysTheResponse(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	send := func(user, action string, payload any) response {
		return env.postAction("HV01", user, vmReplicating, "primary", action, payload, headerIdempotencyKey, "key")
	}
	first := send("tim", "suspend", object{"reason": "a"})
	env.waitForJob("suspend", "HV01", first, "succeeded")
	again := send("tim", "suspend", object{"reason": "a"})
	env.wantReplay("again", again, first)
	env.want("another body", send("tim", "suspend", object{"reason": "b"}), 422, "idempotency-reuse")
	env.want("another action", send("tim", "resume", object{"reason": "a"}), 422, "idempotency-reuse")
	env.want("same key of another user", send("olga", "suspend", object{"reason": "a"}), 409, "invalid-state")
	if n := spy.callCount(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	env.restartEndpoint("HV01")
	spy = env.hosts["HV01"].pool
	if again := send("tim", "suspend", object{"reason": "a"}); again.text != first.text || spy.callCount() > 0 {
		t.Errorf("after a restart: %s, %d calls", again, spy.callCount())
	}
	env.setFaults("disconnected")
	if again := send("tim", "suspend", object{"reason": "a"}); again.text != first.text {
		t.Errorf("while the host is disconnected: %s", again)
	}
	env.setFaults()
	env.clock.Advance(25 * time.Hour)
	env.want("expired key", send("tim", "suspend", object{"reason": "a"}), 409, "invalid-state")
	env.want("empty key", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil, headerIdempotencyKey,
		""), 400, "bad-request")
}

// A refusal is not stored: the same request succeeds when the cause is gone.
func TestRefusalIsNotReplayed(t *testing.T) {
	env := newTestEnv(t)
	send := func() response {
		return env.postAction("HV01", "tim", vmReplicating, "primary", "resume", nil, headerIdempotencyKey, "k")
	}
	env.want("resume while replicating", send(), 409, "invalid-state")
	env.waitForJob("suspend", "HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.waitForJob("resume", "HV01", send(), "succeeded")
}
