package admin

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/filetest"
)

// keyed sends a POST request with an Idempotency-Key to HV01.
func (env *testEnv) keyed(user, key, path string, payload any, headers ...string) response {
	env.Helper()
	return env.request("HV01", user, http.MethodPost, path, payload, append(headers, "Idempotency-Key", key)...)
}

// wantReplay checks that a response is that of an earlier request.
func (env *testEnv) wantReplay(what string, r, first response) {
	env.Helper()
	if r.text != first.text || r.code != first.code || r.header.Get("Location") != first.header.Get("Location") ||
		r.header.Get("Content-Type") != first.header.Get("Content-Type") || r.header.Get("Idempotency-Replayed") != "true" {
		env.Errorf("%s: got %s %v, want a replay of %s", what, r, r.header, first)
	}
}

// A key belongs to one request: another body, query, path or endpoint with the same key is refused. That is so during
// the call of the host, after it, and after a restart. The host is called once.
func TestKeyIsBoundToTheWholeRequest(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	spy.block = make(chan struct{})
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	const body = `{"reason": "a"}`
	send := func() response { return env.keyed("omar", "key", suspend, body) }
	others := func(when string) {
		t.Helper()
		for _, tt := range []struct{ name, path, body string }{
			{"another value", suspend, `{"reason": "b"}`},
			{"another spelling", suspend, `{"reason":"a"}`},
			{"one more field", suspend, `{"reason": "a", "expected_state": "replicating"}`},
			{"no body", suspend, ""},
			{"a query", suspend + "?dry_run=false", body},
			{"another action", env.replicaPath(vmReplicating, "primary") + "/actions/test-connection", body},
			{"another relationship", env.replicaPath(vmReplicating, "extended") + "/actions/suspend", body},
			{"another VM", env.replicaPath(2, "primary") + "/actions/suspend", body},
			{
				"a GUID in lower case",
				"/api/v1/replicas/" + strings.ToLower(env.vms[vmReplicating]) + "/primary/actions/suspend", body,
			},
			{"a method", "/api/v1/methods/GetReplicationStatistics", body},
			{
				"an announcement", "/api/v1/maintenance", `{"owner": "Ada", "reason": "a", "until": "2026-11-22T13:00:00Z"}`,
			},
		} {
			env.want(when+", "+tt.name, env.keyed("omar", "key", tt.path, tt.body), 422, "idempotency-reuse")
		}
	}
	done := make(chan response)
	go func() { done <- send() }()
	<-spy.called
	r := send()
	env.want("same request during the call", r, 409, "idempotency-conflict")
	if r.header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After is %q, want 5", r.header.Get("Retry-After"))
	}
	others("during the call")
	close(spy.block)
	first := <-done
	env.want("first request", first, 202, "")
	env.wantReplay("same request", send(), first)
	others("after the call")
	env.restartEndpoint("HV01")
	env.wantReplay("same request after a restart", send(), first)
	others("after a restart")
	if n := spy.callCount() + env.hosts["HV01"].pool.callCount(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	if list, _ := env.get("HV01", "vic", apiMaintenance).json["maintenance"].([]any); len(list) > 0 {
		t.Errorf("%d announcements, want 0", len(list))
	}
}

// A key belongs to its caller. Another caller with the same key never gets the response of the first one.
func TestKeyBelongsToItsCaller(t *testing.T) {
	env := newTestEnv(t)
	users := "basic_auth_users:\n"
	for _, u := range []string{"vic", "tim", "tim2", "omar"} {
		users += "  " + u + ": " + passwordHash() + "\n"
	}
	env.writeFile(env.hosts["HV01"].server.options.WebConfigFile, users)
	env.writePolicy("rules: [{users: [tim, tim2, omar], role: operator, vms: all, host: true}, {users: [vic], role: viewer, vms: all, host: true}]")
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	spy := env.hosts["HV01"].pool
	spy.block = make(chan struct{})
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	type caller struct{ user, certificate, key string }
	send := func(c caller) response { return env.keyed(c.user, c.key, suspend, nil, headerSubject, c.certificate) }
	first := caller{"tim", "2", "2k"}
	others := []caller{
		{"omar", "2", "2k"}, // another user
		{"tim", "3", "2k"},  // another certificate
		{"tim", "", "2k"},   // no certificate
		{"tim", "2", "2K"},  // another key
		{"tim", "2", "k"},
		{"tim2", "", "2k"}, // the same characters in another order
		{"tim2", "", "k"},
		{"tim2", "2", "k"},
		{"tim", "", "CN=22k"},
		{"tim", "22", "k"},
	}
	done := make(chan response)
	go func() { done <- send(first) }()
	<-spy.called
	for _, c := range others {
		env.want("during the call", send(c), 409, "busy")
	}
	close(spy.block)
	answer := <-done
	env.waitForJob("suspend", "HV01", answer, "succeeded")
	for _, c := range others {
		env.want("after the call", send(c), 409, "invalid-state")
	}
	env.wantReplay("the same caller", send(first), answer)
}

// A response is replayed for 24 hours, also if the exporter restarts in the meantime. After that the key is new.
func TestKeyIsValidFor24Hours(t *testing.T) {
	for _, restart := range []bool{false, true} {
		env := newTestEnv(t)
		suspend := func() response {
			return env.keyed("tim", "key", env.replicaPath(vmReplicating, "primary")+"/actions/suspend", nil)
		}
		first := suspend()
		env.want("first request", first, 202, "")
		age := func(d time.Duration) {
			env.clock.Advance(d)
			if restart {
				env.restartEndpoint("HV01")
			}
		}
		age(24 * time.Hour)
		env.wantReplay("after 24 hours", suspend(), first)
		age(time.Nanosecond)
		env.want("after more than 24 hours", suspend(), 409, "invalid-state")
	}
}

// An Idempotency-Key has 1 to 255 bytes and is present once.
func TestLengthOfIdempotencyKey(t *testing.T) {
	env := newTestEnv(t)
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	for _, n := range []int{0, 256, 1000} {
		env.want("key that is not valid", env.keyed("tim", strings.Repeat("k", n), suspend, nil), 400, "bad-request")
	}
	status, body := env.sendRaw("HV01", "POST "+suspend+" HTTP/1.1\r\nHost: localhost\r\n"+
		"Authorization: Basic b2xnYTpjb3JyZWN0IGhvcnNl\r\nContent-Type: application/json\r\n"+
		"Idempotency-Key: a\r\nIdempotency-Key: a\r\nContent-Length: 0\r\n\r\n")
	if !strings.HasPrefix(status, "400") {
		t.Errorf("two keys: %s %s, want 400", status, body)
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	env.want("longest key", env.keyed("tim", strings.Repeat("k", 255), suspend, nil), 202, "")
}

// A dry run does not use a key: the request that follows with the same key is executed.
func TestDryRunDoesNotUseTheKey(t *testing.T) {
	env := newTestEnv(t)
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	env.want("dry run", env.keyed("tim", "key", suspend+"?dry_run=true", nil), 200, "")
	first := env.keyed("tim", "key", suspend, nil)
	env.want("request with the key of the dry run", first, 202, "")
	env.waitForJob("suspend", "HV01", first, "succeeded")
	env.want("dry run with a used key", env.keyed("tim", "key", suspend+"?dry_run=true", nil), 409, "invalid-state")
}

// If the exporter stops during a call, its key is answered with a conflict that names the job. The call is not
// repeated. After 24 hours the key is new.
func TestKeyOfInterruptedCallConflicts(t *testing.T) {
	env := newTestEnv(t)
	interrupted := env.hosts["HV01"]
	interrupted.pool.block = make(chan struct{})
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	done := make(chan response)
	go func() { done <- env.keyed("tim", "key", suspend, nil) }()
	<-interrupted.pool.called
	folder := filetest.Dir(t) // what a power failure leaves behind
	for _, name := range []string{"audit.jsonl", "admin.db"} {
		text, err := os.ReadFile(filepath.Join(interrupted.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		env.writeFile(filepath.Join(folder, name), string(text))
	}
	env.startEndpoint("HV01", folder)
	r := env.keyed("tim", "key", suspend, nil)
	env.want("same request", r, 409, "idempotency-conflict")
	path, _ := r.json["job"].(string)
	if j := env.get("HV01", "vic", path); j.json["state"] != "unknown" || j.json["action"] != "suspend" {
		t.Errorf("the job %q is %s", path, j)
	}
	env.want("another body", env.keyed("tim", "key", suspend, object{"reason": "x"}), 422, "idempotency-reuse")
	env.want("another user", env.keyed("olga", "key", suspend, object{"dry_run": true}), 200, "")
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	env.clock.Advance(24 * time.Hour)
	env.want("after 24 hours", env.keyed("tim", "key", suspend, nil), 409, "idempotency-conflict")
	env.clock.Advance(time.Nanosecond)
	env.want("after more than 24 hours", env.keyed("tim", "key", suspend, nil), 202, "")
	close(interrupted.pool.block)
	<-done
}

// A key is free again after its request was refused, also if another request was in progress.
func TestRefusalFreesTheKey(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	spy.block = make(chan struct{})
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	done := make(chan response)
	go func() { done <- env.keyed("tim", "first", suspend, nil) }()
	<-spy.called
	for range 2 {
		env.want("request while the VM is busy", env.keyed("tim", "second", suspend, nil), 409, "busy")
	}
	env.want("other request with the key of a refusal",
		env.keyed("tim", "second", suspend, object{"reason": "x"}), 409, "busy")
	close(spy.block)
	env.waitForJob("suspend", "HV01", <-done, "succeeded")
	resume := env.replicaPath(vmReplicating, "primary") + "/actions/resume"
	env.want("request that is possible now", env.keyed("tim", "second", resume, nil), 202, "")
}
