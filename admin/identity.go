package admin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
	"golang.org/x/crypto/bcrypt"
)

// WebConfig is what the endpoint must know of the web config that its listener
// has.
type WebConfig struct {
	TLS bool
	// Users are bcrypt hashes by name.
	Users map[string]string
	// Certificates: every client has a certificate that is verified.
	Certificates bool
}

// ReadWebConfig reads a file in the format of the exporter toolkit; "" is that
// there is none.
func ReadWebConfig(file string) (WebConfig, error) {
	if file == "" {
		return WebConfig{}, nil
	}
	if err := web.Validate(file); err != nil {
		return WebConfig{}, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return WebConfig{}, err
	}
	var c web.Config
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return WebConfig{}, err
	}
	w := WebConfig{
		TLS:          c.TLSConfig.IsEnabled(),
		Users:        map[string]string{},
		Certificates: c.TLSConfig.ClientAuth == "RequireAndVerifyClientCert",
	}
	for user, hash := range c.Users {
		w.Users[user] = string(hash)
	}
	return w, nil
}

// Authenticates tells whether the listener lets in only who is proven to be
// somebody.
func (w WebConfig) Authenticates() bool { return len(w.Users) > 0 || w.Certificates }

// CheckAddress refuses to listen where others could reach an endpoint that does
// not know who they are, or that they talk to in the clear.
func (w WebConfig) CheckAddress(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if IsLoopback(host) || w.TLS && w.Authenticates() {
		return nil
	}
	return fmt.Errorf("%s is no loopback address, so the web config must have TLS, and users or client certificates that are required and verified", address)
}

// IsLoopback tells whether a host can only be reached from itself.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// caller is who asks, as far as it is proven.
type caller struct {
	User    string // whose password was right
	Subject string // of a certificate that was verified
	Remote  string // address
}

// String names the caller.
func (c caller) String() string {
	switch {
	case c.User != "" && c.Subject != "":
		return c.User + " (" + c.Subject + ")"
	case c.User != "":
		return c.User
	case c.Subject != "":
		return c.Subject
	}
	return "anonymous"
}

// authenticator proves who asks. The toolkit does so before, but it lets everybody
// in when its file, which it reads for each request, has lost its users; here
// those count that were there at the start or at the last reload.
type authenticator struct {
	config WebConfig
	secret []byte // of the keys of proven

	mu     sync.Mutex
	proven map[[sha256.Size]byte]bool // bcrypt takes long on purpose; once is enough
}

func newAuthenticator(c WebConfig) *authenticator {
	secret := make([]byte, sha256.Size)
	rand.Read(secret)
	return &authenticator{config: c, secret: secret, proven: map[[sha256.Size]byte]bool{}}
}

var errUnproven = errors.New("it takes a user and a password, or a client certificate")

// identify tells who sends a request. An error says nothing about what is wrong.
func (a *authenticator) identify(r *http.Request) (caller, error) {
	c := caller{Remote: remoteHost(r.RemoteAddr)}
	c.Subject = subject(r.TLS)
	if a.config.Certificates && c.Subject == "" {
		return c, errUnproven
	}
	if len(a.config.Users) > 0 {
		user, password, _ := r.BasicAuth()
		if !a.right(user, password) {
			return c, errUnproven
		}
		c.User = user
	}
	return c, nil
}

// subject is that of the certificate if it was verified, and not only shown.
func subject(t *tls.ConnectionState) string {
	if t == nil || len(t.VerifiedChains) == 0 || len(t.VerifiedChains[0]) == 0 {
		return ""
	}
	return t.VerifiedChains[0][0].Subject.String()
}

// maxProven bounds what is remembered.
const maxProven = 256

// right tells whether the password is the user's. An unknown user takes as long as
// a known one.
func (a *authenticator) right(user, password string) bool {
	hash, known := a.config.Users[user]
	if !known {
		hash = unusableHash
	}
	m := hmac.New(sha256.New, a.secret)
	for _, s := range []string{user, hash, password} {
		fmt.Fprintf(m, "%d:%s", len(s), s)
	}
	key := [sha256.Size]byte(m.Sum(nil))
	a.mu.Lock()
	defer a.mu.Unlock() // bcrypt at once only once: it is work, and others could make much of it
	if a.proven[key] {
		return true
	}
	matches := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	if !matches || !known {
		return false
	}
	if len(a.proven) >= maxProven {
		clear(a.proven)
	}
	a.proven[key] = true
	return true
}

// unusableHash is compared with where there is no such user, since that takes as long as
// with a user's. That it matches counts for nothing.
const unusableHash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

func remoteHost(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
