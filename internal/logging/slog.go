package logging

import (
	"context"
	"log/slog"
	"slices"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// slogHandler is a slog.Handler that writes to a go-kit logger, for the exporter toolkit, which logs through log/slog.
// The logger adds the time itself, so the time of the record is left out.
type slogHandler struct {
	logger log.Logger
	least  slog.Level
	group  string // prefix of keys: "" or ends in a dot
	kv     []any  // keys and values of every record
}

// NewSlogHandler returns a handler that writes to logger. Records below lvl are not built; logger may drop more.
func NewSlogHandler(logger log.Logger, lvl string) slog.Handler {
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

// flatten appends an attribute. The members of a group get the name of the group as a prefix.
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
