package admin

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is refused before anything is looked at, shown over real requests.
func TestAccess(t *testing.T) {
	l := newLab(t)
	suspend := l.replica(healthy, "primary") + "/actions/suspend"
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
		{"operator fails over", "olga", "POST", l.replica(healthy, "primary") + "/actions/prepare-failover", nil, nil, 403, "forbidden"},
		{"no destructive switch", "tim", "POST", l.replica(healthy, "primary") + "/actions/reset-statistics", nil, nil, 403, "forbidden"},
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
		{"no verb", "olga", "POST", l.replica(healthy, "primary") + "/actions/explode", nil, nil, 404, "not-found"},
		{"no link", "olga", "POST", l.replica(healthy, "third") + "/actions/suspend", nil, nil, 404, "not-found"},
		{"no VM", "olga", "POST", "/api/v1/replicas/00000000-0000-0000-0000-000000000000/primary/actions/suspend", nil, nil, 404, "not-found"},
		{"a name is no VM", "olga", "POST", "/api/v1/replicas/mail01/primary/actions/suspend", nil, nil, 404, "not-found"},
		{"unknown field", "olga", "POST", suspend, m{"force": true}, nil, 400, "bad-request"},
		{"unknown parameter", "olga", "POST", suspend, m{"parameters": m{"RequestedState": 4}}, nil, 400, "invalid-parameter"},
		{"twice", "olga", "POST", suspend, `{"dry_run": true, "dry_run": false}`, nil, 400, "bad-request"},
		{"twice in another case", "olga", "POST", suspend, `{"dry_run": true, "DRY_RUN": false}`, nil, 400, "bad-request"},
		{"two bodies", "olga", "POST", suspend, `{} {}`, nil, 400, "bad-request"},
		{"an array", "olga", "POST", suspend, `[]`, nil, 400, "bad-request"},
		{"no JSON", "olga", "POST", suspend, `{"dry_run": `, nil, 400, "bad-request"},
		{"odd query", "olga", "POST", suspend + "?dry_run=yes", nil, nil, 400, "bad-request"},
		{"other query", "olga", "POST", suspend + "?force=true", nil, nil, 400, "bad-request"},
		{"no such state", "olga", "POST", suspend, m{"expected_state": "fine"}, nil, 400, "bad-request"},
		{"too large", "olga", "POST", suspend, m{"reason": strings.Repeat("x", maxBody)}, nil, 413, "too-large"},
		{"reload by a viewer", "vic", "POST", "/-/reload", nil, nil, 403, "forbidden"},
	} {
		l.want(tt.name, l.do("HV01", tt.user, tt.method, tt.path, tt.body, tt.headers...), tt.code, tt.slug)
	}
	if n := l.hosts["HV01"].pool.called(); n > 0 {
		t.Errorf("%d calls were made", n)
	}
	for _, line := range l.audited("HV01") {
		if line.Event == auditIntent {
			t.Errorf("an intent: %+v", line)
		}
	}
}

// Too many requests of one address, and too many actions of one user, are refused
// for a while.
func TestRateLimit(t *testing.T) {
	l := newLab(t, func(o *Options) { o.RequestRate, o.RequestBurst, o.ActionRate, o.ActionBurst = 1, 30, 1, 2 })
	for range 2 {
		l.want("one", l.act("HV01", "tim", healthy, "primary", "suspend", m{"dry_run": true}), 200, "")
	}
	r := l.act("HV01", "tim", healthy, "primary", "suspend", m{"dry_run": true})
	l.want("one more", r, http.StatusTooManyRequests, "rate-limited")
	if r.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come again")
	}
	l.want("another user", l.act("HV01", "olga", healthy, "primary", "suspend", m{"dry_run": true}), 200, "")
	for range 40 {
		r = l.get("HV01", "vic", "/api/v1/methods")
	}
	l.want("too many", r, http.StatusTooManyRequests, "rate-limited")
	l.clock.Advance(time.Minute)
	l.want("later", l.get("HV01", "vic", "/api/v1/methods"), 200, "")
}

// Without a policy file everybody may look, and nobody may do more.
func TestNoPolicy(t *testing.T) {
	l := newLab(t, func(o *Options) { o.PolicyFile, o.WebConfigFile = "", "" })
	l.want("look", l.get("HV01", "", "/api/v1/replicas"), 200, "")
	l.want("act", l.act("HV01", "", healthy, "primary", "suspend", nil), 403, "forbidden")
	l.want("a password proves nothing here", l.act("HV01", "omar", healthy, "primary", "suspend", nil), 403, "forbidden")
	l.want("reload", l.do("HV01", "", "POST", "/-/reload", nil), 403, "forbidden")
	l.want("a method that reads", l.do("HV01", "", "POST", "/api/v1/methods/GetSystemCertificates", nil), 200, "")
	l.want("a method", l.do("HV01", "", "POST", "/api/v1/methods/StartService", nil), 403, "forbidden")
}

func TestPolicy(t *testing.T) {
	l := newLab(t)
	name := l.name("HV01", healthy)
	l.write(l.policy, fmt.Sprintf(`
rules:
  - {users: [vic], role: viewer}
  - {users: [olga], role: operator, vms: '%s'}
  - {users: [tim], role: operator, methods: [suspend]}
  - {users: [fred], role: operator, methods: [RequestReplicationStateChangeEx], vms: '(?i)%s'}
  - {users: [fred], role: failover, methods: [CommitFailover], destructive: true}
  - {users: [omar], role: owner}
`, l.vms[healthy], name))
	l.hosts["HV01"].server.Reload()
	dry := m{"dry_run": true}
	for _, tt := range []struct {
		user string
		vm   int
		verb string
		code int
	}{
		{"olga", healthy, "suspend", 200},
		{"olga", inboundVM, "suspend", 403},
		{"tim", healthy, "suspend", 200},
		{"tim", inboundVM, "suspend", 200},
		{"tim", healthy, "test-connection", 403},
		{"fred", healthy, "suspend", 200},
		{"fred", inboundVM, "suspend", 403},
		{"fred", healthy, "test-connection", 403},
		{"fred", healthy, "failover", 403},
		{"omar", healthy, "suspend", 200},
		{"omar", healthy, "remove", 403}, // destroys
	} {
		if r := l.act("HV01", tt.user, tt.vm, "primary", tt.verb, dry); r.code != tt.code {
			t.Errorf("%s %s: %s, want %d", tt.user, tt.verb, r, tt.code)
		}
	}
	l.want("another VM cannot be seen", l.get("HV01", "olga", l.replica(inboundVM, "primary")), 403, "forbidden")
	if all, _ := l.get("HV01", "olga", apiReplicas).json["replicas"].([]any); len(all) != 1 {
		t.Errorf("%d replicas are listed, want 1", len(all))
	}
	l.want("the host is no VM", l.do("HV01", "olga", "POST", "/api/v1/methods/GetSystemCertificates", nil), 403, "forbidden")
}

// An invalid policy is kept out, and says why.
func TestReload(t *testing.T) {
	l := newLab(t)
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
		l.write(l.policy, tt.text)
		r := l.do("HV01", "omar", "POST", "/-/reload", nil)
		l.want(tt.text, r, 400, "invalid-parameter")
		if !strings.Contains(r.text, tt.want) {
			t.Errorf("%s: no %q in %s", tt.text, tt.want, r)
		}
		l.want("the old one stays", l.act("HV01", "tim", healthy, "primary", "suspend", m{"dry_run": true}), 200, "")
	}
	l.write(l.policy, "rules: [{users: [omar], role: owner}]")
	l.want("a good one", l.do("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	l.want("counts", l.act("HV01", "tim", healthy, "primary", "suspend", m{"dry_run": true}), 403, "forbidden")
	l.write(filepath.Join(filepath.Dir(l.policy), "web.yml"), "basic_auth_users: {}\n")
	l.want("a web config without users", l.do("HV01", "omar", "POST", "/-/reload", nil), 400, "invalid-parameter")
	l.want("is not taken for one that lets in", l.get("HV01", "", apiReplicas), 401, "unauthenticated")
}

func TestCheckAddress(t *testing.T) {
	users := map[string]string{"a": "b"}
	for _, tt := range []struct {
		address string
		config  WebConfig
		ok      bool
	}{
		{"127.0.0.1:10484", WebConfig{}, true},
		{"[::1]:10484", WebConfig{}, true},
		{"localhost:10484", WebConfig{}, true},
		{":10484", WebConfig{}, false},
		{"0.0.0.0:10484", WebConfig{}, false},
		{"[::]:10484", WebConfig{}, false},
		{"10.0.0.1:10484", WebConfig{}, false},
		{"hv01:10484", WebConfig{}, false},
		{"localhost.evil.example:10484", WebConfig{}, false},
		{"10.0.0.1:10484", WebConfig{TLS: true}, false},
		{"10.0.0.1:10484", WebConfig{Users: users}, false},
		{"10.0.0.1:10484", WebConfig{TLS: true, Users: users}, true},
		{"10.0.0.1:10484", WebConfig{TLS: true, Certificates: true}, true},
		{"10484", WebConfig{TLS: true, Users: users}, false},
	} {
		if err := tt.config.CheckAddress(tt.address); (err == nil) != tt.ok {
			t.Errorf("%s with %+v: %v", tt.address, tt.config, err)
		}
	}
}

// A certificate counts only if it was verified.
func TestSubject(t *testing.T) {
	certificate := &x509.Certificate{Subject: pkix.Name{CommonName: "ops", Organization: []string{"Contoso"}}}
	a := newAuthenticator(WebConfig{TLS: true, Certificates: true})
	for _, tt := range []struct {
		state *tls.ConnectionState
		want  string
	}{
		{nil, ""},
		{&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}, ""},
		{&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}, VerifiedChains: [][]*x509.Certificate{{certificate}}}, "CN=ops,O=Contoso"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.TLS = tt.state
		if c, err := a.identify(r); c.Subject != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %v, %v", tt.state, c, err)
		}
	}
	p, err := parsePolicy([]byte("rules: [{subjects: ['CN=ops,O=Contoso'], role: failover}]"))
	if err != nil {
		t.Fatal(err)
	}
	p.file = "policy.yml"
	if p.refuses(caller{Subject: "CN=ops,O=Contoso"}, deed{needs: failover}) != nil {
		t.Error("the subject is refused")
	}
	if p.refuses(caller{User: "CN=ops,O=Contoso"}, deed{needs: viewer}) == nil || p.refuses(caller{}, deed{needs: viewer}) == nil {
		t.Error("a user is taken for a subject, or nobody for somebody")
	}
}
