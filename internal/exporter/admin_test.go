package exporter_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
)

// The admin endpoint is disabled by default.
func TestAdminIsDisabledByDefault(t *testing.T) {
	p := exportertest.Start(t, "--simulator.vms=1")
	if log := p.Logs.String(); strings.Contains(log, "admin") {
		t.Errorf("the log mentions it:\n%s", log)
	}
	_, body := exportertest.Get(t, p.URL)
	if strings.Contains(body, "hyperv_replica_admin") {
		t.Error("its metrics are exposed")
	}
	for _, path := range []string{"/api/v1/replicas", "/api/v1/methods", "/api/v1/jobs", "/-/reload"} {
		if status := exportertest.Status(t, strings.TrimSuffix(p.URL, "/metrics")+path); status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, status)
		}
	}
}

// The admin endpoint is served on its own listener only, which does not serve metrics.
func TestAdminListener(t *testing.T) {
	args, policy := exportertest.AdminArgs(t)
	ctx, cancel := context.WithCancel(t.Context())
	logs, code := exportertest.NewLogBuffer(), make(chan int, 1)
	args = append(args, "--web.listen-address=127.0.0.1:0", "--source=simulator", "--log.level=debug")
	go func() { code <- exportertest.Run(ctx, args, io.Discard, logs) }()
	url := strings.TrimSuffix(logs.Await(t, `url=(\S+)`), "/metrics")
	adminURL := "http://" + logs.Await(t, `admin_address=(\S+)`)
	for _, path := range []string{"/api/v1/replicas", "/api/v1/methods", "/api/v1/jobs"} {
		if resp, _ := exportertest.Get(t, url+path, exportertest.Owner...); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s on the metrics listener: %d, want 404", path, resp.StatusCode)
		}
		if resp, _ := exportertest.Get(t, adminURL+path); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a password: %d, want 401", path, resp.StatusCode)
		}
		if resp, body := exportertest.Get(t, adminURL+path, exportertest.Owner...); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if resp, _ := exportertest.Get(t, adminURL+"/metrics", exportertest.Owner...); resp.StatusCode != http.StatusNotFound {
		t.Errorf("metrics on the admin listener: %d, want 404", resp.StatusCode)
	}
	_, body := exportertest.Get(t, url+"/metrics")
	if !strings.Contains(body, `hyperv_replica_admin_requests_total{code="404",method="none"} 1`) {
		t.Error("the metrics of the admin endpoint are missing")
	}
	if err := os.WriteFile(policy, []byte("rules: [{users: [nobody], role: owner, vms: all, host: true}]\n...\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if resp, body := exportertest.Post(t, adminURL+"/-/reload", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("reload: %d %s", resp.StatusCode, body)
	}
	if status := exportertest.Status(t, adminURL+"/api/v1/jobs", exportertest.Owner...); status != http.StatusForbidden {
		t.Errorf("after the reload: %d, want 403", status)
	}
	cancel()
	if c := <-code; c != exporter.ExitOK {
		t.Errorf("exit code %d\n%s", c, logs)
	}
}

// An unsafe or invalid configuration of the admin endpoint is refused with one line that names the problem.
func TestUnsafeAdminConfiguration(t *testing.T) {
	web := exportertest.TempFile(t, "basic_auth_users: {}\n...\n")
	policy := exportertest.TempFile(t, "rules: [{users: [omar], role: owner, vms: all, host: true}]\n...\n")
	cert, key := certificate(t, "localhost", nil, nil)
	anyAuthority := exportertest.TempFile(t, fmt.Sprintf(
		"tls_server_config: {cert_file: %q, key_file: %q, client_auth_type: RequireAndVerifyClientCert}",
		exportertest.TempFile(t, encode("CERTIFICATE", cert.Raw)), exportertest.TempFile(t, encodeKey(t, key))))
	users := exportertest.TempFile(t, "basic_auth_users:\n"+
		"  omar: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--admin.listen-address=:0"}, "not a loopback address"},
		{[]string{"--admin.listen-address=0.0.0.0:0"}, "not a loopback address"},
		{[]string{"--admin.listen-address=0.0.0.0:0", "--admin.web.config.file=" + users}, "TLS"},
		{[]string{"--admin.listen-address=127.0.0.1:0", "--admin.listen-address=[::]:0"}, "not a loopback address"},
		{[]string{"--admin.listen-address=nonsense"}, "missing port"},
		{[]string{"--admin.policy.file=" + policy}, "a policy requires authentication"},
		{[]string{"--admin.policy.file=" + policy, "--admin.web.config.file=" + web}, "a policy requires authentication"},
		{[]string{"--admin.policy.file=" + policy, "--admin.web.config.file=" + anyAuthority}, "needs client_ca_file"},
		{[]string{"--admin.policy.file=" + web, "--admin.web.config.file=" + users}, "basic_auth_users"},
		{[]string{"--admin.policy.file=/nonexistent/policy.yml", "--admin.web.config.file=" + users}, "/nonexistent/policy.yml"},
		{[]string{"--admin.web.config.file=/nonexistent/web.yml"}, "/nonexistent/web.yml"},
	} {
		args := append([]string{
			"--log.level=error", "--source=simulator", "--admin.enabled", "--web.listen-address=127.0.0.1:0",
		}, tt.args...)
		code, stderr := exportertest.RunToEnd(t, args...)
		lines := strings.Count(stderr, "\n")
		if code != exporter.ExitUsage || !strings.Contains(stderr, tt.want) || lines != 1 {
			t.Errorf("%v: exit %d, want 2 and one line with %q; got:\n%s", tt.args, code, tt.want, stderr)
		}
	}
}

// With client certificates the subject is the user. Requests without a certificate are refused.
func TestAdminClientCertificates(t *testing.T) {
	authority, key := certificate(t, "authority", nil, nil)
	serverCert, serverKey := certificate(t, "localhost", authority, key)
	clientCert, clientKey := certificate(t, "ops", authority, key)
	web := fmt.Sprintf(`
tls_server_config:
  cert_file: %s
  key_file: %s
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: %s
`,
		exportertest.TempFile(t, encode("CERTIFICATE", serverCert.Raw)),
		exportertest.TempFile(t, encodeKey(t, serverKey)),
		exportertest.TempFile(t, encode("CERTIFICATE", authority.Raw)))
	policy := exportertest.TempFile(t, "rules: [{subjects: ['CN=ops'], role: viewer, vms: all, host: true}]\n...\n")
	args, _ := exportertest.AdminArgs(t)
	args = append(args[:3], "--admin.web.config.file="+exportertest.TempFile(t, web), "--admin.policy.file="+policy)
	p := exportertest.Start(t, args...)
	url := "https://" + p.Logs.Await(t, `admin_address=(\S+)`) + "/api/v1/jobs"
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	with := func(certificates ...tls.Certificate) *http.Client {
		config := &tls.Config{RootCAs: pool, Certificates: certificates}
		return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	}
	ops := with(tls.Certificate{Certificate: [][]byte{clientCert.Raw}, PrivateKey: clientKey})
	if resp, body := exportertest.GetWith(t, ops, url); resp.StatusCode != http.StatusOK {
		t.Errorf("with a certificate: %d %s", resp.StatusCode, body)
	}
	other := with(tls.Certificate{Certificate: [][]byte{serverCert.Raw}, PrivateKey: serverKey})
	if resp, body := exportertest.GetWith(t, other, url); resp.StatusCode != http.StatusForbidden {
		t.Errorf("with the certificate of another user: %d %s", resp.StatusCode, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := with().Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("without a certificate: %d", resp.StatusCode)
	}
}

// certificate returns a certificate for a common name, signed by the issuer or, without one, by itself.
func certificate(
	t *testing.T, name string, issuer *x509.Certificate, by *ecdsa.PrivateKey,
) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: issuer == nil, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if issuer == nil {
		issuer, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func encodeKey(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return encode("PRIVATE KEY", der)
}
