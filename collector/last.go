package collector

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Last returns the series of all collectors from the last good responses of the host,
// whatever their age, and never asks the host. A lag is that at the time of the
// response; only statistics_age_seconds grows with time. The series about the collectors themselves are those of
// their last run; there are none before it. The metric families are sorted by name.
// The error has the series that cannot be exposed.
func (s *Scraper) Last(ctx context.Context) ([]*dto.MetricFamily, error) {
	share := newScrapeShare(s.cache)
	share.onlyLast = true
	collectors := s.enabledCollectors()
	outputs := make([]output, len(collectors))
	var wg sync.WaitGroup
	for i, c := range collectors {
		// An error says that there is no response, which the metrics of the last run show.
		wg.Go(func() { _ = runCollector(ctx, c, &view{scrapeShare: share}, &outputs[i]) })
	}
	wg.Wait()
	var families []*dto.MetricFamily
	var errs prometheus.MultiError
	expose := func(out *output, metrics []*Metric) {
		var k keptSeries
		k.update(out, metrics)
		families = append(families, k.families...)
		errs.Append(k.err)
	}
	for i, c := range collectors {
		expose(&outputs[i], c.Metrics)
	}
	var about output
	collectRuns(s.lastRuns(), &about)
	expose(&about, ScrapeMetrics())
	sortFamilies(families)
	return families, errs.MaybeUnwrap()
}

// lastRuns returns the last run of each collector that has run.
func (s *Scraper) lastRuns() []run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var runs []run
	for _, c := range s.enabledCollectors() {
		if r, ok := s.runs[c.Name]; ok {
			runs = append(runs, r)
		}
	}
	return runs
}
