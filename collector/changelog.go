package collector

import (
	"errors"
	"maps"
	"sync"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/wmiquery"
)

// changeLogger logs what is new: a host that is broken for a night must not fill
// the log every 15 seconds.
type changeLogger struct {
	logger log.Logger

	mu     sync.Mutex
	failed map[string]string          // collector -> error text
	noted  map[string]map[string]bool // collector -> keys of its notes
}

func newChangeLogger(l log.Logger) *changeLogger {
	return &changeLogger{logger: l, failed: map[string]string{}, noted: map[string]map[string]bool{}}
}

// result logs a failure when it is new or another than before, at debug level
// when it goes on, and that it is over.
func (c *changeLogger) result(collector string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, was := c.failed[collector]
	switch {
	case err == nil && was:
		delete(c.failed, collector)
		level.Info(c.logger).Log("msg", "collector succeeds again", "collector", collector)
	case err == nil:
	case was && before == err.Error():
		level.Debug(c.logger).Log("msg", "collector still fails", "collector", collector, "err", err)
	case errors.Is(err, wmiquery.ErrUnsupported):
		c.failed[collector] = err.Error()
		level.Warn(c.logger).Log("msg", "collector has something to read that this host does not have", "collector", collector, "err", err)
	default:
		c.failed[collector] = err.Error()
		level.Error(c.logger).Log("msg", "collector failed", "collector", collector, "err", err)
	}
}

// notes logs the notes that were not there in the collector's last scrape. After
// a scrape that was not complete, none counts as gone.
func (c *changeLogger) notes(collector string, notes []note, complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.noted[collector]
	now := make(map[string]bool, len(notes))
	for _, n := range notes {
		if !before[n.key] && !now[n.key] {
			kv := append([]any{"msg", n.text, "collector", collector}, n.kv...)
			level.Warn(c.logger).Log(kv...)
		}
		now[n.key] = true
	}
	if !complete {
		maps.Copy(now, before)
	}
	c.noted[collector] = now
}
