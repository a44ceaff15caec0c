package admin

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

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
