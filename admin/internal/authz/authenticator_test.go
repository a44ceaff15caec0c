package authz

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/filetest"

	"golang.org/x/crypto/bcrypt"
)

func hashOf(t *testing.T, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func requestBy(t *testing.T, user, password string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.RemoteAddr = "192.0.2.7:50123"
	if user != "" || password != "" {
		r.SetBasicAuth(user, password)
	}
	return r
}

// A password authenticates its own user only, also after other passwords were accepted.
func TestPasswordAuthenticatesItsUser(t *testing.T) {
	a := NewAuthenticator(WebConfig{Users: map[string]string{"ada": hashOf(t, "one"), "ada1": hashOf(t, "two")}})
	for range 2 { // the second time the accepted passwords are remembered
		for _, tt := range []struct {
			user, password string
			ok             bool
		}{
			{"ada", "one", true},
			{"ada1", "two", true},
			{"ada", "two", false},
			{"ada1", "one", false},
			{"ada", "", false},
			{"ada", "One", false},
			{"ada", "one ", false},
			{"Ada", "one", false},
			{"", "one", false},
			{"", "", false},
			{"eve", "one", false},
			{"eve", "fakepassword", false}, // the password of the hash that stands in for that of an unknown user
			{"ada", hashOf(t, "one"), false},
		} {
			c, err := a.Identify(requestBy(t, tt.user, tt.password))
			want := Principal{Remote: "192.0.2.7"}
			if tt.ok {
				want.User = tt.user
			}
			if (err == nil) != tt.ok || !reflect.DeepEqual(c, want) {
				t.Errorf("user %q with password %q: %+v, %v; want success %v", tt.user, tt.password, c, err, tt.ok)
			}
		}
	}
	changed := NewAuthenticator(WebConfig{Users: map[string]string{"ada": hashOf(t, "three")}})
	if _, err := changed.Identify(requestBy(t, "ada", "one")); err == nil {
		t.Error("an old password is accepted after a change")
	}
}

// The error for a wrong password is the same as for an unknown user and for a missing password.
func TestErrorDoesNotRevealUsers(t *testing.T) {
	a := NewAuthenticator(WebConfig{Users: map[string]string{"ada": hashOf(t, "one")}})
	const want = "a user and password, or a client certificate, is required"
	for _, c := range [][2]string{{"ada", "two"}, {"eve", "one"}, {"", ""}} {
		if _, err := a.Identify(requestBy(t, c[0], c[1])); err == nil || err.Error() != want {
			t.Errorf("user %q: error %v, want %s", c[0], err, want)
		}
	}
}

// A listener that requires a certificate and a password accepts neither alone.
func TestCertificateAndPasswordAreBothRequired(t *testing.T) {
	certificate := certificateOf(t, pkix.Name{CommonName: "ops"})
	verified := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{certificate}}}
	users := map[string]string{"ada": hashOf(t, "one")}
	for _, tt := range []struct {
		name     string
		config   WebConfig
		password string
		state    *tls.ConnectionState
		want     string // "" for an error
	}{
		{"both", WebConfig{Users: users, Certificates: true}, "one", verified, "ada (CN=ops)"},
		{"no certificate", WebConfig{Users: users, Certificates: true}, "one", &tls.ConnectionState{}, ""},
		{"wrong password", WebConfig{Users: users, Certificates: true}, "two", verified, ""},
		{"password without a required certificate", WebConfig{Users: users}, "one", nil, "ada"},
		{"certificate instead of a password", WebConfig{Users: users}, "two", verified, ""},
		{"certificate only", WebConfig{Certificates: true}, "", verified, "CN=ops"},
		{"no authentication configured", WebConfig{}, "", nil, "anonymous"},
	} {
		r := requestBy(t, "ada", tt.password)
		r.TLS = tt.state
		c, err := NewAuthenticator(tt.config).Identify(r)
		if (err == nil) != (tt.want != "") || err == nil && c.String() != tt.want {
			t.Errorf("%s: %s, %v; want %q", tt.name, c, err, tt.want)
		}
	}
}

// The client is the address without the port, so that the rate limit counts all its connections together.
func TestRemoteHost(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7:50123": "192.0.2.7", "[2001:db8::1]:80": "2001:db8::1", "192.0.2.7": "192.0.2.7", "@": "@",
	} {
		if got := RemoteHost(address); got != want {
			t.Errorf("RemoteHost(%s) = %s, want %s", address, got, want)
		}
	}
}

// Only loopback addresses and localhost need no TLS and no authentication.
func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.8.9.10": true, "::1": true, "localhost": true, "": false, "0.0.0.0": false, "::": false,
		"128.0.0.1": false, "hv01": false, "localhost.example": false, "127.0.0.1.example": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %v, want %v", host, got, want)
		}
	}
}

// Client certificates authenticate only if the web config requires and verifies them.
func TestWebConfigOfClientCertificates(t *testing.T) {
	folder := filetest.Dir(t)
	certificate, key := writeCertificate(t, folder)
	for _, tt := range []struct {
		auth          string
		ca, users     bool
		certificates  bool
		authenticates bool
	}{
		{"", false, false, false, false},
		{"", false, true, false, true},
		{"RequestClientCert", false, false, false, false},
		{"RequireAnyClientCert", false, false, false, false},
		{"VerifyClientCertIfGiven", true, false, false, false},
		{"RequireAndVerifyClientCert", true, false, true, true},
		{"RequireAndVerifyClientCert", true, true, true, true},
	} {
		text := fmt.Sprintf("tls_server_config:\n  cert_file: %s\n  key_file: %s\n", certificate, key)
		if tt.auth != "" {
			text += "  client_auth_type: " + tt.auth + "\n"
		}
		if tt.ca {
			text += "  client_ca_file: " + certificate + "\n"
		}
		if tt.users {
			text += "basic_auth_users:\n  ada: " + hashOf(t, "one") + "\n"
		}
		file := filepath.Join(folder, "web.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := ReadWebConfig(file)
		verifies := tt.certificates || tt.auth == "VerifyClientCertIfGiven"
		if err != nil || !w.TLS || w.VerifiesCertificates != verifies || w.Certificates != tt.certificates || w.Authenticates() != tt.authenticates {
			t.Errorf("client_auth_type %s, users %v: %+v, authenticates %v, error %v; want certificates %v, authenticates %v",
				tt.auth, tt.users, w, w.Authenticates(), err, tt.certificates, tt.authenticates)
		}
	}
	if w, err := ReadWebConfig(""); err != nil || w.TLS || w.Authenticates() {
		t.Errorf("without a file the web config is %+v, %v", w, err)
	}
	for _, auth := range []string{"VerifyClientCertIfGiven", "RequireAndVerifyClientCert"} {
		file := filepath.Join(folder, "web.yml")
		text := fmt.Sprintf("tls_server_config: {cert_file: %q, key_file: %q, client_auth_type: %s}", certificate, key, auth)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadWebConfig(file); err == nil || !strings.Contains(err.Error(), "client_ca_file") {
			t.Errorf("%s without authorities: got error %v", auth, err)
		}
	}
	if _, err := ReadWebConfig(filepath.Join(folder, "missing.yml")); err == nil {
		t.Error("a missing web config is accepted")
	}
}

// writeCertificate writes a self-signed certificate and its key.
func writeCertificate(t *testing.T, folder string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for file, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: text},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

// 256 passwords are remembered. Then all are forgotten, and verified again.
func TestRememberedPasswordsAreLimited(t *testing.T) {
	a := NewAuthenticator(WebConfig{Users: map[string]string{"ada": hashOf(t, "one"), "eve": hashOf(t, "two")}})
	for i := range 255 {
		a.verified[[32]byte{byte(i), 1}] = true
	}
	if !a.verify("ada", "one") || len(a.verified) != 256 {
		t.Errorf("%d passwords are remembered, want 256", len(a.verified))
	}
	if !a.verify("eve", "two") || len(a.verified) != 1 {
		t.Errorf("%d passwords are remembered, want 1", len(a.verified))
	}
	if !a.verify("ada", "one") || a.verify("ada", "two") {
		t.Error("a forgotten password is not verified again")
	}
}
