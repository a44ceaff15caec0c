package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-kit/log/level"
)

var lineNumber = regexp.MustCompile(`\.go:\d+`)

// fakeEventLog keeps events, each as type, number and text. As Windows' own it takes
// them from several goroutines.
type fakeEventLog struct {
	mu   sync.Mutex
	kept []string
}

func (f *fakeEventLog) add(kind string, id uint32, text string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, fmt.Sprintf("%s %d %s", kind, id, text))
	return nil
}

func (f *fakeEventLog) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.kept)
}

func (f *fakeEventLog) Info(id uint32, text string) error    { return f.add("info", id, text) }
func (f *fakeEventLog) Warning(id uint32, text string) error { return f.add("warning", id, text) }
func (f *fakeEventLog) Error(id uint32, text string) error   { return f.add("error", id, text) }

// Lines become events of the type that fits their level, without a time.
func TestEventLog(t *testing.T) {
	for format, want := range map[string][]string{
		"logfmt": {
			"info 1 level=debug caller=journal_test.go:LINE msg=d", "info 1 level=info caller=journal_test.go:LINE msg=\"a b\"",
			"warning 1 level=warn caller=journal_test.go:LINE msg=w", "error 1 level=error caller=journal_test.go:LINE msg=e err=x",
		},
		"json": {
			`info 1 {"caller":"journal_test.go:LINE","level":"debug","msg":"d"}`, `info 1 {"caller":"journal_test.go:LINE","level":"info","msg":"a b"}`,
			`warning 1 {"caller":"journal_test.go:LINE","level":"warn","msg":"w"}`, `error 1 {"caller":"journal_test.go:LINE","err":"x","level":"error","msg":"e"}`,
		},
	} {
		fake := &fakeEventLog{}
		l := newLogger(events{fake}.logger(format), "debug")
		level.Debug(l).Log("msg", "d")
		level.Info(l).Log("msg", "a b")
		level.Warn(l).Log("msg", "w")
		level.Error(l).Log("msg", "e", "err", errors.New("x"))
		got := fake.all()
		for i, e := range got {
			got[i] = lineNumber.ReplaceAllString(e, ".go:LINE")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: events\n%s\nwant\n%s", format, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// What keeps the program from starting is an error of a number of its own, at any
// level; so are lines of the audit log.
func TestEventNumbers(t *testing.T) {
	fake := &fakeEventLog{}
	code := surroundings{io.Discard, events{fake}, func() { t.Error("it says that it is ready") }}.run(t.Context(), []string{"--log.level=error", "--nonsense"})
	if err := (events{fake}).auditor()([]byte(`{"event":"intent"}`)); err != nil {
		t.Error(err)
	}
	want := []string{"error 2 unknown long flag '--nonsense', try --help", `info 100 {"event":"intent"}`}
	if got := fake.all(); code != exitUsage || !slices.Equal(got, want) {
		t.Errorf("exit code %d, events %q, want %q", code, got, want)
	}
	if (console{&bytes.Buffer{}}).auditor() != nil {
		t.Error("a console gets the lines of the audit log")
	}
}

// The event log takes no text that is too long, and the viewer no % before a digit.
func TestEventText(t *testing.T) {
	for text, want := range map[string]string{
		"listen on [fe80::1%1]:80, 100% of %%2": "listen on [fe80::1% 1]:80, 100% of %% 2",
		strings.Repeat("ü", longestEvent):       strings.Repeat("ü", longestEvent/2) + "...",
		strings.Repeat("x", longestEvent):       strings.Repeat("x", longestEvent),
	} {
		if got := eventText(text); got != want {
			t.Errorf("%.60s (%d) becomes %.60s (%d)", text, len(text), got, len(got))
		}
	}
	const vm = "100%1 %%2"
	line, _ := json.Marshal(map[string]string{"vm": vm})
	var got map[string]string
	if text := eventText(string(line)); json.Unmarshal([]byte(text), &got) != nil || got["vm"] != vm || insertion.MatchString(text) {
		t.Errorf("%s becomes %s", line, text)
	}
}
