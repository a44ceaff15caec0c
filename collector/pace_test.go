package collector

import (
	"testing"
	"time"
)

// A slow query is run before the next scrape, which is expected after the shorter of the last two intervals, so that two
// Prometheus servers both get a recent response. It is run during the scrape if the interval is not known or too short.
func TestTimeOfNextRun(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var p pace
	for _, step := range []struct{ at, slowest, want time.Duration }{
		{0, 8 * time.Second, 0},
		{60 * time.Second, 8 * time.Second, 0}, // one interval may be by chance
		{120 * time.Second, 8 * time.Second, 48 * time.Second},
		{180 * time.Second, 8 * time.Second, 48 * time.Second},
		{180 * time.Second, 40 * time.Second, 0},
		{230 * time.Second, 8 * time.Second, 0}, // the scrape at 180 seconds was repeated
		{290 * time.Second, 8 * time.Second, 38 * time.Second},
		{340 * time.Second, 8 * time.Second, 38 * time.Second},
		{400 * time.Second, 8 * time.Second, 38 * time.Second},
	} {
		p.ask(start.Add(step.at))
		if got := p.untilNext(step.slowest); got != step.want {
			t.Errorf("after a scrape at %v: next run after %v, want %v", step.at, got, step.want)
		}
	}
}
