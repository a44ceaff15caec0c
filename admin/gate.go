package admin

import (
	"context"
	"maps"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
)

// maxBodyBytes is the maximum size of the body of a request.
const maxBodyBytes = 64 << 10

// gate decides which requests reach the API. A request must have an allowed Host header, must not come from another web
// page, must be authenticated, must not exceed the rate limits, and must have a JSON body.
type gate struct {
	hosts       []string // allowed values of the Host header
	origin      *http.CrossOriginProtection
	identify    func(*http.Request) (authz.Principal, error)
	known       func(authz.Principal) bool // reports whether the policy has a rule for a caller
	now         func() time.Time
	bodyTimeout time.Duration // by the clock of this computer, not by now
	requests    *limiter      // by address, before authentication
	actions     *limiter      // by caller; limits requests that are not GET or HEAD
}

// principalKey is the context key of the caller.
type principalKey struct{}

// principalOf returns the caller of a request that the gate has admitted.
func principalOf(r *http.Request) authz.Principal {
	c, _ := r.Context().Value(principalKey{}).(authz.Principal)
	return c
}

// admit checks a request. It returns the request with its caller in the context.
func (g *gate) admit(w http.ResponseWriter, r *http.Request) (*http.Request, *problem.Problem) {
	if !g.requests.allow(authz.RemoteHost(r.RemoteAddr), g.now()) {
		return r, problem.New(problem.RateLimited, "too many requests from this address").WithHeader("Retry-After", "1")
	}
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
	if !g.known(c) {
		return r, problem.New(problem.Forbidden, "no rule of the policy is for %s", c)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r, nil
	}
	if !g.actions.allow(c.Identity(), g.now()) {
		return r, problem.New(problem.RateLimited, "too many actions by %s", c).WithHeader("Retry-After", "5")
	}
	if r.Method == http.MethodPost {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != "application/json" {
			return r, problem.New(problem.UnsupportedMediaType, "set Content-Type: application/json")
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	// This fails for a connection without deadlines. Then only the timeouts of the server apply.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.bodyTimeout))
	return r, nil
}

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

// limiter limits the rate of each of many clients.
type limiter struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

// maxClients is the maximum number of clients that a limiter remembers. When it is reached, the limiter forgets the
// clients that may send a full burst again. If there are none, it forgets all.
const maxClients = 4096

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, clients: map[string]*rate.Limiter{}}
}

// allow reports whether a client may send a request now.
func (l *limiter) allow(client string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.clients[client]
	if c == nil {
		if len(l.clients) >= maxClients {
			l.prune(now)
		}
		c = rate.NewLimiter(l.rate, l.burst)
		l.clients[client] = c
	}
	return c.AllowN(now, 1)
}

// prune forgets clients. The caller must hold l.mu.
func (l *limiter) prune(now time.Time) {
	maps.DeleteFunc(l.clients, func(_ string, c *rate.Limiter) bool { return c.TokensAt(now) >= float64(l.burst) })
	if len(l.clients) >= maxClients {
		clear(l.clients)
	}
}
