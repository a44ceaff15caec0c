//go:build prometheus

package dashboards_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"hyperv_replica_exporter/internal/exportertest"
	"hyperv_replica_exporter/internal/promtest"
)

// authority signs certificates and writes them as files of a folder.
type authority struct {
	t      *testing.T
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, folder: t.TempDir()}
	a.cert = &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.sign("ca", a.cert)
	return a
}

func (a *authority) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// sign writes NAME.pem and NAME-key.pem.
func (a *authority) sign(name string, template *x509.Certificate) *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.check(err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, signer)
	a.check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	a.check(err)
	a.write(name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	a.write(name+"-key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return key
}

func (a *authority) write(name, text string) {
	a.t.Helper()
	a.check(os.WriteFile(filepath.Join(a.folder, name), []byte(text), 0o600))
}

// client returns a client with the files of tls_config of an example. An empty cert means no certificate.
func (a *authority) client(c tlsExample) *http.Client {
	a.t.Helper()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(a.folder, c.CA))
	a.check(err)
	roots.AppendCertsFromPEM(text)
	config := &tls.Config{RootCAs: roots}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(a.folder, c.Cert), filepath.Join(a.folder, c.Key))
		a.check(err)
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 20 * time.Second}
}

// start runs an exporter with an example for --web.config.file. It returns its URL.
func (a *authority) start(example string) string {
	a.t.Helper()
	a.sign("exporter", &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	a.write("web.yml", example)
	p := exportertest.Start(a.t, "--simulator.vms=1", "--web.config.file="+filepath.Join(a.folder, "web.yml"))
	return "https://" + p.Logs.Await(a.t, `msg="serving metrics" address=(127\.0\.0\.1:\d+)`) + "/metrics"
}

// status returns the status of a scrape, 0 if the TLS handshake fails.
func status(t *testing.T, client *http.Client, url, user, password string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// jobOf returns tls_config of an example.
func jobOf(t *testing.T, name string) tlsExample {
	t.Helper()
	var e scrapeExample
	promtest.ReadYAML(t, filepath.Join("scrape", name), &e)
	return e.ScrapeConfigs[0].TLS
}

// An exporter with web-tls.yml is scraped as in tls.yml, and not without the password or with another one.
func TestExampleOfTLS(t *testing.T) {
	a := newAuthority(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	a.check(err)
	example := readExample(t, "web-tls.yml")
	if strings.Count(example, "REPLACE-WITH-HASH") != 1 {
		t.Fatal("web-tls.yml has no place for the hash")
	}
	url := a.start(strings.Replace(example, "REPLACE-WITH-HASH", string(hash), 1))
	a.write("unchanged.yml", example)
	check := []string{"--source=simulator", "--config.check", "--web.config.file=" + filepath.Join(a.folder, "unchanged.yml")}
	if code, stderr := exportertest.RunToEnd(t, check...); code != 2 || !strings.Contains(stderr, "bcrypt") {
		t.Errorf("web-tls.yml without a hash: exit code %d, errors %s", code, stderr)
	}
	client := a.client(jobOf(t, "tls.yml"))
	for password, want := range map[string]int{"secret": 200, "other": 401} {
		if got := status(t, client, url, "prometheus", password); got != want {
			t.Errorf("password %s: status %d, want %d", password, got, want)
		}
	}
	if got := status(t, client, url, "", ""); got != 401 {
		t.Errorf("without a password: status %d, want 401", got)
	}
}

// An exporter with web-mtls.yml is scraped as in mtls.yml, and not without a certificate or with that of another client.
func TestExampleOfClientCertificates(t *testing.T) {
	a := newAuthority(t)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	a.sign("prometheus", &x509.Certificate{DNSNames: []string{"prometheus.contoso.com"}, ExtKeyUsage: usage})
	a.sign("other", &x509.Certificate{DNSNames: []string{"other.contoso.com"}, ExtKeyUsage: usage})
	url := a.start(readExample(t, "web-mtls.yml"))
	job := jobOf(t, "mtls.yml")
	if got := status(t, a.client(job), url, "", ""); got != 200 {
		t.Errorf("status %d, want 200", got)
	}
	for name, c := range map[string]tlsExample{
		"no certificate": {CA: job.CA}, "another client": {CA: job.CA, Cert: "other.pem", Key: "other-key.pem"},
	} {
		if got := status(t, a.client(c), url, "", ""); got != 0 {
			t.Errorf("%s: status %d, want a failed handshake", name, got)
		}
	}
}
