package admin

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"

	"github.com/go-kit/log"
)

// newCertificateEnv returns an environment whose callers have a client certificate and no password. The subject CN=a
// is an operator, CN=b an owner.
func newCertificateEnv(t *testing.T, change ...func(*Options)) *testEnv {
	t.Helper()
	env := newTestEnv(t, change...)
	listener := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer listener.Close()
	pair := listener.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	web := env.hosts["HV01"].server.options.WebConfigFile
	env.writeFile(web+".cert", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	env.writeFile(web+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	env.writeFile(web, "tls_server_config: {cert_file: web.yml.cert, key_file: web.yml.key, "+
		"client_auth_type: RequireAndVerifyClientCert, client_ca_file: web.yml.cert}")
	env.writePolicy("rules: [{subjects: [CN=a], role: operator, destructive: true, vms: all, host: true}, " +
		"{subjects: [CN=b], role: owner, destructive: true, vms: all, host: true}]")
	env.hosts["HV01"].close()
	env.startEndpoint("HV01", env.hosts["HV01"].folder, change...)
	return env
}

// Each subject of a client certificate has its own rate of actions.
func TestRateLimitCountsBySubject(t *testing.T) {
	env := newCertificateEnv(t, func(o *Options) { o.ActionRate, o.ActionBurst = 1, 2 })
	dryRun := func(name string) response {
		return env.postAction("HV01", "", vmReplicating, "primary", "suspend", object{"dry_run": true}, headerSubject, name)
	}
	env.want("first action", dryRun("a"), 200, "")
	env.want("second action", dryRun("a"), 200, "")
	env.want("third action", dryRun("a"), 429, "rate-limited")
	env.want("action of another subject", dryRun("b"), 200, "")
}

// Each subject of a client certificate has its own confirmation tokens and its own Idempotency-Keys.
func TestTokensAndKeysCountBySubject(t *testing.T) {
	env := newCertificateEnv(t)
	reset := func(name string, payload any) response {
		return env.postAction("HV01", "", vmReplicating, "primary", "reset-statistics", payload, headerSubject, name)
	}
	first := reset("a", nil)
	env.want("first request", first, 409, "confirmation-required")
	var last response
	env.issueTokens("HV01", authz.Principal{Subject: "CN=a"}, 450)
	for range 49 {
		last = reset("a", nil)
		env.want("request within the limit", last, 409, "confirmation-required")
	}
	env.want("request above the limit", reset("a", nil), 429, "rate-limited")
	env.want("request of another subject", reset("b", nil), 409, "confirmation-required")
	vm := env.request("HV01", "", http.MethodGet, env.replicaPath(vmReplicating, "primary"), nil, headerSubject, "a")
	body := object{
		"confirmation_token": last.json["confirmation_token"], "reason": "a test", "max_data_loss_seconds": 1e9,
		"vm_name": vm.json["vm"],
	}
	other := maps.Clone(body)
	other["confirmation_token"] = first.json["confirmation_token"]
	env.want("token of another subject", reset("b", body), 409, "confirmation-invalid")
	env.want("own token", reset("a", other), 202, "")
	suspend := func(name string) response {
		return env.postAction("HV01", "", vmReplicating, "primary", "suspend", nil,
			headerSubject, name, headerIdempotencyKey, "k")
	}
	env.clock.Advance(time.Minute) // the reset has ended
	env.want("suspend", suspend("a"), 202, "")
	if r := suspend("b"); r.header.Get(headerReplayed) != "" || r.code != http.StatusConflict {
		t.Errorf("the key of another subject is answered with %s", r)
	}
	if r := suspend("a"); r.header.Get(headerReplayed) != "true" {
		t.Errorf("the key of the same subject is answered with %s", r)
	}
}

// Every record names the subject of a caller who has no user name.
func TestRecordsNameTheSubject(t *testing.T) {
	env := newCertificateEnv(t)
	post := func(path string, payload any) response {
		return env.request("HV01", "", http.MethodPost, path, payload, headerSubject, "a")
	}
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	env.want("dry run", post(suspend, object{"dry_run": true}), 200, "")
	started := post(suspend, nil)
	env.want("suspend", started, 202, "")
	env.want("suspend again", post(suspend, nil), 409, "invalid-state")
	announced := post(apiMaintenance, object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)})
	env.want("maintenance", announced, 201, "")
	env.want("reload", post("/-/reload", nil), 403, "forbidden")
	env.want("reload by an owner",
		env.request("HV01", "", http.MethodPost, "/-/reload", nil, headerSubject, "b"), 200, "")
	for what, r := range map[string]response{"job": started, "maintenance": announced} {
		if r.json["user"] != "CN=a" {
			t.Errorf("the %s is by %v, want CN=a", what, r.json["user"])
		}
	}
	var events []string
	for _, record := range env.auditRecords("HV01") {
		events = append(events, string(record.Event)+" "+record.Action+" "+record.User)
	}
	if want := []string{
		"dry_run suspend CN=a", "intent suspend CN=a", "outcome suspend CN=a", "refused suspend CN=a",
		"maintenance announce-maintenance CN=a", "refused reload CN=a", "reload reload CN=b",
	}; !slices.Equal(events, want) {
		t.Errorf("the audit log has %q, want %q", events, want)
	}
}

// The log of a rejected request names the subject of the client certificate.
func TestLogOfRejectedRequestsNamesTheSubject(t *testing.T) {
	var logs bytes.Buffer
	env := newCertificateEnv(t, func(o *Options) { o.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&logs)) })
	env.want("subject without a rule",
		env.request("HV01", "", http.MethodGet, apiReplicas, nil, headerSubject, "mallory"), 403, "forbidden")
	if !strings.Contains(logs.String(), "type=forbidden") || !strings.Contains(logs.String(), `subject="CN=mallory"`) {
		t.Errorf("the log is\n%s", &logs)
	}
}
