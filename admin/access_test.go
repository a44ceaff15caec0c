package admin

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
)

// What is refused before anything is looked at, shown over real requests.
func TestAccess(t *testing.T) {
	env := newTestEnv(t)
	suspend := env.replica(vmReplicating, "primary") + "/actions/suspend"
	for _, tt := range []struct {
		name, user, method, path string
		body                     any
		headers                  []string
		code                     int
		slug                     string
	}{
		{"no password", "", "GET", "/api/v1/replicas", nil, nil, 401, "unauthenticated"},
		{"wrong password", "", "GET", "/api/v1/replicas", nil, []string{"Authorization", "Basic b21hcjpudWxs"}, 401, "unauthenticated"},
		{"unknown user", "nobody", "GET", "/api/v1/replicas", nil, nil, 401, "unauthenticated"},
		{"no rule", "stranger", "GET", "/api/v1/replicas", nil, nil, 403, "forbidden"},
		{"no rule, no path", "stranger", "GET", "/nonsense", nil, nil, 403, "forbidden"},
		{"viewer", "vic", "GET", "/api/v1/replicas", nil, nil, 200, ""},
		{"viewer acts", "vic", "POST", suspend, nil, nil, 403, "forbidden"},
		{"viewer dry runs", "vic", "POST", suspend + "?dry_run=true", nil, nil, 403, "forbidden"},
		{"operator fails over", "olga", "POST", env.replica(vmReplicating, "primary") + "/actions/prepare-failover", nil, nil, 403, "forbidden"},
		{"no destructive switch", "tim", "POST", env.replica(vmReplicating, "primary") + "/actions/reset-statistics", nil, nil, 403, "forbidden"},
		{"another host", "olga", "GET", "/api/v1/replicas", nil, []string{"Host", "evil.example.com"}, 403, "host-not-allowed"},
		{"another address", "olga", "GET", "/api/v1/replicas", nil, []string{"Host", "192.0.2.1:10484"}, 403, "host-not-allowed"},
		{"localhost", "olga", "GET", "/api/v1/replicas", nil, []string{"Host", "localhost:10484"}, 200, ""},
		{"another page", "olga", "POST", suspend, nil, []string{"Sec-Fetch-Site", "cross-site"}, 403, "cross-origin"},
		{"another origin", "olga", "POST", suspend, nil, []string{"Origin", "https://evil.example.com"}, 403, "cross-origin"},
		{"a form", "olga", "POST", suspend, nil, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported-media-type"},
		{"text", "olga", "POST", suspend, nil, []string{"Content-Type", "text/plain"}, 415, "unsupported-media-type"},
		{"an action by GET", "olga", "GET", suspend, nil, nil, 405, "method-not-allowed"},
		{"DELETE", "olga", "DELETE", "/api/v1/replicas", nil, nil, 405, "method-not-allowed"},
		{"no path", "olga", "GET", "/metrics", nil, nil, 404, "not-found"},
		{"no verb", "olga", "POST", env.replica(vmReplicating, "primary") + "/actions/explode", nil, nil, 404, "not-found"},
		{"no link", "olga", "POST", env.replica(vmReplicating, "third") + "/actions/suspend", nil, nil, 404, "not-found"},
		{"no VM", "olga", "POST", "/api/v1/replicas/00000000-0000-0000-0000-000000000000/primary/actions/suspend", nil, nil, 404, "not-found"},
		{"a name is no VM", "olga", "POST", "/api/v1/replicas/mail01/primary/actions/suspend", nil, nil, 404, "not-found"},
		{"unknown field", "olga", "POST", suspend, object{"force": true}, nil, 400, "bad-request"},
		{"unknown parameter", "olga", "POST", suspend, object{"parameters": object{"RequestedState": 4}}, nil, 400, "invalid-parameter"},
		{"twice", "olga", "POST", suspend, `{"dry_run": true, "dry_run": false}`, nil, 400, "bad-request"},
		{"twice in another case", "olga", "POST", suspend, `{"dry_run": true, "DRY_RUN": false}`, nil, 400, "bad-request"},
		{"two bodies", "olga", "POST", suspend, `{} {}`, nil, 400, "bad-request"},
		{"an array", "olga", "POST", suspend, `[]`, nil, 400, "bad-request"},
		{"no JSON", "olga", "POST", suspend, `{"dry_run": `, nil, 400, "bad-request"},
		{"odd query", "olga", "POST", suspend + "?dry_run=yes", nil, nil, 400, "bad-request"},
		{"other query", "olga", "POST", suspend + "?force=true", nil, nil, 400, "bad-request"},
		{"no such state", "olga", "POST", suspend, object{"expected_state": "fine"}, nil, 400, "bad-request"},
		{"too large", "olga", "POST", suspend, object{"reason": strings.Repeat("x", maxBodyBytes)}, nil, 413, "too-large"},
		{"reload by a viewer", "vic", "POST", "/-/reload", nil, nil, 403, "forbidden"},
	} {
		env.want(tt.name, env.do("HV01", tt.user, tt.method, tt.path, tt.body, tt.headers...), tt.code, tt.slug)
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls were made", n)
	}
	for _, line := range env.audited("HV01") {
		if line.Event == audit.Intent {
			t.Errorf("an intent: %+v", line)
		}
	}
}

// Too many requests of one address, and too many actions of one user, are refused
// for a while.
func TestRateLimit(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.RequestRate, o.RequestBurst, o.ActionRate, o.ActionBurst = 1, 30, 1, 2 })
	for range 2 {
		env.want("one", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
	}
	r := env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true})
	env.want("one more", r, http.StatusTooManyRequests, "rate-limited")
	if r.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come again")
	}
	env.want("another user", env.act("HV01", "olga", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
	for range 40 {
		r = env.get("HV01", "vic", "/api/v1/methods")
	}
	env.want("too many", r, http.StatusTooManyRequests, "rate-limited")
	env.clock.Advance(time.Minute)
	env.want("later", env.get("HV01", "vic", "/api/v1/methods"), 200, "")
}

// Without a policy file everybody may look, and nobody may do more.
func TestNoPolicy(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.PolicyFile, o.WebConfigFile = "", "" })
	env.want("look", env.get("HV01", "", "/api/v1/replicas"), 200, "")
	env.want("act", env.act("HV01", "", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.want("a password proves nothing here", env.act("HV01", "omar", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.want("reload", env.do("HV01", "", "POST", "/-/reload", nil), 403, "forbidden")
	env.want("a method that reads", env.do("HV01", "", "POST", "/api/v1/methods/GetSystemCertificates", nil), 200, "")
	env.want("a method", env.do("HV01", "", "POST", "/api/v1/methods/StartService", nil), 403, "forbidden")
}

func TestPolicy(t *testing.T) {
	env := newTestEnv(t)
	name := env.name("HV01", vmReplicating)
	env.write(env.policy, fmt.Sprintf(`
rules:
  - {users: [vic], role: viewer}
  - {users: [olga], role: operator, vms: '%s'}
  - {users: [tim], role: operator, methods: [suspend]}
  - {users: [fred], role: operator, methods: [RequestReplicationStateChangeEx], vms: '(?i)%s'}
  - {users: [fred], role: failover, methods: [CommitFailover], destructive: true}
  - {users: [omar], role: owner}
`, env.vms[vmReplicating], name))
	env.hosts["HV01"].server.Reload()
	dry := object{"dry_run": true}
	for _, tt := range []struct {
		user string
		vm   int
		verb string
		code int
	}{
		{"olga", vmReplicating, "suspend", 200},
		{"olga", vmInbound, "suspend", 403},
		{"tim", vmReplicating, "suspend", 200},
		{"tim", vmInbound, "suspend", 200},
		{"tim", vmReplicating, "test-connection", 403},
		{"fred", vmReplicating, "suspend", 200},
		{"fred", vmInbound, "suspend", 403},
		{"fred", vmReplicating, "test-connection", 403},
		{"fred", vmReplicating, "failover", 403},
		{"omar", vmReplicating, "suspend", 200},
		{"omar", vmReplicating, "remove", 403}, // destroys
	} {
		if r := env.act("HV01", tt.user, tt.vm, "primary", tt.verb, dry); r.code != tt.code {
			t.Errorf("%s %s: %s, want %d", tt.user, tt.verb, r, tt.code)
		}
	}
	env.want("another VM cannot be seen", env.get("HV01", "olga", env.replica(vmInbound, "primary")), 403, "forbidden")
	if all, _ := env.get("HV01", "olga", apiReplicas).json["replicas"].([]any); len(all) != 1 {
		t.Errorf("%d replicas are listed, want 1", len(all))
	}
	env.want("the host is no VM", env.do("HV01", "olga", "POST", "/api/v1/methods/GetSystemCertificates", nil), 403, "forbidden")
}

// An invalid policy is kept out, and says why.
func TestReload(t *testing.T) {
	env := newTestEnv(t)
	for _, tt := range []struct{ text, want string }{
		{"rules: [{users: [a], role: king}]", "king"},
		{"rules: [{users: [a], role: owner, methods: [Explode]}]", "Explode"},
		{"rules: [{role: owner}]", "neither users nor subjects"},
		{"rules: [{users: [''], role: owner}]", "empty"},
		{"rules: [{users: [a], role: owner, methods: []}]", "methods is empty"},
		{"rules: [{users: [a], role: owner, vms: '('}]", "missing closing"},
		{"rules: [{users: [a], role: owner, vms: 'a)|(b'}]", "unexpected )"},
		{"rules: [{users: [a], role: owner, force: true}]", "force"},
	} {
		env.write(env.policy, tt.text)
		r := env.do("HV01", "omar", "POST", "/-/reload", nil)
		env.want(tt.text, r, 400, "invalid-parameter")
		if !strings.Contains(r.text, tt.want) {
			t.Errorf("%s: no %q in %s", tt.text, tt.want, r)
		}
		env.want("the old one stays", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
	}
	env.write(env.policy, "rules: [{users: [omar], role: owner}]")
	env.want("a good one", env.do("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	env.want("counts", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 403, "forbidden")
	env.write(filepath.Join(filepath.Dir(env.policy), "web.yml"), "basic_auth_users: {}\n")
	env.want("a web config without users", env.do("HV01", "omar", "POST", "/-/reload", nil), 400, "invalid-parameter")
	env.want("is not taken for one that lets in", env.get("HV01", "", apiReplicas), 401, "unauthenticated")
}
