package collector

import "time"

// pace is when scrapes need the response to a query, and how long the host takes
// to return it. It decides when a slow query is run: not during a scrape, which
// does not wait for it, but shortly before the next one. So each scrape exposes a
// recent response, and the host gets no more queries than if it were fast.
type pace struct {
	asked     time.Time        // time of the last scrape
	intervals [2]time.Duration // between the last scrapes, the latest first; 0 if there were fewer
	answered  time.Time        // time of the last response
	took      time.Duration    // from the start of that attempt to its response, with the time in the queue
	slow      bool             // whether the response was good but overdue
	timer     *time.Timer      // of the next attempt
}

// ask records that a scrape asks for the query. It reports whether a response has
// arrived since the scrape before, and stops the timer.
func (p *pace) ask(now time.Time) (fresh bool) {
	p.stop()
	fresh = p.answered.After(p.asked)
	if !p.asked.IsZero() {
		p.intervals = [2]time.Duration{now.Sub(p.asked), p.intervals[0]}
	}
	p.asked = now
	return fresh
}

func (p *pace) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// answer records that a response has arrived.
func (p *pace) answer(now time.Time, took time.Duration, slow bool) {
	p.answered, p.took, p.slow = now, took, slow
}

// untilNext returns how long after a scrape the query should be run for the next
// one, or 0 if it should be run during the scrape. The next scrape is expected
// after the shorter of the last two intervals: two Prometheus servers scrape at
// alternating intervals. The query is run so early that the slowest one, which the
// host took that long for, has half as much time again.
func (p *pace) untilNext(slowest time.Duration) time.Duration {
	return max(0, min(p.intervals[0], p.intervals[1])-slowest*3/2)
}
