package collector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// run is one run of a collector.
type run struct {
	collector Collector
	duration  time.Duration
	complete  bool
	supported bool
	snapshot  time.Time // see snapshotTimestamp; zero if not known
	canceled  bool      // whether the client has disconnected: the result says nothing about the host
}

// run runs one collector.
func (s *Scraper) run(ctx context.Context, c Collector, share *scrapeShare, out *output) run {
	start := time.Now()
	v := &view{scrapeShare: share}
	err := runCollector(ctx, c, v, out)
	if (err == nil || onlyMissingClasses(err)) && len(v.late) > 0 {
		late := fmt.Errorf("%s: %w, last good responses are exposed", countDuplicates(v.late), wmiquery.ErrTimeout)
		err = errors.Join(err, late)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return run{canceled: true}
	}
	complete := err == nil || onlyMissingClasses(err)
	// A complete result may have no samples, for example if there is no test replica.
	exposed := complete || len(out.samples) > 0 && !errors.Is(err, wmiquery.ErrDenied)
	duration := time.Since(start)
	s.mu.Lock()
	if exposed && !v.oldest.IsZero() {
		s.snapshots[c.Name] = v.oldest
	}
	r := run{c, duration, complete, !isMissingClass(err), s.snapshots[c.Name], false}
	s.runs[c.Name] = r
	s.mu.Unlock()
	if s.endsEarly(ctx, start) && isOnly(err, isNoAnswer, isMissingClass) {
		s.logger.logEarlyEnd(c.Name, err)
	} else {
		s.logger.logResult(c.Name, err)
	}
	s.logger.logWarnings(c.Name, []any{"collector", c.Name}, out.warnings, complete)
	return r
}

// collectRuns adds the metrics about the collectors themselves.
func collectRuns(runs []run, out *output) {
	for _, r := range runs {
		if r.canceled {
			continue
		}
		l := label("collector", r.collector.Name)
		out.add(collectorDuration, r.duration.Seconds(), nil, l)
		out.add(collectorSuccess, boolToFloat(r.complete), nil, l)
		out.add(collectorSupported, boolToFloat(r.supported), nil, l)
		if !r.snapshot.IsZero() {
			out.add(snapshotTimestamp, unixSeconds(r.snapshot), nil, l)
		}
	}
}

// endsEarly reports whether the scrape that started at a time has ended because its
// client gave it less time than one call may take. What it lacks then says nothing
// about the host.
func (s *Scraper) endsEarly(ctx context.Context, start time.Time) bool {
	deadline, ok := ctx.Deadline()
	return ok && ctx.Err() != nil && deadline.Sub(start) < s.cache.callTimeout
}

// runCollector runs the collector. A panic is returned as an error, and the
// samples added before it are dropped, since they may be incomplete.
func runCollector(ctx context.Context, c Collector, v *view, out *output) error {
	_, err := recoverPanic(func() (struct{}, error) { return struct{}{}, c.collect(ctx, v, out) })
	if isPanic(err) {
		*out = output{kept: out.kept}
	}
	return err
}

// countDuplicates lists the strings without duplicates, each with the number of
// its occurrences in brackets if there are several.
func countDuplicates(list []string) string {
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
