package collector

import (
	"context"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// queryCache holds the queries in progress and the last good responses. A query
// runs once at a time, however many scrapes wait for it. It continues when those
// scrapes have ended, so that the next scrape finds its response.
type queryCache struct {
	reader      wmiquery.Reader
	metrics     *requestMetrics
	invalid     *invalidValueLog
	callTimeout time.Duration // after it, a response is overdue and scrapes stop waiting
	maxAge      time.Duration // of a last good response

	tables tables

	mu      sync.Mutex
	queries map[string]*queryState // by the key of the query
}

// queryState is what is known of a query between scrapes. The mutex of the
// queryCache guards it.
type queryState struct {
	attempt    *attempt // the latest one in progress, or nil
	unanswered int      // number of attempts in progress
	lastGood   response // its time is zero if there was none
	pace       pace
	rare       bool // see query
}

func newQueryCache(r wmiquery.Reader, l *dedupLogger, callTimeout, maxAge time.Duration) *queryCache {
	return &queryCache{
		reader:      r,
		metrics:     newRequestMetrics(),
		invalid:     newInvalidValueLog(l),
		callTimeout: callTimeout,
		maxAge:      maxAge,
		queries:     map[string]*queryState{},
	}
}

// attempt is one attempt to run a query.
type attempt struct {
	created  time.Time
	repeated bool          // whether an earlier attempt has not been answered
	started  chan struct{} // closed when the host has received the query, or never will
	overdue  chan struct{} // closed when callTimeout has passed since the query was started
	done     chan struct{} // closed when response is set
	response response

	startedAt time.Time // set before started is closed
}

// current returns the response if it has arrived, or ErrTimeout.
func (a *attempt) current() response {
	if a.isDone() {
		return a.response
	}
	return response{err: wmiquery.ErrTimeout}
}

func (a *attempt) isDone() bool { return isClosed(a.done) }

// runningFor returns how long ago the host has received the query. It is 0 while
// the query waits for a worker.
func (a *attempt) runningFor() time.Duration {
	if !isClosed(a.started) {
		return 0
	}
	return time.Since(a.startedAt)
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// A COM call may never return. Its query is therefore run a second time after
// retryTimeouts times the call timeout; otherwise it would never succeed again.
// There is no third attempt, since each may block a worker.
const (
	retryTimeouts = 20
	maxAttempts   = 2
)

// join returns the attempt in progress for a query of a scrape. It starts one if
// there is none, unless the query is slow and its last response is new: then the
// query will be run shortly before the next scrape, and the attempt is nil.
//
// The result late is true if the query is slow and has a last good response, for
// which the scrape should not wait.
func (c *queryCache) join(q query, slowest time.Duration) (a *attempt, late bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.queries[q.key]
	if s == nil {
		s = &queryState{rare: q.rare}
		c.queries[q.key] = s
	}
	fresh := s.pace.ask(time.Now())
	late = s.pace.slow && c.usable(s.lastGood)
	if a := s.attempt; a != nil {
		if !c.hangs(a) || s.unanswered >= maxAttempts {
			return a, late
		}
	}
	if late && q.rare && slowest > 0 && time.Since(s.pace.answered) < c.maxAge/2 {
		return nil, true
	}
	if wait := s.pace.untilNext(slowest); late && fresh && wait > 0 {
		s.pace.timer = time.AfterFunc(wait, func() { c.runAhead(q, s) })
		return nil, true
	}
	return c.start(q, s), late
}

// hangs reports whether a query has been running for so long that it is run again.
func (c *queryCache) hangs(a *attempt) bool { return a.runningFor() >= retryTimeouts*c.callTimeout }

// slowest returns the longest time that the host took for a slow query. Slow
// queries are run together, so that they delay each other always or never.
func (c *queryCache) slowest() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var longest time.Duration
	for _, s := range c.queries {
		if s.pace.slow && !s.rare {
			longest = max(longest, s.pace.took)
		}
	}
	return longest
}

// runAhead runs a slow query before the next scrape.
func (c *queryCache) runAhead(q query, s *queryState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.attempt == nil && c.queries[q.key] == s {
		c.start(q, s)
	}
}

// start starts an attempt. The caller must hold c.mu.
func (c *queryCache) start(q query, s *queryState) *attempt {
	a := &attempt{
		created:  time.Now(),
		repeated: s.unanswered > 0,
		started:  make(chan struct{}),
		overdue:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	s.attempt = a
	s.unanswered++
	go c.run(q, s, a)
	return a
}

// run runs the query and completes the attempt. Its duration is measured from
// when the host receives the query: waiting for a worker does not count.
func (c *queryCache) run(q query, s *queryState, a *attempt) {
	var overdue *time.Timer
	ctx := wmiquery.WithStarted(context.Background(), func() {
		a.startedAt = time.Now()
		close(a.started)
		overdue = time.AfterFunc(c.callTimeout, func() {
			c.metrics.observe(q.operation, time.Since(a.startedAt), wmiquery.ErrTimeout)
			close(a.overdue)
		})
	})
	value, err := recoverPanic(func() (any, error) { return q.run(ctx) })
	invalid, ok := wmiquery.InvalidValues(err)
	if ok {
		err = nil
	}
	slow := false
	switch {
	case overdue == nil: // the host has not received the query
		close(a.started)
		c.metrics.count(q.operation, err)
	case overdue.Stop():
		c.metrics.observe(q.operation, time.Since(a.startedAt), err)
	default:
		slow = !c.hangs(a) // a call that hung says nothing about the next one
	}
	c.complete(q, s, a, response{value, c.reader.Now(), err, invalid}, slow)
}

// complete stores the response of an attempt. If a newer attempt has started, the
// response is dropped, since the time that it describes is unknown.
func (c *queryCache) complete(q query, s *queryState, a *attempt, r response, slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.unanswered--
	if s.attempt != a {
		r = response{at: r.at, err: wmiquery.ErrTimeout}
	} else {
		s.attempt = nil
		s.pace.answer(time.Now(), time.Since(a.created), slow && r.err == nil)
	}
	if r.err == nil {
		if q.onResponse != nil {
			q.onResponse(r.value)
		}
		c.invalid.record(q.key, r.invalid)
		s.lastGood = r
	}
	a.response = r
	close(a.done)
}

// usable reports whether a last good response can replace one that is missing.
func (c *queryCache) usable(r response) bool {
	return !r.at.IsZero() && c.reader.Now().Sub(r.at) <= c.maxAge
}

// lastGoodResponse returns the last good response unless it is older than maxAge and
// must not be.
func (c *queryCache) lastGoodResponse(key string, ofAnyAge bool) (response, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.queries[key]
	if s == nil || s.lastGood.at.IsZero() || !ofAnyAge && !c.usable(s.lastGood) {
		return response{}, false
	}
	return s.lastGood, true
}

// lastGoodTime returns the time of the last good response, by the host's clock. It
// is the zero time if there was none.
func (c *queryCache) lastGoodTime(key string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.queries[key]; s != nil {
		return s.lastGood.at
	}
	return time.Time{}
}

// prune removes the state of the queries for whose key obsolete returns true. It
// keeps the number of attempts in progress, which is limited.
func (c *queryCache) prune(obsolete func(key string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, s := range c.queries {
		if !obsolete(key) {
			continue
		}
		s.pace.stop()
		if s.unanswered == 0 {
			delete(c.queries, key)
		}
		s.lastGood, s.pace = response{}, pace{}
		c.invalid.record(key, nil)
	}
}
