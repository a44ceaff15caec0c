package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"

	"github.com/go-kit/log/level"
)

// NewSlogHandler follows the rules for slog handlers. It turns groups into dotted keys, which the test splits again.
func TestSlogHandler(t *testing.T) {
	var buf bytes.Buffer
	slogtest.Run(t,
		func(*testing.T) slog.Handler {
			buf.Reset()
			return NewSlogHandler(New(Console{Stderr: &buf}.Logger("json"), "debug"), "debug")
		},
		func(t *testing.T) map[string]any {
			var flat map[string]any
			if err := json.Unmarshal(buf.Bytes(), &flat); err != nil {
				t.Fatal(err)
			}
			flat[slog.TimeKey] = flat["ts"]
			if strings.HasSuffix(t.Name(), "/zero-time") {
				delete(flat, slog.TimeKey) // intended: the logger adds the time of logging itself
			}
			return nested(flat)
		})
}

// nested turns dotted keys into maps.
func nested(flat map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range flat {
		in := out
		parts := strings.Split(k, ".")
		for _, p := range parts[:len(parts)-1] {
			next, ok := in[p].(map[string]any)
			if !ok {
				next = map[string]any{}
				in[p] = next
			}
			in = next
		}
		in[parts[len(parts)-1]] = v
	}
	return out
}

func TestLogLevels(t *testing.T) {
	for lvl, want := range map[string]string{
		"debug": "d i w e sd si sw se",
		"info":  "i w e si sw se",
		"warn":  "w e sw se",
		"error": "e se",
	} {
		var buf bytes.Buffer
		l := New(Console{Stderr: &buf}.Logger("logfmt"), lvl)
		level.Debug(l).Log("msg", "d")
		level.Info(l).Log("msg", "i")
		level.Warn(l).Log("msg", "w")
		level.Error(l).Log("msg", "e", "err", errors.New("x"))
		s := slog.New(NewSlogHandler(l, lvl))
		s.Debug("sd")
		s.Info("si")
		s.Warn("sw")
		s.Error("se")
		var got []string
		for line := range strings.Lines(buf.String()) {
			_, msg, _ := strings.Cut(line, "msg=")
			got = append(got, strings.Fields(msg)[0])
			if lvl != "debug" && strings.Contains(line, "caller=") {
				t.Errorf("level %s: unexpected caller: %s", lvl, line)
			}
			goKit := strings.HasPrefix(strings.Fields(msg)[0], "d")
			if lvl == "debug" && goKit && !strings.Contains(line, "caller=logging_test.go") {
				t.Errorf("level debug: caller missing or wrong: %s", line)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("level %s logged %q, want %q", lvl, strings.Join(got, " "), want)
		}
	}
}
