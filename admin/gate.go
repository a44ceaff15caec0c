package admin

import (
	"context"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
)

// maxBodyBytes is the maximum size of the body of a request.
const maxBodyBytes = 64 << 10

// gate decides which requests reach the API. A request must have an allowed Host header, must not come from another web
// page, must be authenticated, must not exceed the limits of its caller, and must have a JSON body.
type gate struct {
	hosts       []string // allowed values of the Host header
	origin      *http.CrossOriginProtection
	identify    func(*http.Request) (authz.Principal, error)
	role        func(authz.Principal) authz.Role // highest role that the policy gives a caller
	limits      *callerLimits
	bodyTimeout time.Duration // by the clock of this computer, not by Options.Now
}

// principalKey is the context key of the caller.
type principalKey struct{}

// principalOf returns the caller of a request that the gate has admitted.
func principalOf(r *http.Request) authz.Principal {
	c, _ := r.Context().Value(principalKey{}).(authz.Principal)
	return c
}

// admit checks a request. It returns the request with its caller in the context. The caller of admit must call done at
// the end of the request.
func (g *gate) admit(w http.ResponseWriter, r *http.Request) (_ *http.Request, done func(), p *problem.Problem) {
	if r, p = g.authenticate(r); p != nil {
		return r, func() {}, p
	}
	if r, done, p = g.limits.admit(r, g.role(principalOf(r))); p != nil {
		return r, done, p
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		// url.URL.Query leaves out what it cannot parse, such as dry_run=true in "?dry_run=true;".
		return r, done, problem.New(problem.BadRequest, "query: %v", err)
	}
	return r, done, g.checkBody(w, r)
}

// authenticate checks where a request comes from and whose it is.
func (g *gate) authenticate(r *http.Request) (*http.Request, *problem.Problem) {
	if !g.allowsHost(r) {
		return r, problem.New(problem.HostNotAllowed, "host %.80q: not allowed; --admin.host adds allowed names", r.Host)
	}
	if err := g.origin.Check(r); err != nil {
		return r, problem.New(problem.CrossOrigin, "the request comes from another web page")
	}
	c, err := g.identify(r)
	if err != nil {
		return r, problem.New(problem.Unauthenticated, "%v", err).
			WithHeader("WWW-Authenticate", `Basic realm="hyperv_replica_exporter admin"`)
	}
	r = r.WithContext(context.WithValue(r.Context(), principalKey{}, c))
	if g.role(c) == authz.RoleNone {
		return r, problem.New(problem.Forbidden, "no rule of the policy is for %s", c)
	}
	return r, nil
}

// checkBody checks the type of the body of a request, and limits its size and the time to read it.
func (g *gate) checkBody(w http.ResponseWriter, r *http.Request) *problem.Problem {
	if isRead(r) {
		return nil
	}
	if r.Method == http.MethodPost {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != "application/json" {
			return problem.New(problem.UnsupportedMediaType, "set Content-Type: application/json")
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	// This fails for a connection without deadlines. Then only the timeouts of the server apply.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.bodyTimeout))
	return nil
}

// isRead reports whether a request only reads.
func isRead(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// allowsHost reports whether the Host header names this endpoint. The check stops DNS rebinding: a web page can make
// its own name resolve to this address, but it cannot send another name.
func (g *gate) allowsHost(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if authz.IsLoopback(host) {
		return true
	}
	for _, allowed := range g.hosts {
		if host == strings.ToLower(allowed) {
			return true
		}
	}
	// An IP address cannot be rebound. It must be the local address of the connection.
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	ip := net.ParseIP(host)
	if ip == nil || local == nil {
		return false
	}
	tcp, ok := local.(*net.TCPAddr)
	return ok && tcp.IP.Equal(ip)
}
