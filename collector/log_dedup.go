package collector

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/internal/logging"
	"hyperv_replica_exporter/wmiquery"
)

// dedupLogger logs failures and warnings of collectors when they change.
// Otherwise a host that is broken for hours would fill the log in every scrape.
type dedupLogger struct {
	logger  log.Logger
	results log.Logger // of collectors; a host, or the timeouts of clients, can change them again and again

	mu       sync.Mutex
	causes   map[string]string          // causes of the current failure, by collector
	advised  map[string]bool            // advice that was logged since all collectors were successful
	warnings map[string]map[string]bool // keys of the current warnings, by source
}

func newDedupLogger(l log.Logger) *dedupLogger {
	return &dedupLogger{
		logger: l, results: logging.NewLimited(l, 100, 10*time.Minute),
		causes: map[string]string{}, advised: map[string]bool{}, warnings: map[string]map[string]bool{},
	}
}

// logResult logs the result of a collector. An error is logged when its cause is
// new, and at debug level while it persists. The first success after an error is
// logged, too.
func (d *dedupLogger) logResult(collector string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before, failed := d.causes[collector]
	if err == nil {
		if failed {
			if delete(d.causes, collector); len(d.causes) == 0 {
				clear(d.advised)
			}
			level.Info(d.results).Log("msg", "collector recovered", "collector", collector)
		}
		return
	}
	if p, ok := errors.AsType[*wmiquery.PanicError](err); ok {
		level.Debug(d.results).Log("msg", "recovered from panic", "collector", collector, "stack", string(p.Stack))
	}
	causes := causesOf(err)
	d.causes[collector] = causes
	repeated, missing := failed && before == causes, onlyMissingClasses(err)
	cause := []any{"collector", collector, "err", err}
	if advice := wmiquery.Advice(err); advice != "" && !missing && !d.advised[advice] {
		d.advised[advice] = true
		cause = append(cause, "do", advice)
	}
	switch {
	case repeated && missing:
		level.Debug(d.results).Log("msg", "class still missing", "collector", collector, "err", err)
	case repeated:
		level.Debug(d.results).Log("msg", "collector still failing", "collector", collector, "err", err)
	case missing:
		level.Info(d.results).Log("msg", "class missing on this version of Windows", "collector", collector, "err", err)
	case errors.Is(err, wmiquery.ErrUnsupported):
		level.Warn(d.results).Log(append([]any{"msg", "class or method missing on this host"}, cause...)...)
	default:
		level.Error(d.results).Log(append([]any{"msg", "collector failed"}, cause...)...)
	}
}

// logEarlyEnd logs that a scrape had too little time, at debug level: any client can
// cause it. The failure that was logged before, if any, remains in effect.
func (d *dedupLogger) logEarlyEnd(collector string, err error) {
	level.Debug(d.logger).Log("msg", "scrape ended before the host responded", "collector", collector, "err", err)
}

// logWarnings logs the current warnings of a source, except for those that it had
// before. The source is a collector or a query; kv are the keys and values that
// identify it in the log. If the warnings are incomplete, those before remain in
// effect.
func (d *dedupLogger) logWarnings(source string, kv []any, warnings []warning, complete bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.warnings[source]
	current := make(map[string]bool, len(warnings))
	for _, w := range warnings {
		if !before[w.key] && !current[w.key] {
			level.Warn(d.logger).Log(slices.Concat([]any{"msg", w.message}, kv, w.kv)...)
		}
		current[w.key] = true
	}
	if !complete {
		maps.Copy(current, before)
	}
	if d.warnings[source] = current; len(current) == 0 {
		delete(d.warnings, source)
	}
}

// causesOf returns the innermost errors of err, which identify a failure. The
// errors around them may differ in every scrape, for example in the number of
// relationships concerned.
func causesOf(err error) string {
	causes := map[string]bool{}
	addCauses(causes, err)
	return strings.Join(slices.Sorted(maps.Keys(causes)), "; ")
}

func addCauses(causes map[string]bool, err error) {
	switch e := err.(type) { //nolint:errorlint // this function walks the error tree itself
	case interface{ Unwrap() []error }:
		for _, cause := range e.Unwrap() {
			addCauses(causes, cause)
		}
	case interface{ Unwrap() error }:
		addCauses(causes, e.Unwrap())
	default:
		if isNoAnswer(err) { // the errors of a host that does not respond alternate
			err = wmiquery.ErrTimeout
		}
		causes[err.Error()] = true
	}
}
