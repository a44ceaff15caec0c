package admin

import (
	"testing"
	"time"
)

// The same key and body give the same answer and no second call; another body is
// refused, as is another path.
func TestIdempotency(t *testing.T) {
	l := newLab(t)
	spy := l.hosts["HV01"].pool
	send := func(user, verb string, payload any) response {
		return l.act("HV01", user, healthy, "primary", verb, payload, headerIdempotencyKey, "night shift")
	}
	first := send("tim", "suspend", m{"reason": "a"})
	l.finish("suspend", "HV01", first, "succeeded")
	again := send("tim", "suspend", m{"reason": "a"})
	if again.text != first.text || again.code != first.code || again.header.Get("Location") != first.header.Get("Location") || again.header.Get(headerReplayed) != "true" {
		t.Errorf("the answer is\n%s, it was\n%s", again, first)
	}
	l.want("another body", send("tim", "suspend", m{"reason": "b"}), 422, "idempotency-reuse")
	l.want("another action", send("tim", "resume", m{"reason": "a"}), 422, "idempotency-reuse")
	l.want("somebody else", send("olga", "suspend", m{"reason": "a"}), 409, "invalid-state")
	if n := spy.called(); n != 1 {
		t.Errorf("%d calls were made, want 1", n)
	}
	l.restart("HV01")
	spy = l.hosts["HV01"].pool
	if again := send("tim", "suspend", m{"reason": "a"}); again.text != first.text || spy.called() > 0 {
		t.Errorf("after a restart: %s, %d calls", again, spy.called())
	}
	l.fault("disconnected")
	if again := send("tim", "suspend", m{"reason": "a"}); again.text != first.text {
		t.Errorf("while the host is away: %s", again)
	}
	l.fault()
	l.clock.Advance(25 * time.Hour)
	l.want("a day later", send("tim", "suspend", m{"reason": "a"}), 409, "invalid-state")
	l.want("no key", l.act("HV01", "tim", healthy, "primary", "suspend", nil, headerIdempotencyKey, ""), 400, "bad-request")
}

// A refusal is not kept: when its reason is gone the same request works.
func TestIdempotencyOfRefusals(t *testing.T) {
	l := newLab(t)
	send := func() response {
		return l.act("HV01", "tim", healthy, "primary", "resume", nil, headerIdempotencyKey, "k")
	}
	l.want("resume what runs", send(), 409, "invalid-state")
	l.finish("suspend", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", nil), "succeeded")
	l.finish("resume", "HV01", send(), "succeeded")
}

// While a request is under way, and after the program stopped in the middle of it,
// the same key gives a conflict.
func TestIdempotencyUnderWay(t *testing.T) {
	l := newLab(t)
	spy := l.hosts["HV01"].pool
	spy.wait = make(chan struct{})
	done := make(chan response)
	go func() { done <- l.act("HV01", "tim", healthy, "primary", "suspend", nil, headerIdempotencyKey, "k") }()
	for spy.called() == 0 {
		l.get("HV01", "vic", "/api/v1/methods")
	}
	l.want("beside it", l.act("HV01", "tim", healthy, "primary", "suspend", nil, headerIdempotencyKey, "k"), 409, "idempotency-conflict")
	l.want("beside it, another body", l.act("HV01", "tim", healthy, "primary", "suspend", m{"reason": "x"}, headerIdempotencyKey, "k"), 422, "idempotency-reuse")
	close(spy.wait)
	<-done
	s := l.hosts["HV01"].server
	key, request := hash("tim", "", "lost"), hash("POST", l.replica(healthy, "primary")+"/actions/suspend", "", "")
	if err := s.store.put(bucketAnswers, key, keptAnswer{Request: request, Job: "x", Created: l.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	l.want("lost", l.act("HV01", "tim", healthy, "primary", "suspend", nil, headerIdempotencyKey, "lost"), 409, "idempotency-conflict")
}
