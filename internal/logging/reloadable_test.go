package logging

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// A change of the level has an effect on loggers that exist. The caller is the function that logs, and named only at
// level debug.
func TestReloadableLevel(t *testing.T) {
	var buf bytes.Buffer
	lvl := "warn"
	l := log.With(NewReloadable(Console{Stderr: &buf}.Logger("logfmt"), func() string { return lvl }), "component", "x")
	for _, tt := range []struct {
		lvl, want string
		caller    bool
	}{{"warn", "", false}, {"debug", "component=x msg=a\n", true}, {"info", "component=x msg=a\n", false}, {"error", "", false}} {
		buf.Reset()
		lvl = tt.lvl
		level.Info(l).Log("msg", "a")
		got := buf.String()
		if !strings.HasSuffix(got, tt.want) || (got == "") != (tt.want == "") ||
			strings.Contains(got, "caller=reloadable_test.go:") != tt.caller || strings.Contains(got, "caller") != tt.caller {
			t.Errorf("level %s: %q, want %q", tt.lvl, got, tt.want)
		}
	}
}
