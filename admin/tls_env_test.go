package admin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// tlsEnv is an environment with a listener that requires client certificates of an authority of its own.
type tlsEnv struct {
	*testEnv
	authority *x509.Certificate
	key       *ecdsa.PrivateKey // of all certificates
	listener  *httptest.Server
}

// newTLSEnv returns an environment with a policy. It serves the API of HV01.
func newTLSEnv(t *testing.T, policy string, change ...func(*Options)) *tlsEnv {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	env := &tlsEnv{testEnv: newTestEnv(t, change...), key: key}
	env.authority = env.certificate(pkix.RDNSequence{{{Type: oidCN, Value: "authority"}}})
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	web := env.hosts["HV01"].server.options.WebConfigFile
	env.writeFile(web+".cert", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: env.authority.Raw})))
	env.writeFile(web+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	env.writeFile(web, "tls_server_config: {cert_file: web.yml.cert, key_file: web.yml.key, "+
		"client_auth_type: RequireAndVerifyClientCert, client_ca_file: web.yml.cert}")
	env.writePolicy(policy)
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AddCert(env.authority)
	env.listener = httptest.NewUnstartedServer(env.hosts["HV01"].server.Handler())
	env.listener.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{env.authority.Raw}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: authorities,
	}
	env.listener.StartTLS()
	t.Cleanup(env.listener.Close)
	return env
}

var oidCN = asn1.ObjectIdentifier{2, 5, 4, 3}

// certificate returns a certificate with a subject and alternative names. The first one is the authority.
func (env *tlsEnv) certificate(subject pkix.RDNSequence, names ...asn1.RawValue) *x509.Certificate {
	env.Helper()
	raw, err := asn1.Marshal(subject)
	if err != nil {
		env.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: raw, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		IsCA: env.authority == nil, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if len(names) > 0 {
		value, err := asn1.Marshal(names)
		if err != nil {
			env.Fatal(err)
		}
		template.IPAddresses = nil
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}}
	}
	authority := env.authority
	if authority == nil {
		authority = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, &env.key.PublicKey, env.key)
	if err != nil {
		env.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		env.Fatal(err)
	}
	return c
}

// send sends a request over TLS with a client certificate.
func (env *tlsEnv) send(c *x509.Certificate, method, path, body string) (status int, text string) {
	env.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // the test is about the certificate of the client
		Certificates:       []tls.Certificate{{Certificate: [][]byte{c.Raw}, PrivateKey: env.key}},
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(env.Context(), method, env.listener.URL+path, strings.NewReader(body))
	if err != nil {
		env.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		env.Fatal(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		env.Fatal(err)
	}
	return resp.StatusCode, string(read)
}
