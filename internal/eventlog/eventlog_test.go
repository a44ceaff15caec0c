package eventlog

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/internal/eventlog/eventlogtest"
	"hyperv_replica_exporter/internal/logging"
)

var lineNumber = regexp.MustCompile(`\.go:\d+`)

// Each line of the log becomes an event of the type of its level, without a timestamp.
func TestLogLinesBecomeEvents(t *testing.T) {
	for format, want := range map[string][]string{
		"logfmt": {
			"info 1 level=debug caller=eventlog_test.go:LINE msg=d",
			"info 1 level=info caller=eventlog_test.go:LINE msg=\"a b\"",
			"warning 1 level=warn caller=eventlog_test.go:LINE msg=w",
			"error 1 level=error caller=eventlog_test.go:LINE msg=e err=x",
		},
		"json": {
			`info 1 {"caller":"eventlog_test.go:LINE","level":"debug","msg":"d"}`,
			`info 1 {"caller":"eventlog_test.go:LINE","level":"info","msg":"a b"}`,
			`warning 1 {"caller":"eventlog_test.go:LINE","level":"warn","msg":"w"}`,
			`error 1 {"caller":"eventlog_test.go:LINE","err":"x","level":"error","msg":"e"}`,
		},
	} {
		var events eventlogtest.Recorder
		l := logging.New(Output{&events}.Logger(format), "debug")
		level.Debug(l).Log("msg", "d")
		level.Info(l).Log("msg", "a b")
		level.Warn(l).Log("msg", "w")
		level.Error(l).Log("msg", "e", "err", errors.New("x"))
		got := events.Events()
		for i, e := range got {
			got[i] = lineNumber.ReplaceAllString(e, ".go:LINE")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: events\n%s\nwant\n%s", format, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// A fatal error and a line of the audit log have event IDs of their own.
func TestEventIDs(t *testing.T) {
	var log eventlogtest.Recorder
	Output{&log}.Fatal(errors.New("unknown long flag '--nonsense',\ntry --help"))
	if err := (Output{&log}).AuditSink()([]byte(`{"event":"intent"}`)); err != nil {
		t.Error(err)
	}
	want := []string{"error 2 unknown long flag '--nonsense', try --help", `info 100 {"event":"intent"}`}
	if got := log.Events(); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

// Windows refuses events that are too long, and the Event Viewer replaces % before a digit.
func TestEventText(t *testing.T) {
	for text, want := range map[string]string{
		"listen on [fe80::1%1]:80, 100% of %%2": "listen on [fe80::1% 1]:80, 100% of %% 2",
		strings.Repeat("ü", 31000):              strings.Repeat("ü", 15500) + "...",
		"x" + strings.Repeat("ü", 15500):        "x" + strings.Repeat("ü", 15499) + "...", // no half character
		strings.Repeat("x", 31000):              strings.Repeat("x", 31000),
	} {
		if got := eventText(text); got != want {
			t.Errorf("eventText(%.60s...) of %d bytes = %.60s... of %d bytes", text, len(text), got, len(got))
		}
	}
	const vm = "100%1 %%2"
	line, _ := json.Marshal(map[string]string{"vm": vm})
	var got map[string]string
	text := eventText(string(line))
	if json.Unmarshal([]byte(text), &got) != nil || got["vm"] != vm || insertion.MatchString(text) {
		t.Errorf("eventText(%s) = %s", line, text)
	}
}
