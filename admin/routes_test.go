package admin

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/internal/filetest"
)

// HEAD is reading. Every other method is limited like an action, also if no route has it.
func TestHeadIsReading(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.ActionRate, o.ActionBurst = 1, 2 })
	send := func(method, path string) int {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+path, nil)
		r.SetBasicAuth("vic", password)
		w := httptest.NewRecorder()
		env.hosts["HV01"].server.Handler().ServeHTTP(w, r)
		return w.Code
	}
	for range 5 {
		if code := send(http.MethodHead, "/api/v1/replicas"); code != http.StatusOK {
			t.Errorf("HEAD: got %d, want 200", code)
		}
	}
	if code := send(http.MethodHead, "/nonsense"); code != http.StatusNotFound {
		t.Errorf("HEAD of an unknown path: got %d, want 404", code)
	}
	for i, want := range []int{http.StatusMethodNotAllowed, http.StatusMethodNotAllowed, http.StatusTooManyRequests} {
		if code := send(http.MethodDelete, "/api/v1/replicas"); code != want {
			t.Errorf("DELETE %d: got %d, want %d", i+1, code, want)
		}
	}
}

// Text from a client that is not authenticated is shortened in the log.
func TestLongTextIsShortenedInTheLog(t *testing.T) {
	var logs bytes.Buffer
	env := newTestEnv(t, func(o *Options) { o.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&logs)) })
	for _, n := range []int{100, 101} {
		env.want("unknown user", env.get("HV01", strings.Repeat("u", n), apiReplicas), 401, "unauthenticated")
	}
	for _, want := range []string{" user=" + strings.Repeat("u", 100) + " ", " user=" + strings.Repeat("u", 100) + "... "} {
		if strings.Count(logs.String(), want) != 1 {
			t.Errorf("the log does not have %q once:\n%s", want, logs.String())
		}
	}
}

// A panic in a handler is answered with an internal error that reveals nothing. The log has the cause.
func TestPanicInAHandlerRevealsNothing(t *testing.T) {
	var logs bytes.Buffer
	env := newTestEnv(t, func(o *Options) { o.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&logs)) })
	w := httptest.NewRecorder()
	env.hosts["HV01"].server.respond(func(*http.Request) (problem.Response, *problem.Problem) {
		panic(errors.New("secret"))
	}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the response is %d %s", w.Code, w.Body)
	}
	if !strings.Contains(logs.String(), "secret") {
		t.Errorf("the log does not have the cause:\n%s", logs.String())
	}
}

// The audit record of an outcome has the status of the response and the state of the job.
func TestAuditRecordOfOutcomeHasTheState(t *testing.T) {
	env := newTestEnv(t)
	env.want("suspend", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 202, "")
	records := env.auditRecords("HV01")
	if last := records[len(records)-1]; last.Event != audit.Outcome || last.Status != 202 || last.State != "running" {
		t.Errorf("the last audit record is %+v, want an outcome with the status 202 and the state running", last)
	}
}

// An address that other computers can reach needs TLS and authentication, also at a reload.
func TestAddressNeedsTLS(t *testing.T) {
	env := newTestEnv(t)
	o := env.hosts["HV01"].server.options
	if err := Check(o); err != nil {
		t.Error(err)
	}
	o.Addresses = []string{"127.0.0.1:10484", "192.0.2.1:10484"}
	if err := Check(o); err == nil || !strings.Contains(err.Error(), "192.0.2.1:10484: not a loopback address") {
		t.Errorf("Check of a public address without TLS: %v", err)
	}
	env.hosts["HV01"].server.options.Addresses = o.Addresses
	env.want("reload", env.request("HV01", "omar", http.MethodPost, "/-/reload", nil), 400, "invalid-parameter")
}

// A rule can list actions, methods and maintenance in methods.
func TestNamesInMethods(t *testing.T) {
	env := newTestEnv(t)
	o := env.hosts["HV01"].server.options
	for name, valid := range map[string]bool{
		"failover": true, "InitiateFailover": true, "RequestStateChange": true, "maintenance": true,
		"reload": false, "Failover": false, "": false,
	} {
		env.writeFile(o.PolicyFile, "rules: [{users: [omar], role: owner, methods: ['"+name+"'], vms: all, host: true}]\n...\n")
		if err := Check(o); (err == nil) != valid {
			t.Errorf("methods: [%s]: error %v, want success %v", name, err, valid)
		}
	}
}

// A policy needs callers who authenticate. TLS alone does not do that.
func TestPolicyNeedsAuthentication(t *testing.T) {
	env := newTestEnv(t)
	o := env.hosts["HV01"].server.options
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	private, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := o.PolicyFile+".pem", o.PolicyFile+".key"
	env.writeFile(certificate, string(pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: server.Certificate().Raw,
	})))
	env.writeFile(key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	filetest.Protect(t, key)
	tls := fmt.Sprintf("tls_server_config: {cert_file: %q, key_file: %q}\n", certificate, key)
	users := "basic_auth_users: {omar: " + passwordHash() + "}\n"
	for text, valid := range map[string]bool{"": false, tls: false, users: true, tls + users: true} {
		env.writeFile(o.WebConfigFile, text)
		if err := Check(o); (err == nil) != valid {
			t.Errorf("policy with the web config %q: error %v, want success: %v", text, err, valid)
		}
	}
	o.PolicyFile = ""
	env.writeFile(o.WebConfigFile, tls)
	if err := Check(o); err != nil {
		t.Errorf("without a policy: %v", err)
	}
}
