package collector

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/internal/textformat"
	"hyperv_replica_exporter/wmiquery"
)

// Options configures a Scraper and its collectors.
type Options struct {
	Reader wmiquery.Reader
	Logger log.Logger
	// Objectives returns the rules for rpo_objective_seconds. The first match applies. If Objectives is nil, there are no
	// rules.
	Objectives func() []Objective
	// OmitIssueText leaves out the text of health issues.
	OmitIssueText bool
	// CallTimeout is the maximum time that a scrape waits for one response of the
	// host.
	CallTimeout time.Duration
	// MaxAge is the maximum age of a response that is exposed in place of one that
	// did not arrive in time.
	MaxAge time.Duration
}

// Scraper runs collectors. It keeps what lasts between scrapes: the last
// responses of the host, the counters and what has been logged.
type Scraper struct {
	collectors []Collector // all, whether enabled or not
	enabled    func(name string) bool
	cache      *queryCache
	logger     *dedupLogger

	mu          sync.Mutex
	share       *scrapeShare         // of the scrapes in progress; nil if new scrapes may not join one
	snapshots   map[string]time.Time // time of the oldest response last exposed, by collector
	runs        map[string]run       // the last run of each collector
	expositions []*exposition        // of earlier scrapes, for those to come
}

// maxExpositions is the maximum number of expositions that are kept. More are only
// of use if more scrapes overlap all the time.
const maxExpositions = 2

// NewScraper returns a Scraper that runs the collectors of All(o) for whose name
// enabled returns true at the start of a scrape.
func NewScraper(o Options, enabled func(name string) bool) *Scraper {
	l := newDedupLogger(o.Logger)
	return &Scraper{
		collectors: All(o),
		enabled:    enabled,
		cache:      newQueryCache(o.Reader, l, o.CallTimeout, o.MaxAge),
		logger:     l,
		snapshots:  map[string]time.Time{},
		runs:       map[string]run{},
	}
}

// enabledCollectors returns the collectors that are enabled now.
func (s *Scraper) enabledCollectors() []Collector {
	var enabled []Collector
	for _, c := range s.collectors {
		if s.enabled(c.Name) {
			enabled = append(enabled, c)
		}
	}
	return enabled
}

// Collectors returns the names of the enabled collectors.
func (s *Scraper) Collectors() []string {
	var names []string
	for _, c := range s.enabledCollectors() {
		names = append(names, c.Name)
	}
	return names
}

// RequestMetrics returns the metrics about the requests to the host. Unlike those
// of Select, collecting them does not read the host.
func (s *Scraper) RequestMetrics() []prometheus.Collector {
	return []prometheus.Collector{s.cache.metrics.total, s.cache.metrics.duration, s.cache.invalid.total}
}

// Select returns a scrape that lasts until ctx ends. It runs the named collectors,
// or all if no name is given.
func (s *Scraper) Select(ctx context.Context, names ...string) (*Scrape, error) {
	if len(names) == 0 {
		return &Scrape{ctx: ctx, scraper: s, collectors: s.enabledCollectors()}, nil
	}
	var selected []Collector
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		c, ok := s.find(name)
		if !ok {
			return nil, fmt.Errorf("collector %q: not enabled; enabled collectors: %s",
				name, strings.Join(s.Collectors(), ", "))
		}
		selected = append(selected, c)
	}
	return &Scrape{ctx: ctx, scraper: s, collectors: selected}, nil
}

func (s *Scraper) find(name string) (Collector, bool) {
	for _, c := range s.collectors {
		if c.Name == name && s.enabled(name) {
			return c, true
		}
	}
	return Collector{}, false
}

// joinShare returns the current scrapeShare and a function to call at the end of
// the scrape. A share accepts no new scrapes once the scrape that created it has
// ended; otherwise overlapping scrapes could pass on the same responses forever.
func (s *Scraper) joinShare() (share *scrapeShare, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.share != nil {
		return s.share, func() {}
	}
	s.share = newScrapeShare(s.cache)
	return s.share, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.share = nil
	}
}

// takeExposition returns the exposition of an earlier scrape, or an empty one.
func (s *Scraper) takeExposition() *exposition {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.expositions); n > 0 {
		e := s.expositions[n-1]
		s.expositions = s.expositions[:n-1]
		return e
	}
	return &exposition{series: map[string]*keptSeries{}}
}

// keepExposition keeps an exposition that is no longer in use for a later scrape.
func (s *Scraper) keepExposition(e *exposition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.expositions) < maxExpositions {
		s.expositions = append(s.expositions, e)
	}
}

// Scrape is a single scrape as a prometheus.TransactionalGatherer, which gathers once.
type Scrape struct {
	ctx        context.Context //nolint:containedctx // Gather has no place for it
	scraper    *Scraper
	collectors []Collector
	exposition *exposition // nil before Gather and after done
}

// Gather runs the collectors concurrently. A collector starts once the host has
// received the queries for its classes. The metric families are sorted by name, and
// valid until done is called. The error has the series that cannot be exposed.
func (s *Scrape) Gather() (families []*dto.MetricFamily, done func(), err error) {
	e := s.scraper.takeExposition()
	s.exposition = e
	share, leave := s.scraper.joinShare()
	defer leave()
	outputs, runs := make([]*output, len(s.collectors)), make([]run, len(s.collectors))
	var wg sync.WaitGroup
	for i, c := range s.collectors {
		share.start(s.ctx, c)
		outputs[i] = e.of(c.Name).newOutput()
		wg.Go(func() { runs[i] = s.scraper.run(s.ctx, c, share, outputs[i]) })
	}
	wg.Wait()
	var errs prometheus.MultiError
	expose := func(name string, out *output, metrics []*Metric) {
		k := e.of(name)
		k.update(out, metrics)
		families = append(families, k.families...)
		errs.Append(k.err)
	}
	for i, c := range s.collectors {
		expose(c.Name, outputs[i], c.Metrics)
	}
	about := e.of("").newOutput()
	collectRuns(runs, about)
	expose("", about, ScrapeMetrics())
	sortFamilies(families)
	done = func() {
		s.exposition = nil
		s.scraper.keepExposition(e)
	}
	return families, done, errs.MaybeUnwrap()
}

// Text returns a metric family that was gathered as it is written, nil for any other.
// It is valid until done is called.
func (s *Scrape) Text(f *dto.MetricFamily) *textformat.Family {
	for _, c := range s.collectors {
		if t := s.exposition.of(c.Name).text(f); t != nil {
			return t
		}
	}
	return s.exposition.of("").text(f)
}
