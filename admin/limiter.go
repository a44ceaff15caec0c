package admin

import (
	"context"
	"maps"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
)

// failoverFactor is how many times as many requests and actions a caller with the role failover may send. A site of
// hundreds of VMs is failed over by one caller, with two requests for each VM.
const failoverFactor = 10

// callerLimits limit what each caller can send, so that no caller can keep others from being served.
type callerLimits struct {
	now func() time.Time
	// requests and actions limit rates. The first of each is for callers without the role failover. Actions are the
	// requests that do not only read.
	requests, actions [2]*limiter
	slots             *slots
}

func newCallerLimits(o Options) *callerLimits {
	limiters := func(perSecond float64, burst int) [2]*limiter {
		return [2]*limiter{
			newLimiter(perSecond, burst), newLimiter(failoverFactor*perSecond, failoverFactor*burst),
		}
	}
	return &callerLimits{
		now: o.Now, requests: limiters(o.RequestRate, o.RequestBurst), actions: limiters(o.ActionRate, o.ActionBurst),
		slots: newSlots(),
	}
}

// admit checks the limits of a request's caller, whose highest role is given. A caller without the role failover gets a
// slot, which done gives back.
func (l *callerLimits) admit(r *http.Request, role authz.Role) (_ *http.Request, done func(), p *problem.Problem) {
	c := principalOf(r)
	class, done := limitClass(role), func() {}
	if wait := l.requests[class].take(limitKey(c), l.now()); wait > 0 {
		return r, done, rateLimited(wait, "too many requests by %s", c)
	}
	if !isRead(r) {
		if wait := l.takeAction(c, role); wait > 0 {
			return r, done, rateLimited(wait, "too many actions by %s", c)
		}
	}
	if class == 0 {
		var ok bool
		if done, ok = l.slots.acquire(r.Context(), limitKey(c)); !ok {
			return r, func() {}, rateLimited(time.Second, "too many requests in progress")
		}
	}
	return r.WithContext(context.WithValue(r.Context(), slotKey{}, done)), done, nil
}

// takeAction counts a request to act and returns 0. If the caller may not send one now, it returns the time until then.
func (l *callerLimits) takeAction(c authz.Principal, role authz.Role) time.Duration {
	return l.actions[limitClass(role)].take(limitKey(c), l.now())
}

// limitKey identifies a caller. Without authentication only the addresses differ.
func limitKey(c authz.Principal) string {
	if c.Authenticated() {
		return c.Identity()
	}
	return c.Remote
}

// limitClass returns the index of the limiter for callers whose highest role is given.
func limitClass(role authz.Role) int {
	if role >= authz.RoleFailover {
		return 1
	}
	return 0
}

func rateLimited(wait time.Duration, format string, args ...any) *problem.Problem {
	return problem.New(problem.RateLimited, format, args...).
		WithHeader("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
}

// slots limit the requests in progress of callers without the role failover. A request reads the host several times,
// and the workers that read it are few: a failover must not wait behind many other requests.
type slots struct {
	mu      sync.Mutex
	taken   int
	callers map[string]int // slots by caller
	freed   chan struct{}  // closed when a slot is given back
}

// Limits of slots.
const (
	maxSlots          = 8
	maxSlotsPerCaller = 4
	slotTimeout       = 10 * time.Second // how long a request waits for a slot
)

func newSlots() *slots { return &slots{callers: map[string]int{}, freed: make(chan struct{})} }

// acquire waits for a slot. It returns false if it got none within slotTimeout.
func (s *slots) acquire(ctx context.Context, caller string) (release func(), ok bool) {
	ctx, cancel := context.WithTimeout(ctx, slotTimeout)
	defer cancel()
	for {
		freed, ok := s.tryAcquire(caller)
		if ok {
			return sync.OnceFunc(func() { s.release(caller) }), true
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// tryAcquire takes a slot, or returns a channel that is closed when one is given back.
func (s *slots) tryAcquire(caller string) (freed <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= maxSlots || s.callers[caller] >= maxSlotsPerCaller {
		return s.freed, false
	}
	s.taken++
	s.callers[caller]++
	return nil, true
}

func (s *slots) release(caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.callers[caller]--; s.callers[caller] == 0 {
		delete(s.callers, caller)
	}
	close(s.freed)
	s.freed = make(chan struct{})
}

// slotKey is the context key of the function that gives back the slot of a request.
type slotKey struct{}

// releaseSlot gives back the slot of a request that only waits for the answer to its call.
func releaseSlot(ctx context.Context) {
	if release, ok := ctx.Value(slotKey{}).(func()); ok {
		release()
	}
}

// limiter limits the rate of each of many callers.
type limiter struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	callers map[string]*rate.Limiter
}

// maxCallers is the maximum number of callers that a limiter remembers. When it is reached, the limiter forgets the
// callers that may send a full burst again. If there are none, it forgets all.
const maxCallers = 4096

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, callers: map[string]*rate.Limiter{}}
}

// take counts a request of a caller and returns 0. If the caller may not send a request now, it returns the time until
// then, and does not count the request.
func (l *limiter) take(caller string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.callers[caller]
	if c == nil {
		if len(l.callers) >= maxCallers {
			l.prune(now)
		}
		c = rate.NewLimiter(l.rate, l.burst)
		l.callers[caller] = c
	}
	r := c.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// prune forgets callers. The caller must hold l.mu.
func (l *limiter) prune(now time.Time) {
	maps.DeleteFunc(l.callers, func(_ string, c *rate.Limiter) bool { return c.TokensAt(now) >= float64(l.burst) })
	if len(l.callers) >= maxCallers {
		clear(l.callers)
	}
}
