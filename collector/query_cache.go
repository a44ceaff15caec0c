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

	// mu guards the maps, whose keys are those of queries.
	mu         sync.Mutex
	inflight   map[string]*inflightQuery // the latest attempt in progress
	unanswered map[string]int            // number of attempts in progress
	lastGood   map[string]response
	lastRun    map[string]time.Time
}

func newQueryCache(r wmiquery.Reader, l *dedupLogger, callTimeout, maxAge time.Duration) *queryCache {
	return &queryCache{
		reader:      r,
		metrics:     newRequestMetrics(),
		invalid:     newInvalidValueLog(l),
		callTimeout: callTimeout,
		maxAge:      maxAge,
		inflight:    map[string]*inflightQuery{},
		unanswered:  map[string]int{},
		lastGood:    map[string]response{},
		lastRun:     map[string]time.Time{},
	}
}

// inflightQuery is one attempt to run a query.
type inflightQuery struct {
	created  time.Time
	started  chan struct{} // closed when the host has received the query, or never will
	overdue  chan struct{} // closed when callTimeout has passed since the query was started
	done     chan struct{} // closed when response is set
	response response
}

// current returns the response if it has arrived, or ErrTimeout.
func (f *inflightQuery) current() response {
	select {
	case <-f.done:
		return f.response
	default:
		return response{err: wmiquery.ErrTimeout}
	}
}

// A COM call may never return. Its query is therefore run a second time after
// retryTimeouts times the call timeout; otherwise it would never succeed again.
// There is no third attempt, since each may block a worker.
const (
	retryTimeouts = 20
	maxAttempts   = 2
)

// join returns the attempt in progress for a query, and starts one if there is
// none.
func (c *queryCache) join(q query) *inflightQuery {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.inflight[q.key]
	if f != nil && (time.Since(f.created) < retryTimeouts*c.callTimeout || c.unanswered[q.key] >= maxAttempts) {
		return f
	}
	f = &inflightQuery{
		created: time.Now(),
		started: make(chan struct{}),
		overdue: make(chan struct{}),
		done:    make(chan struct{}),
	}
	c.inflight[q.key] = f
	c.unanswered[q.key]++
	c.lastRun[q.key] = f.created
	go c.run(q, f)
	return f
}

// run runs the query and completes the attempt. Its duration is measured from
// when the host receives the query: waiting for a worker does not count.
func (c *queryCache) run(q query, f *inflightQuery) {
	var start time.Time
	var overdue *time.Timer
	ctx := wmiquery.WithStarted(context.Background(), func() {
		start = time.Now()
		close(f.started)
		overdue = time.AfterFunc(c.callTimeout, func() {
			c.metrics.observe(q.operation, time.Since(start), wmiquery.ErrTimeout)
			close(f.overdue)
		})
	})
	value, err := recoverPanic(func() (any, error) { return q.run(ctx) })
	invalid, ok := wmiquery.InvalidValues(err)
	if ok {
		err = nil
	}
	switch {
	case overdue == nil: // the host has not received the query
		close(f.started)
		c.metrics.count(q.operation, err)
	case overdue.Stop():
		c.metrics.observe(q.operation, time.Since(start), err)
	}
	c.complete(q, f, response{value, c.reader.Now(), err, invalid})
}

// complete stores the response of an attempt. If a newer attempt has started, the
// response is dropped, since the time that it describes is unknown.
func (c *queryCache) complete(q query, f *inflightQuery, r response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unanswered[q.key]--; c.unanswered[q.key] == 0 {
		delete(c.unanswered, q.key)
	}
	if c.inflight[q.key] != f {
		r = response{at: r.at, err: wmiquery.ErrTimeout}
	} else {
		delete(c.inflight, q.key)
	}
	if r.err == nil {
		if q.onResponse != nil {
			q.onResponse(r.value)
		}
		c.invalid.record(q.key, r.invalid)
		c.lastGood[q.key] = r
	}
	f.response = r
	close(f.done)
}

// lastGoodResponse returns the last good response unless it is older than maxAge.
func (c *queryCache) lastGoodResponse(key string) (response, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.lastGood[key]
	return r, ok && c.reader.Now().Sub(r.at) <= c.maxAge
}

// lastGoodTime returns the time of the last good response, by the host's clock. It
// is the zero time if there was none.
func (c *queryCache) lastGoodTime(key string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastGood[key].at
}

// lastRunTime returns when the query was last run, or the zero time.
func (c *queryCache) lastRunTime(key string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastRun[key]
}

// prune removes the state of the queries for whose key obsolete returns true.
func (c *queryCache) prune(obsolete func(key string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.lastRun {
		if obsolete(key) {
			delete(c.lastRun, key)
		}
	}
	for key := range c.lastGood { // a response may arrive after its query was removed from lastRun
		if obsolete(key) {
			delete(c.lastGood, key)
			c.invalid.record(key, nil)
		}
	}
}
