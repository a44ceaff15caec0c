package main

import (
	"context"
	"io"
	"log/slog"
	"slices"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// lineLogger writes lines of a format, which is checked by the flags.
func lineLogger(w io.Writer, format string) log.Logger {
	if format == "json" {
		return log.NewJSONLogger(w)
	}
	return log.NewLogfmtLogger(w)
}

// newLogger makes the program's logger of one that writes everything. The level is
// checked by the flags.
func newLogger(logger log.Logger, lvl string) log.Logger {
	logger = level.NewFilter(logger, level.Allow(level.ParseDefault(lvl, level.InfoValue())))
	if lvl == "debug" {
		logger = log.With(logger, "caller", log.DefaultCaller)
	}
	return logger
}

// slogHandler lets what logs through log/slog, the exporter toolkit, write to
// the go-kit logger. The logger stamps the time itself, so a record's is left out.
type slogHandler struct {
	logger log.Logger
	least  slog.Level
	group  string // prefix of keys, "" or ending in a dot
	kv     []any  // keys and values that every record has
}

// newSlogHandler writes to logger. lvl spares records below it being built; the
// logger has its own filter.
func newSlogHandler(logger log.Logger, lvl string) slog.Handler {
	least := slog.LevelInfo
	if err := least.UnmarshalText([]byte(lvl)); err != nil {
		least = slog.LevelDebug
	}
	return &slogHandler{logger: logger, least: least}
}

func (h *slogHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.least }

func (h *slogHandler) Handle(_ context.Context, r slog.Record) error {
	kv := append([]any{"msg", r.Message}, h.kv...)
	r.Attrs(func(a slog.Attr) bool {
		kv = flatten(kv, h.group, a)
		return true
	})
	return leveled(h.logger, r.Level).Log(kv...)
}

func (h *slogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := *h
	out.kv = slices.Clip(h.kv)
	for _, a := range attrs {
		out.kv = flatten(out.kv, h.group, a)
	}
	return &out
}

func (h *slogHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	out := *h
	out.group += name + "."
	return &out
}

// flatten appends an attribute; the members of a group get its name as a prefix.
func flatten(kv []any, prefix string, a slog.Attr) []any {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return kv
	}
	if v.Kind() != slog.KindGroup {
		return append(kv, prefix+a.Key, v.Any())
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range v.Group() {
		kv = flatten(kv, prefix, member)
	}
	return kv
}

func leveled(l log.Logger, s slog.Level) log.Logger {
	switch {
	case s >= slog.LevelError:
		return level.Error(l)
	case s >= slog.LevelWarn:
		return level.Warn(l)
	case s >= slog.LevelInfo:
		return level.Info(l)
	}
	return level.Debug(l)
}
