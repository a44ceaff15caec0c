package collector

import (
	"context"
	"sync"
	"time"
)

// scrapeShare is shared by scrapes that overlap, so that together they run each
// query once.
type scrapeShare struct {
	*queryCache
	slowest  time.Duration // see queryCache.slowest
	onlyLast bool          // whether the host is not asked: see Scraper.Last

	mu      sync.Mutex
	queries map[string]joinedQuery // by key of the query
}

// joinedQuery is a query as the scrapes have joined it.
type joinedQuery struct {
	*attempt      // nil if the query is run later
	late     bool // whether the scrapes do not wait for the response
}

func newScrapeShare(c *queryCache) *scrapeShare {
	return &scrapeShare{queryCache: c, slowest: c.slowest(), queries: map[string]joinedQuery{}}
}

// join returns the query as these scrapes have joined it, and joins it if they
// have not.
func (s *scrapeShare) join(q query) joinedQuery {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.queries[q.key]
	if s.onlyLast {
		return joinedQuery{late: true}
	}
	if !ok {
		j.attempt, j.late = s.queryCache.join(q, s.slowest)
		s.queries[q.key] = j
	}
	return j
}

// isOverdue reports whether these scrapes have waited for the response to a query in
// vain.
func (s *scrapeShare) isOverdue(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.queries[key]
	return j.attempt != nil && !j.isDone()
}

// start queries the classes that a collector reads, and waits until the host has
// received each query that is not late. So the host reads the classes in the order
// of All: if it is slow, the most important ones are available first.
func (s *scrapeShare) start(ctx context.Context, c Collector) {
	for _, source := range c.Reads {
		if source.Method != "" {
			continue // the call needs instances that are not read yet
		}
		j := s.join(instancesQuery(source.prototype, s.reader))
		if j.late {
			continue
		}
		select {
		case <-j.started:
		case <-ctx.Done():
		}
	}
}
