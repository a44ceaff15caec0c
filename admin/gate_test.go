package admin

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/admin/internal/audit"
)

// Requests that are rejected before the host is called.
func TestRejectedRequests(t *testing.T) {
	env := newTestEnv(t)
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
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
		{"user without a rule", "stranger", "GET", "/api/v1/replicas", nil, nil, 403, "forbidden"},
		{"user without a rule, unknown path", "stranger", "GET", "/nonsense", nil, nil, 403, "forbidden"},
		{"viewer", "vic", "GET", "/api/v1/replicas", nil, nil, 200, ""},
		{"action by a viewer", "vic", "POST", suspend, nil, nil, 403, "forbidden"},
		{"dry run by a viewer", "vic", "POST", suspend + "?dry_run=true", nil, nil, 403, "forbidden"},
		{"failover by an operator", "olga", "POST", env.replicaPath(vmReplicating, "primary") + "/actions/prepare-failover", nil, nil, 403, "forbidden"},
		{"destructive action without destructive: true", "tim", "POST", env.replicaPath(vmReplicating, "primary") + "/actions/reset-statistics", nil, nil, 403, "forbidden"},
		{"Host of another host", "olga", "GET", "/api/v1/replicas", nil, []string{"Host", "evil.example.com"}, 403, "host-not-allowed"},
		{"Host with another address", "olga", "GET", "/api/v1/replicas", nil, []string{"Host", "192.0.2.1:10484"}, 403, "host-not-allowed"},
		{"Host localhost", "olga", "GET", "/api/v1/replicas", nil, []string{"Host", "localhost:10484"}, 200, ""},
		{"cross-site request", "olga", "POST", suspend, nil, []string{"Sec-Fetch-Site", "cross-site"}, 403, "cross-origin"},
		{"request from another origin", "olga", "POST", suspend, nil, []string{"Origin", "https://evil.example.com"}, 403, "cross-origin"},
		{"form", "olga", "POST", suspend, nil, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported-media-type"},
		{"plain text", "olga", "POST", suspend, nil, []string{"Content-Type", "text/plain"}, 415, "unsupported-media-type"},
		{"action by GET", "olga", "GET", suspend, nil, nil, 405, "method-not-allowed"},
		{"DELETE", "olga", "DELETE", "/api/v1/replicas", nil, nil, 405, "method-not-allowed"},
		{"unknown path", "olga", "GET", "/metrics", nil, nil, 404, "not-found"},
		{"unknown action", "olga", "POST", env.replicaPath(vmReplicating, "primary") + "/actions/explode", nil, nil, 404, "not-found"},
		{"unknown link", "olga", "POST", env.replicaPath(vmReplicating, "third") + "/actions/suspend", nil, nil, 404, "not-found"},
		{"unknown VM", "olga", "POST", "/api/v1/replicas/00000000-0000-0000-0000-000000000000/primary/actions/suspend", nil, nil, 404, "not-found"},
		{"name instead of a GUID", "olga", "POST", "/api/v1/replicas/mail01/primary/actions/suspend", nil, nil, 404, "not-found"},
		{"unknown field", "olga", "POST", suspend, object{"force": true}, nil, 400, "bad-request"},
		{"unknown parameter", "olga", "POST", suspend, object{"parameters": object{"RequestedState": 4}}, nil, 400, "invalid-parameter"},
		{"duplicate name", "olga", "POST", suspend, `{"dry_run": true, "dry_run": false}`, nil, 400, "bad-request"},
		{"duplicate name in another case", "olga", "POST", suspend, `{"dry_run": true, "DRY_RUN": false}`, nil, 400, "bad-request"},
		{"name in another case", "olga", "POST", suspend, `{"Dry_run": true}`, nil, 400, "bad-request"},
		{"name with a long s", "olga", "POST", suspend, "{\"rea\u017fon\": \"x\"}", nil, 400, "bad-request"},
		{"duplicate name with a long s", "olga", "POST", suspend, "{\"reason\": \"x\", \"rea\u017fon\": \"y\"}", nil, 400, "bad-request"},
		{"name with a Kelvin sign", "olga", "POST", suspend, "{\"confirmation_to\u212aen\": \"x\"}", nil, 400, "bad-request"},
		{"duplicate parameter", "olga", "POST", suspend, `{"parameters": {"StartTime": null, "StartTime": null}}`, nil, 400, "bad-request"},
		{"duplicate parameter in another case", "olga", "POST", suspend, `{"parameters": {"x": 1, "X": 1}}`, nil, 400, "invalid-parameter"},
		{"blank reason", "olga", "POST", suspend, object{"reason": " \u200b\u3164\n"}, nil, 400, "bad-request"},
		{"blank reason of a cancellation", "olga", "POST", apiJobs + "/x/cancel", object{"reason": " "}, nil, 400, "bad-request"},
		{"two JSON objects", "olga", "POST", suspend, `{} {}`, nil, 400, "bad-request"},
		{"array", "olga", "POST", suspend, `[]`, nil, 400, "bad-request"},
		{"invalid JSON", "olga", "POST", suspend, `{"dry_run": `, nil, 400, "bad-request"},
		{"invalid query", "olga", "POST", suspend + "?dry_run=yes", nil, nil, 400, "bad-request"},
		{"unknown query", "olga", "POST", suspend + "?force=true", nil, nil, 400, "bad-request"},
		{"maintenance with a query", "omar", "POST", apiMaintenance + "?dry_run=true", object{
			"vm_id": env.vms[vmReplicating], "owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour),
		}, nil, 400, "bad-request"},
		{"end of maintenance with a query", "omar", "POST", apiMaintenance + "/x/end?dry_run=true", nil, nil, 400, "bad-request"},
		{"reload with a query", "omar", "POST", "/-/reload?dry_run=true", nil, nil, 400, "bad-request"},
		{"unknown expected state", "olga", "POST", suspend, object{"expected_state": "fine"}, nil, 400, "bad-request"},
		{"body too large", "olga", "POST", suspend, object{"reason": strings.Repeat("x", maxBodyBytes)}, nil, 413, "too-large"},
		{"reload by a viewer", "vic", "POST", "/-/reload", nil, nil, 403, "forbidden"},
	} {
		env.want(tt.name, env.request("HV01", tt.user, tt.method, tt.path, tt.body, tt.headers...), tt.code, tt.slug)
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	for _, line := range env.auditRecords("HV01") {
		if line.Event == audit.Intent {
			t.Errorf("unexpected audit record: %+v", line)
		}
	}
}

// Rejected requests are logged, rate-limited and without passwords. Refused reloads and announcements are in the audit
// log.
func TestRejectedRequestsAreLogged(t *testing.T) {
	var logs bytes.Buffer
	env := newTestEnv(t, func(o *Options) { o.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&logs)) })
	env.want("unknown user", env.request("HV01", "mallory", http.MethodGet, apiReplicas, nil), 401, "unauthenticated")
	for range 100 {
		env.want("wrong Host header", env.request("HV01", "tim", http.MethodGet, apiReplicas, nil, "Host", "evil.example"),
			403, "host-not-allowed")
	}
	env.want("cross-origin request",
		env.request("HV01", "tim", http.MethodPost, "/-/reload", nil, "Origin", "http://evil.example"), 403, "cross-origin")
	env.want("unknown path", env.get("HV01", "vic", "/nonsense"), 404, "not-found")
	env.want("unknown method", env.request("HV01", "vic", http.MethodDelete, apiReplicas, nil), 405, "method-not-allowed")
	text := logs.String()
	if n := strings.Count(text, "type=host-not-allowed"); n != 19 { // 20 messages at once, one for the unknown user
		t.Errorf("%d messages about 100 requests, want 19", n)
	}
	if strings.Contains(text, "type=not-found") || strings.Contains(text, "type=method-not-allowed") {
		t.Errorf("requests without a route are logged:\n%s", text)
	}
	if !strings.Contains(text, "user=mallory subject= method=GET path="+apiReplicas) ||
		strings.Contains(text, "type=cross-origin") {
		t.Errorf("the log is\n%s", text)
	}
	if strings.Contains(text, password) {
		t.Error("the log contains a password")
	}
	env.want("reload", env.request("HV01", "tim", http.MethodPost, "/-/reload", nil), 403, "forbidden")
	env.want("announcement", env.request("HV01", "vic", http.MethodPost, apiMaintenance,
		object{"owner": "vic", "reason": "x", "until": env.clock.Now().Add(time.Hour)}), 403, "forbidden")
	var refused []string
	for _, line := range env.auditRecords("HV01") {
		if line.Event == audit.Refused {
			refused = append(refused, line.User+" "+line.Action)
		}
	}
	if want := []string{"tim reload", "vic announce-maintenance"}; !slices.Equal(refused, want) {
		t.Errorf("the refusals are %q, want %q", refused, want)
	}
}
