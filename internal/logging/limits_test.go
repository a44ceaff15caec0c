package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/internal/logging/loggingtest"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// A limited logger passes a number of messages in a period, and then says how many it has suppressed. Messages of level
// debug are not limited.
func TestLimitedLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf loggingtest.Buffer
		l := NewLimited(log.NewLogfmtLogger(&buf), 3, time.Minute)
		check := func(when, want string) {
			t.Helper()
			synctest.Wait()
			if got := buf.Take(); got != want {
				t.Errorf("%s: log\n%swant\n%s", when, got, want)
			}
		}
		const three = "level=warn msg=failed n=0\nlevel=warn msg=failed n=1\nlevel=warn msg=failed n=2\n"
		flood := func(messages int) {
			for n := range messages {
				_ = level.Warn(l).Log("msg", "failed", "n", n)
			}
		}
		flood(500)
		check("500 messages", three)
		_ = level.Debug(l).Log("msg", "debug")
		check("a message of level debug", "level=debug msg=debug\n")
		time.Sleep(time.Minute - time.Nanosecond)
		check("just before the end of the period", "")
		time.Sleep(time.Nanosecond)
		check("at the end of the period", `level=warn msg="similar messages suppressed" count=497 period=1m0s`+"\n")
		time.Sleep(time.Hour)
		check("an hour later", "")
		flood(3)
		time.Sleep(time.Minute)
		check("as many messages as the limit", three)
		flood(4)
		time.Sleep(time.Minute)
		check("one more", three+`level=warn msg="similar messages suppressed" count=1 period=1m0s`+"\n")
	})
}

// A value in the log has at most 2048 bytes and a mark with its length, in whole characters.
func TestValuesInLogAreShort(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{strings.Repeat("x", 2048), strings.Repeat("x", 2048)},
		{strings.Repeat("x", 2049), strings.Repeat("x", 2048) + "… (2049 bytes)"},
		{errors.New(strings.Repeat("x", 8<<20)), strings.Repeat("x", 2048) + "… (8388608 bytes)"},
		{
			fmt.Errorf("read: %w", errors.New(strings.Repeat("y", 3000))),
			"read: " + strings.Repeat("y", 2042) + "… (3006 bytes)",
		},
		{strings.Repeat("ä", 2000), strings.Repeat("ä", 1024) + "… (4000 bytes)"},
		{"x" + strings.Repeat("ä", 2000), "x" + strings.Repeat("ä", 1023) + "… (4001 bytes)"},
		{errors.New("short"), "short"},
	} {
		var buf bytes.Buffer
		level.Error(New(Console{Stderr: &buf}.Logger("json"), "info")).Log("msg", "failed", "err", tt.value)
		var line struct{ Err string }
		if err := json.Unmarshal(buf.Bytes(), &line); err != nil || line.Err != tt.want {
			t.Errorf("value of %d bytes: got %d bytes, want %d, error %v",
				len(fmt.Sprint(tt.value)), len(line.Err), len(tt.want), err)
		}
	}
	var buf bytes.Buffer
	Console{Program: "program", Stderr: &buf}.Fatal(errors.New(strings.Repeat("x", 8<<20)))
	if want := "program: error: " + strings.Repeat("x", 2048) + "… (8388608 bytes)\n"; buf.String() != want {
		t.Errorf("fatal error of %d bytes, want %d", buf.Len(), len(want))
	}
}
