package collector

import (
	"context"
	"sync"
)

// scrapeShare is shared by scrapes that overlap, so that together they run each
// query once.
type scrapeShare struct {
	*queryCache
	mu      sync.Mutex
	queries map[string]*inflightQuery // by key of the query
}

func newScrapeShare(c *queryCache) *scrapeShare {
	return &scrapeShare{queryCache: c, queries: map[string]*inflightQuery{}}
}

// join returns the attempt of these scrapes to run a query, and starts it if
// there is none.
func (s *scrapeShare) join(q query) *inflightQuery {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.queries[q.key]
	if f == nil {
		f = s.queryCache.join(q)
		s.queries[q.key] = f
	}
	return f
}

// start queries the classes that a collector reads, and waits until the host has
// received each query. So the host reads the classes in the order of All: if it
// is slow, the most important ones are available first.
func (s *scrapeShare) start(ctx context.Context, c Collector) {
	for _, source := range c.Reads {
		if source.Method != "" {
			continue // the call needs instances that are not read yet
		}
		select {
		case <-s.join(instancesQuery(source.prototype, s.reader)).started:
		case <-ctx.Done():
		}
	}
}
