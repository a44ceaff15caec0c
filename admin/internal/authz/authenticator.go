// Package authz authenticates the callers of the API and authorizes their requests.
package authz

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// Principal is the authenticated caller of a request.
type Principal struct {
	User    string // name of a user with a valid password
	Subject string // subject of a verified client certificate, as [subjectText] returns it
	// AlternativeNames are those of the certificate.
	AlternativeNames
	Remote string // address of the client
}

// String returns a name for logs and messages. It has everything by which rules can tell callers apart.
func (p Principal) String() string {
	certificate := p.Subject // has no semicolon that is not escaped
	switch names := p.AlternativeNames.String(); {
	case certificate == "":
		certificate = names
	case names != "":
		certificate += "; " + names
	}
	switch {
	case p.User != "" && certificate != "":
		return p.User + " (" + certificate + ")"
	case p.User != "":
		return p.User
	case certificate != "":
		return certificate
	}
	return "anonymous"
}

// Authenticated reports whether the caller has a name.
func (p Principal) Authenticated() bool { return p.User != "" || p.Subject != "" || !p.empty() }

// Identity returns a text that is the same for two callers only if they have the same user name, the same subject and
// the same alternative names.
func (p Principal) Identity() string {
	return fmt.Sprintf("%q %q %s", p.User, p.Subject, p.AlternativeNames)
}

// Authenticator authenticates callers by password and client certificate.
//
// The exporter toolkit has already done that when a request arrives. But the toolkit reads its file for each request,
// and accepts everybody if the file has no users any more. The authenticator uses the users of the last start or
// reload.
type Authenticator struct {
	config WebConfig
	secret []byte // key of the HMACs in verified

	mu       sync.Mutex
	verified map[[sha256.Size]byte]bool // passwords that were verified; bcrypt is slow on purpose
}

// NewAuthenticator returns an authenticator for the users of a web config.
func NewAuthenticator(c WebConfig) *Authenticator {
	secret := make([]byte, sha256.Size)
	rand.Read(secret)
	return &Authenticator{config: c, secret: secret, verified: map[[sha256.Size]byte]bool{}}
}

var errUnauthenticated = errors.New("a user and password, or a client certificate, is required")

// Identify returns the caller of a request. The error does not say which part of the credentials is wrong.
func (a *Authenticator) Identify(r *http.Request) (Principal, error) {
	p := Principal{Remote: RemoteHost(r.RemoteAddr)}
	var err error
	p.Subject, p.AlternativeNames, err = certificateNames(r.TLS)
	if err != nil || a.config.Certificates && !p.Authenticated() {
		return Principal{Remote: p.Remote}, errUnauthenticated
	}
	if len(a.config.Users) > 0 {
		user, password, _ := r.BasicAuth()
		if !a.verify(user, password) {
			return p, errUnauthenticated
		}
		p.User = user
	}
	return p, nil
}

// certificateNames returns the names in the client certificate, none if there is no certificate or if it was not
// verified.
func certificateNames(t *tls.ConnectionState) (subject string, names AlternativeNames, err error) {
	if t == nil || len(t.VerifiedChains) == 0 || len(t.VerifiedChains[0]) == 0 {
		return "", names, nil
	}
	c := t.VerifiedChains[0][0]
	if subject, err = subjectText(c.RawSubject); err != nil {
		return "", names, err
	}
	names, err = alternativeNames(c)
	return subject, names, err
}

// CertificateName returns the name of the client certificate for logs, "" if there is none or if it was not verified.
func CertificateName(t *tls.ConnectionState) string {
	p := Principal{}
	if p.Subject, p.AlternativeNames, _ = certificateNames(t); !p.Authenticated() {
		return ""
	}
	return p.String()
}

// maxVerified is the maximum number of entries in Authenticator.verified.
const maxVerified = 256

// verify reports whether the password belongs to the user. It takes the same time for an unknown user.
func (a *Authenticator) verify(user, password string) bool {
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
	defer a.mu.Unlock() // one bcrypt comparison at a time, so that many requests cannot use all processors
	if a.verified[key] {
		return true
	}
	matches := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	if !matches || !known {
		return false
	}
	if len(a.verified) >= maxVerified {
		clear(a.verified)
	}
	a.verified[key] = true
	return true
}

// unusableHash is compared with the password of an unknown user, so that it takes as long as for a known one. The
// result is ignored.
const unusableHash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

// RemoteHost returns the host of an address with a port.
func RemoteHost(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
