package main

import (
	"bytes"
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
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// The admin endpoint is off unless it is asked for.
func TestAdminOff(t *testing.T) {
	p := start(t, "--simulator.vms=1")
	if log := p.logs.String(); strings.Contains(log, "admin") {
		t.Errorf("the log speaks of it:\n%s", log)
	}
	_, body := get(t, http.DefaultClient, p.url)
	if strings.Contains(body, "hyperv_replica_admin") {
		t.Error("there are metrics of it")
	}
	for _, path := range []string{"/api/v1/replicas", "/api/v1/methods", "/api/v1/jobs", "/-/reload"} {
		if resp, _ := get(t, http.DefaultClient, strings.TrimSuffix(p.url, "/metrics")+path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, resp.StatusCode)
		}
	}
}

// omar is the user of adminFiles, as a header.
var omar = []string{"Authorization", "Basic b21hcjp0ZXN0"}

// adminFiles are the files of an endpoint with the user omar, who may do all.
func adminFiles(t *testing.T) (args []string, policy string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("test"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	policy = tempFile(t, "rules: [{users: [omar], role: owner}]\n")
	return []string{
		"--admin.enabled", "--admin.listen-address=127.0.0.1:0", "--admin.data-dir=" + filepath.Join(folder, "data"),
		"--admin.web.config.file=" + tempFile(t, fmt.Sprintf("basic_auth_users:\n  omar: %s\n", hash)), "--admin.policy.file=" + policy,
	}, policy
}

// It has a listener of its own, and nothing of it is on that of the metrics.
func TestAdminListener(t *testing.T) {
	args, policy := adminFiles(t)
	ctx, cancel := context.WithCancel(t.Context())
	logs, code := newLogBuffer(), make(chan int, 1)
	args = append(args, "--web.listen-address=127.0.0.1:0", "--source=simulator", "--log.level=debug")
	go func() { code <- run(ctx, args, io.Discard, logs) }()
	url := strings.TrimSuffix(logs.await(t, `url=(\S+)`), "/metrics")
	control := "http://" + logs.await(t, `admin_address=(\S+)`)
	for _, path := range []string{"/api/v1/replicas", "/api/v1/methods", "/api/v1/jobs"} {
		if resp, _ := get(t, http.DefaultClient, url+path, omar...); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s on the listener of the metrics: %d, want 404", path, resp.StatusCode)
		}
		if resp, _ := get(t, http.DefaultClient, control+path); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a password: %d, want 401", path, resp.StatusCode)
		}
		if resp, body := get(t, http.DefaultClient, control+path, omar...); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if resp, _ := get(t, http.DefaultClient, control+"/metrics", omar...); resp.StatusCode != http.StatusNotFound {
		t.Errorf("metrics on the listener of the endpoint: %d, want 404", resp.StatusCode)
	}
	if _, body := get(t, http.DefaultClient, url+"/metrics"); !strings.Contains(body, `hyperv_replica_admin_requests_total{code="404",method="none"} 1`) {
		t.Error("its metrics are missing")
	}
	if err := os.WriteFile(policy, []byte("rules: [{users: [nobody], role: owner}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	reload(t, control)
	if resp, _ := get(t, http.DefaultClient, control+"/api/v1/jobs", omar...); resp.StatusCode != http.StatusForbidden {
		t.Errorf("after the reload: %d, want 403", resp.StatusCode)
	}
	cancel()
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d\n%s", c, logs)
	}
}

func reload(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/-/reload", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("omar", "test")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("reload: %d", resp.StatusCode)
	}
}

// An endpoint that would not be safe does not start, and says why in one line.
func TestAdminUsage(t *testing.T) {
	web, policy := tempFile(t, "basic_auth_users: {}\n"), tempFile(t, "rules: [{users: [omar], role: owner}]\n")
	users := tempFile(t, "basic_auth_users:\n  omar: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n")
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
		{[]string{"--admin.policy.file=" + web, "--admin.web.config.file=" + users}, "basic_auth_users"},
		{[]string{"--admin.policy.file=/nonexistent/policy.yml", "--admin.web.config.file=" + users}, "/nonexistent/policy.yml"},
		{[]string{"--admin.web.config.file=/nonexistent/web.yml"}, "/nonexistent/web.yml"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		var stderr bytes.Buffer
		args := append([]string{"--log.level=error", "--source=simulator", "--admin.enabled", "--web.listen-address=127.0.0.1:0"}, tt.args...)
		code := run(ctx, args, io.Discard, &stderr)
		cancel()
		if code != exitUsage || !strings.Contains(stderr.String(), tt.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%v: exit %d, want 2 and one line with %q; got:\n%s", tt.args, code, tt.want, stderr.String())
		}
	}
}

// With client certificates the subject is who asks, and nobody gets in without one.
func TestAdminCertificates(t *testing.T) {
	authority, key := certificate(t, "authority", nil, nil)
	serverCert, serverKey := certificate(t, "localhost", authority, key)
	clientCert, clientKey := certificate(t, "ops", authority, key)
	web := fmt.Sprintf("tls_server_config:\n  cert_file: %s\n  key_file: %s\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: %s\n",
		tempFile(t, encode("CERTIFICATE", serverCert.Raw)), tempFile(t, encodeKey(t, serverKey)), tempFile(t, encode("CERTIFICATE", authority.Raw)))
	args, _ := adminFiles(t)
	args = append(args[:3], "--admin.web.config.file="+tempFile(t, web), "--admin.policy.file="+tempFile(t, "rules: [{subjects: ['CN=ops'], role: viewer}]\n"))
	p := start(t, args...)
	url := "https://" + p.logs.await(t, `admin_address=(\S+)`) + "/api/v1/jobs"
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	with := func(certificates ...tls.Certificate) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates}}}
	}
	ops := with(tls.Certificate{Certificate: [][]byte{clientCert.Raw}, PrivateKey: clientKey})
	if resp, body := get(t, ops, url); resp.StatusCode != http.StatusOK {
		t.Errorf("with a certificate: %d %s", resp.StatusCode, body)
	}
	other := with(tls.Certificate{Certificate: [][]byte{serverCert.Raw}, PrivateKey: serverKey})
	if resp, body := get(t, other, url); resp.StatusCode != http.StatusForbidden {
		t.Errorf("with the certificate of somebody else: %d %s", resp.StatusCode, body)
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

// certificate is one for a name, signed by its issuer, or by itself.
func certificate(t *testing.T, name string, issuer *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
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
