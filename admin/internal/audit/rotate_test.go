package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The log never has more than the maximum size times the number of files. No record is lost, and the order of the files
// is that of their names.
func TestRotation(t *testing.T) {
	l := newTestLog(t, "")
	l.options.MaxBytes, l.options.MaxFiles = 1000, 3
	l.options.Now = func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	const lines = 60
	for i := range lines {
		l.write(fmt.Sprint(i))
		if size := l.Size(); size > 4*1000 {
			t.Fatalf("after %d lines the log has %d bytes", i+1, size)
		}
	}
	files := l.Files()
	if len(files) != 4 || files[3] != l.path || filepath.Base(files[0])[:23] != "audit-20261122T120000.0" {
		t.Fatalf("the files are %q", files)
	}
	var ids []string
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Size() > 1000 {
			t.Errorf("%s: %d bytes, %v", file, info.Size(), err)
		}
		ids = append(ids, l.ids(file)...)
	}
	var want []string
	for i := lines - len(ids); i < lines; i++ {
		want = append(want, fmt.Sprint(i))
	}
	if !slices.Equal(ids, want) || len(ids) < 24 {
		t.Errorf("the files have %q, want the last %d", ids, len(ids))
	}
	if len(l.written) != lines {
		t.Errorf("%d lines were passed on, want %d", len(l.written), lines)
	}
}

// A record that is longer than the maximum size is written nevertheless. A size of 0 means no rotation.
func TestLimitsOfRotation(t *testing.T) {
	l := newTestLog(t, "")
	l.options.MaxFiles = 5
	for range 20 {
		l.write("x")
	}
	if n := len(l.Files()); n != 1 {
		t.Errorf("without a maximum size there are %d files", n)
	}
	l.options.MaxBytes = 1
	l.write("y")
	l.write("z")
	if files := l.Files(); len(files) != 3 || !slices.Equal(l.ids(files[1]), []string{"y"}) {
		t.Errorf("with a maximum size of 1 byte the files are %q", files)
	}
}

// If the file cannot be renamed, the log continues in it, reports that once, and tries again.
func TestRotationThatFails(t *testing.T) {
	l := newTestLog(t, "")
	var errs []error
	l.options.OnError = func(err error) { errs = append(errs, err) }
	l.options.MaxBytes, l.options.MaxFiles = 1, 5
	l.write("a")
	blocked := filepath.Join(l.path+".new", "x")
	if err := os.MkdirAll(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	l.write("b")
	l.write("c")
	l.wantIDs("while the rotation fails", "a", "b", "c")
	if len(errs) != 1 {
		t.Errorf("errors %v, want one", errs)
	}
	for _, dir := range []string{blocked, l.path + ".new"} {
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	l.write("d")
	l.wantIDs("after the rotation", "d")
}

// An intent without an outcome is found across rotated files. A job and its cancellation have the same ID, and a line
// that was cut off is no intent.
func TestUnfinishedIntents(t *testing.T) {
	l := newTestLog(t, "")
	l.options.MaxBytes, l.options.MaxFiles = 200, 100
	put := func(event Event, id, action string) {
		t.Helper()
		if err := l.Write(Record{Event: event, ID: id, Action: action, User: "tim"}, true); err != nil {
			t.Fatal(err)
		}
	}
	want := func(ids ...string) {
		t.Helper()
		intents, err := l.Unfinished()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range intents {
			got = append(got, r.ID+" "+r.Action)
		}
		if !slices.Equal(got, ids) {
			t.Errorf("got %q, want %q", got, ids)
		}
	}
	want()
	put(Intent, "1", "suspend")
	put(Intent, "2", "failover")
	want("1 suspend", "2 failover")
	put(Outcome, "1", "suspend")
	put(Intent, "1", "cancel-job")
	for range 10 {
		put(Refused, "x", "suspend")
	}
	want("2 failover", "1 cancel-job")
	put(Outcome, "1", "cancel-job")
	put(JobEnded, "2", "failover")
	want("2 failover")
	if len(l.Files()) < 3 {
		t.Errorf("the files are %q, want several", l.Files())
	}
	f, err := openForAppend(l.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"event":"intent","id":"3","act`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	want("2 failover")
}

// The end of the log is searched, and no more than 32 MiB of it.
func TestUnfinishedIntentsOfALongLog(t *testing.T) {
	line := `{"event":"refused","error":"` + strings.Repeat("x", 1<<20) + `"}` + "\n"
	l := newTestLog(t, `{"event":"intent","id":"old"}`+"\n"+strings.Repeat(line, 33)+`{"event":"intent","id":"new"}`+"\n")
	if intents, err := l.Unfinished(); err != nil || len(intents) != 1 || intents[0].ID != "new" {
		t.Errorf("got %d intents, %v", len(intents), err)
	}
}
