package collector

import (
	"errors"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
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
	failed map[string]string          // collector -> kind of its failure
	noted  map[string]map[string]bool // collector -> keys of its notes
}

func newChangeLogger(l log.Logger) *changeLogger {
	return &changeLogger{logger: l, failed: map[string]string{}, noted: map[string]map[string]bool{}}
}

// result logs a failure, or that this Windows lacks something, when it is new or
// of another kind than before, at debug level when it goes on, and that it is over.
func (c *changeLogger) result(collector string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, was := c.failed[collector]
	if err == nil {
		if was {
			delete(c.failed, collector)
			level.Info(c.logger).Log("msg", "collector succeeds again", "collector", collector)
		}
		return
	}
	if p, ok := errors.AsType[*wmiquery.PanicError](err); ok {
		level.Debug(c.logger).Log("msg", "a panic was caught", "collector", collector, "stack", string(p.Stack))
	}
	c.failed[collector] = kind(err)
	switch {
	case was && before == kind(err):
		level.Debug(c.logger).Log("msg", "collector fares as before", "collector", collector, "err", err)
	case onlyLacks(err):
		level.Info(c.logger).Log("msg", "this Windows does not have everything that the collector reads", "collector", collector, "err", err)
	case errors.Is(err, wmiquery.ErrUnsupported):
		level.Warn(c.logger).Log("msg", "collector has something to read that this host does not have", "collector", collector, "err", err)
	default:
		level.Error(c.logger).Log("msg", "collector failed", "collector", collector, "err", err)
	}
}

// kind is what makes a failure the same as before: its innermost causes. What is
// wrapped around them, such as how many relationships are concerned, may differ
// with every scrape.
func kind(err error) string {
	causes := map[string]bool{}
	addCauses(causes, err)
	return strings.Join(slices.Sorted(maps.Keys(causes)), "; ")
}

func addCauses(causes map[string]bool, err error) {
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself
	case interface{ Unwrap() []error }:
		for _, cause := range e.Unwrap() {
			addCauses(causes, cause)
		}
	case interface{ Unwrap() error }:
		addCauses(causes, e.Unwrap())
	default:
		if isSilence(err) { // on a host that hangs, the ways in which it does take turns
			err = wmiquery.ErrTimeout
		}
		causes[err.Error()] = true
	}
}

// newPanicError makes an error of a panic that was caught.
func newPanicError(value any) error {
	return &wmiquery.PanicError{Value: value, Stack: debug.Stack()}
}

func isPanic(err error) bool {
	_, ok := errors.AsType[*wmiquery.PanicError](err)
	return ok
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
