package collector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/wmiquery"
)

// Options are what a Scraper and its collectors can be told.
type Options struct {
	Reader wmiquery.Reader
	Logger log.Logger
	// Objectives are the rules for rpo_objective_seconds, the first match counts.
	Objectives []Objective
	// Concurrency is how many statistics are asked for at once.
	Concurrency int
	// CallTimeout is how long a scrape waits for one answer of the host at most.
	CallTimeout time.Duration
	// MaxAge is how old an answer may be that is shown because there is no newer.
	MaxAge time.Duration
}

// The scraper's metrics about itself.
var (
	success = gauge("collector_success",
		"1 if the collector read everything it wanted in time, or this Windows does not have it, 0 if not; what it could read is there all the same.", "collector")
	supported = gauge("collector_supported",
		"0 if this Windows does not have a class that the collector reads, and others do not have it either; else 1.", "collector")
	duration = gauge("collector_duration_seconds",
		"How long the collector took in this scrape.", "collector")
	snapshotTimestamp = gauge("snapshot_timestamp_seconds",
		"When the oldest answer of the host that the collector last showed was given, by the host's clock.", "collector")
)

// ScrapeMetrics are the metrics that a scrape gives about itself.
func ScrapeMetrics() []*Metric { return []*Metric{success, supported, duration, snapshotTimestamp} }

// A Scraper runs collectors. It is what lasts between scrapes: the answers to be
// shared, the counters, and what has been logged.
type Scraper struct {
	collectors []Collector
	reads      *reads
	logger     *changeLogger

	mu        sync.Mutex
	round     *round               // the one that scrapes may join; nil if there is none
	snapshots map[string]time.Time // by collector
}

// NewScraper makes a Scraper that runs those of All(o) whose name enabled says
// true to.
func NewScraper(o Options, enabled func(name string) bool) *Scraper {
	s := &Scraper{
		reads: &reads{
			reader:   o.Reader,
			requests: newRequests(),
			overdue:  o.CallTimeout,
			maxAge:   o.MaxAge,
			flights:  map[string]*flight{},
			open:     map[string]int{},
			last:     map[string]answer{},
			asked:    map[string]time.Time{},
		},
		logger:    newChangeLogger(o.Logger),
		snapshots: map[string]time.Time{},
	}
	for _, c := range All(o) {
		if enabled(c.Name) {
			s.collectors = append(s.collectors, c)
		}
	}
	return s
}

// Collectors are the names of those that are enabled.
func (s *Scraper) Collectors() []string {
	var names []string
	for _, c := range s.collectors {
		names = append(names, c.Name)
	}
	return names
}

// Requests are the collectors of the metrics about questions to the host.
func (s *Scraper) Requests() []prometheus.Collector {
	return []prometheus.Collector{s.reads.requests.total, s.reads.requests.duration}
}

// Select makes a prometheus.Collector that reads the host when it is collected,
// until ctx ends, through the collectors named, or all if none is named.
func (s *Scraper) Select(ctx context.Context, names ...string) (prometheus.Collector, error) {
	if len(names) == 0 {
		return &scrape{ctx, s, s.collectors}, nil
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
			return nil, fmt.Errorf("no collector %q is enabled; there are: %s", name, strings.Join(s.Collectors(), ", "))
		}
		selected = append(selected, c)
	}
	return &scrape{ctx, s, selected}, nil
}

func (s *Scraper) find(name string) (Collector, bool) {
	for _, c := range s.collectors {
		if c.Name == name {
			return c, true
		}
	}
	return Collector{}, false
}

// join gives the round that scrapes share at the moment, and a function to call
// at the end of the scrape. A round ends with the scrape that began it: those
// who joined must not hand their answers on to ever later scrapes.
func (s *Scraper) join() (*round, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.round != nil {
		return s.round, func() {}
	}
	s.round = &round{reads: s.reads, joined: map[string]*flight{}}
	return s.round, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.round = nil
	}
}

// scrape is one scrape as the registry sees it, which knows no context.
type scrape struct {
	ctx        context.Context //nolint:containedctx // prometheus.Collector has no place for it
	scraper    *Scraper
	collectors []Collector
}

// Describe sends the descriptors of all metrics that may come.
func (s *scrape) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range ScrapeMetrics() {
		ch <- m.desc
	}
	for _, c := range s.collectors {
		for _, m := range c.Metrics {
			ch <- m.desc
		}
	}
}

// Collect runs the collectors side by side, each as soon as the host has been
// asked for what it reads.
func (s *scrape) Collect(ch chan<- prometheus.Metric) {
	round, leave := s.scraper.join()
	defer leave()
	var wg sync.WaitGroup
	for _, c := range s.collectors {
		round.begin(s.ctx, c)
		wg.Go(func() {
			out := s.scraper.run(s.ctx, c, round)
			for i := range out.samples {
				ch <- &out.samples[i]
			}
		})
	}
	wg.Wait()
}

// run runs one collector, and adds to what it gives how that went.
func (s *Scraper) run(ctx context.Context, c Collector, r *round) *output {
	start := time.Now()
	out := &output{}
	v := &view{round: r}
	err := collect(ctx, c, v, out)
	if (err == nil || onlyLacks(err)) && len(v.late) > 0 {
		err = errors.Join(err, fmt.Errorf("%w, the last good answers are shown: %s", wmiquery.ErrTimeout, tally(v.late)))
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		// Who asked has left. That is nothing that the host could help.
		return out
	}
	whole := err == nil || onlyLacks(err)
	// That there is nothing to show, such as no test replica, is an answer, too.
	showed := whole || len(out.samples) > 0 && !errors.Is(err, wmiquery.ErrDenied)
	l := newLabels("collector", c.Name)
	out.add(duration, time.Since(start).Seconds(), l)
	out.add(success, boolean(whole), l)
	out.add(supported, boolean(!lacks(err)), l)
	s.mu.Lock()
	if showed && !v.oldest.IsZero() {
		s.snapshots[c.Name] = v.oldest
	}
	at, known := s.snapshots[c.Name]
	s.mu.Unlock()
	out.timestamp(snapshotTimestamp, at, known, l)
	s.logger.result(c.Name, err)
	s.logger.notes(c.Name, out.notes, whole)
	return out
}

// collect runs the collector; if it panics it has only failed and gives nothing.
func collect(ctx context.Context, c Collector, v *view, out *output) (err error) {
	_, err = caught(func() (struct{}, error) { return struct{}{}, c.collect(ctx, v, out) })
	if isPanic(err) {
		*out = output{} // half of a sentence may be wrong
	}
	return err
}

// tally is a list without repetitions, with the number of times in brackets.
func tally(list []string) string {
	count := map[string]int{}
	var order []string
	for _, s := range list {
		if count[s]++; count[s] == 1 {
			order = append(order, s)
		}
	}
	for i, s := range order {
		if n := count[s]; n > 1 {
			order[i] = fmt.Sprintf("%s (%d)", s, n)
		}
	}
	return strings.Join(order, ", ")
}
