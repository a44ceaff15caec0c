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
)

// maxBody is how large the body of a request may be.
const maxBody = 64 << 10

// access lets in who may ask at all, before anything is looked at: the right
// host, no other web page, somebody who is known, not too often, and JSON.
type access struct {
	hosts       []string // names by which the endpoint may be addressed, in lower case
	origin      *http.CrossOriginProtection
	identify    func(*http.Request) (caller, error)
	known       func(caller) bool
	now         func() time.Time
	bodyTimeout time.Duration // how long a body may take, by the machine's clock
	requests    *limiter      // by address, before it is known who asks
	actions     *limiter      // by caller, of what acts
}

// callerKey is the key of the caller in a request's context.
type callerKey struct{}

// callerOf is who sends a request that access let in.
func callerOf(r *http.Request) caller {
	c, _ := r.Context().Value(callerKey{}).(caller)
	return c
}

// admit checks a request, and gives it with its caller.
func (a *access) admit(w http.ResponseWriter, r *http.Request) (*http.Request, *problem) {
	if !a.requests.allow(remoteHost(r.RemoteAddr), a.now()) {
		return r, refuse(kindRate, "too many requests come from this address").heading("Retry-After", "1")
	}
	if !a.allowsHost(r) {
		return r, refuse(kindHost, "%.80q is no name of this endpoint; --admin.host allows more", r.Host)
	}
	if err := a.origin.Check(r); err != nil {
		return r, refuse(kindCrossOrigin, "the browser says that another web page asks")
	}
	c, err := a.identify(r)
	if err != nil {
		return r, refuse(kindUnauthenticated, "%v", err).heading("WWW-Authenticate", `Basic realm="hyperv_replica_exporter admin"`)
	}
	r = r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
	if !a.known(c) {
		return r, refuse(kindForbidden, "no rule of the policy is for %s", c)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r, nil
	}
	if !a.actions.allow(c.String(), a.now()) {
		return r, refuse(kindRate, "too many actions of %s", c).heading("Retry-After", "5")
	}
	if r.Method == http.MethodPost {
		if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
			return r, refuse(kindMediaType, "send the body with Content-Type: application/json")
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	// Without a connection that has deadlines, the server's own count.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.bodyTimeout))
	return r, nil
}

// allowsHost tells whether the request was meant for this endpoint: a web page can
// have its name resolved to this address, but cannot have another name sent.
func (a *access) allowsHost(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if IsLoopback(host) {
		return true
	}
	for _, allowed := range a.hosts {
		if host == strings.ToLower(allowed) {
			return true
		}
	}
	// An IP address, unlike a name, cannot be rebound to another machine. It must be the
	// one that the connection came in on.
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	ip := net.ParseIP(host)
	if ip == nil || local == nil {
		return false
	}
	tcp, ok := local.(*net.TCPAddr)
	return ok && tcp.IP.Equal(ip)
}

// limiter bounds how often each of many may ask.
type limiter struct {
	rate  rate.Limit
	burst int

	mu  sync.Mutex
	who map[string]*rate.Limiter
}

// maxLimited bounds how many a limiter remembers: beyond, those are forgotten that have
// not asked for so long that they would start anew anyway, and if there are none, all.
const maxLimited = 4096

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, who: map[string]*rate.Limiter{}}
}

func (l *limiter) forget(now time.Time) {
	maps.DeleteFunc(l.who, func(_ string, b *rate.Limiter) bool { return b.TokensAt(now) >= float64(l.burst) })
	if len(l.who) >= maxLimited {
		clear(l.who)
	}
}

func (l *limiter) allow(who string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.who[who]
	if b == nil {
		if len(l.who) >= maxLimited {
			l.forget(now)
		}
		b = rate.NewLimiter(l.rate, l.burst)
		l.who[who] = b
	}
	return b.AllowN(now, 1)
}
