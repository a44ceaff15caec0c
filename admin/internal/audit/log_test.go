package audit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/filetest"
)

// testLog is a log in a directory of its own.
type testLog struct {
	*testing.T
	*Log
	path    string
	written []string // lines passed to onWrite
}

func newTestLog(t *testing.T, content string) *testLog {
	t.Helper()
	dir := filetest.Dir(t)
	l := &testLog{T: t, path: filepath.Join(dir, "audit.jsonl")}
	if content != "" {
		l.put(content)
	}
	var err error
	l.Log, err = Open(Options{Path: l.path, OnWrite: func(line []byte) { l.written = append(l.written, string(line)) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func (l *testLog) put(content string) {
	l.Helper()
	if err := os.WriteFile(l.path, []byte(content), 0o600); err != nil {
		l.Fatal(err)
	}
}

func (l *testLog) write(id string) {
	l.Helper()
	if err := l.Write(Record{ID: id}, true); err != nil {
		l.Errorf("write %s: %v", id, err)
	}
}

// ids returns the IDs of the records in a file. A line that is not JSON counts as "?".
func (l *testLog) ids(path string) []string {
	l.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		l.Fatal(err)
	}
	return idsOf(strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
}

func idsOf(lines []string) []string {
	var all []string
	for _, line := range lines {
		var r Record
		if json.Unmarshal([]byte(line), &r) != nil {
			r.ID = "?"
		}
		all = append(all, r.ID)
	}
	return all
}

func (l *testLog) wantIDs(what string, want ...string) {
	l.Helper()
	if got := l.ids(l.path); !slices.Equal(got, want) {
		l.Errorf("%s: the file has the records %q, want %q", what, got, want)
	}
}

// block moves the file away and puts a directory in its place, so that nothing can be written until unblock is called.
func (l *testLog) block() (unblock func()) {
	l.Helper()
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		l.Fatal(err)
	}
	if err := os.Mkdir(l.path, 0o700); err != nil {
		l.Fatal(err)
	}
	return func() {
		if err := os.Remove(l.path); err != nil {
			l.Error(err)
		}
	}
}

// useDevice lets the log write to a device instead of a file.
func (l *testLog) useDevice(device string) {
	l.Helper()
	if err := os.Remove(l.path); err != nil {
		l.Fatal(err)
	}
	if err := os.Symlink(device, l.path); err != nil {
		l.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		l.Fatal(err)
	}
}

// Records are in the file in the order of the writes, after what it had before. They are passed on in the same order.
func TestRecordsAreAppendedInOrder(t *testing.T) {
	l := newTestLog(t, `{"id":"old"}`+"\n")
	for _, id := range []string{"a", "b", "c"} {
		l.write(id)
	}
	l.wantIDs("after three writes", "old", "a", "b", "c")
	if got := idsOf(l.written); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("passed on: %q", got)
	}
	if strings.Contains(strings.Join(l.written, ""), "\n") {
		t.Errorf("a newline is passed on: %q", l.written)
	}
}

// A record that must be on disk is synced. A device that cannot be synced shows it: its error reaches the caller, who
// then does not start the action.
func TestRecordIsSyncedToDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("no device that accepts writes and cannot be synced")
		return
	}
	l := newTestLog(t, "")
	l.useDevice("/dev/null")
	if err := l.Write(Record{ID: "intent"}, true); err == nil || !strings.Contains(err.Error(), "sync") {
		t.Errorf("a record that cannot be synced: error %v, want one of the sync", err)
	}
	if err := l.Write(Record{ID: "refusal"}, false); err != nil {
		t.Errorf("a record without a sync: %v", err)
	}
	if err := l.WriteOrKeep(Record{ID: "outcome"}); err == nil {
		t.Error("a record that must not be lost is not synced")
	}
	if err := l.FlushPending(); err == nil {
		t.Error("a record that was kept is not synced")
	}
}

// On a full disk every write is an error. Only records of what has already happened are kept. When there is space
// again, they are the first in the file, in their order.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("no /dev/full on this system; TestRecordsAreKeptWhileTheFileCannotBeWritten covers the order")
		return
	}
	l := newTestLog(t, "")
	l.useDevice("/dev/full")
	for _, sync := range []bool{true, false} {
		if err := l.Write(Record{ID: "refused"}, sync); err == nil {
			t.Errorf("no error on a full disk, sync %v", sync)
		}
	}
	for _, id := range []string{"a", "b"} {
		if err := l.WriteOrKeep(Record{ID: id}); err == nil {
			t.Errorf("no error for %s on a full disk", id)
		}
	}
	if err := l.FlushPending(); err == nil {
		t.Error("no error of a flush on a full disk")
	}
	if len(l.written) > 0 {
		t.Errorf("passed on although it is not in the file: %q", l.written)
	}
	if err := os.Remove(l.path); err != nil {
		t.Fatal(err)
	}
	l.write("c")
	l.wantIDs("with space again", "a", "b", "c")
	if got := idsOf(l.written); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("passed on: %q", got)
	}
}

// While the file cannot be written, records are kept once, and written once.
func TestRecordsAreKeptWhileTheFileCannotBeWritten(t *testing.T) {
	l := newTestLog(t, "")
	l.write("before")
	unblock := l.block()
	for _, id := range []string{"a", "b"} {
		if err := l.WriteOrKeep(Record{ID: id}); err == nil {
			t.Errorf("no error for %s", id)
		}
	}
	if err := l.Write(Record{ID: "not executed"}, true); err == nil {
		t.Error("no error for an intent")
	}
	unblock()
	if err := l.FlushPending(); err != nil {
		t.Fatal(err)
	}
	l.wantIDs("after the flush", "a", "b")
	if err := l.WriteOrKeep(Record{ID: "c"}); err != nil {
		t.Fatal(err)
	}
	if err := l.FlushPending(); err != nil {
		t.Fatal(err)
	}
	l.wantIDs("after another record", "a", "b", "c")
}

// A record that WriteOrKeep can write comes after those that were kept before.
func TestKeptRecordsComeBeforeTheNextOne(t *testing.T) {
	l := newTestLog(t, "")
	unblock := l.block()
	for _, id := range []string{"a", "b"} {
		if err := l.WriteOrKeep(Record{ID: id}); err == nil {
			t.Errorf("no error for %s", id)
		}
	}
	unblock()
	if err := l.WriteOrKeep(Record{ID: "c"}); err != nil {
		t.Fatal(err)
	}
	l.wantIDs("after the outage", "a", "b", "c")
	if got := idsOf(l.written); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("passed on: %q", got)
	}
}

// If the file was moved, deleted or replaced, the next record is in the file at the path. The old file is left alone.
func TestReplacedFile(t *testing.T) {
	l := newTestLog(t, "")
	l.write("a")
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		t.Fatal(err)
	}
	l.write("b")
	l.wantIDs("moved", "b")
	if runtime.GOOS != "windows" { // there, the name of a deleted file can stay in use while the file is open
		if err := os.Remove(l.path); err != nil {
			t.Fatal(err)
		}
		l.write("c")
		l.wantIDs("deleted", "c")
	}
	if err := os.Rename(l.path, l.path+".2"); err != nil {
		t.Fatal(err)
	}
	l.put(`{"id":"other"}` + "\n")
	l.write("d")
	l.wantIDs("replaced", "other", "d")
	if got := l.ids(l.path + ".1"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the old file has %q", got)
	}
}

// A line that was cut off when the machine stopped does not swallow the next record.
func TestPartialLine(t *testing.T) {
	l := newTestLog(t, `{"id":"whole"}`+"\n"+`{"id":"cut`)
	l.write("a")
	l.write("b")
	l.wantIDs("partial line at the start", "whole", "?", "a", "b")
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.write("c")
	l.wantIDs("opened again", "whole", "?", "a", "b", "c")
}

// An empty file, and one that does not exist, get no empty line.
func TestNewFile(t *testing.T) {
	l := newTestLog(t, "")
	l.write("a")
	text, err := os.ReadFile(l.path)
	if err != nil || text[0] != '{' || !strings.HasSuffix(string(text), "}\n") {
		t.Errorf("the file has %q, %v", text, err)
	}
	info, err := os.Stat(l.path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the mode of the file is %v, %v", info.Mode(), err)
	}
}

// The keys of a record never change, and a key without a value is left out. A return code of 0 has a value.
func TestKeysOfARecord(t *testing.T) {
	line, err := json.Marshal(Record{
		Time: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Event: Intent, ID: "id", User: "u", Remote: "r", Action: "a",
		Method: "m", VMID: "v", VM: "n", Relationship: "primary", Parameters: map[string]any{"p": nil}, Reason: "why",
		Seen: 1, Accepted: &Accepted{
			State: "s", Mode: "m", MaxLossSeconds: new(0.0), UnknownLoss: true, Confirmed: true,
		}, TestResult: "passed", Status: 202, Type: "t", Code: new(uint32), Job: "j", State: "running", Error: "e",
		Duration: new(0.0),
	})
	const want = `{"time":"2026-11-22T12:00:00Z","event":"intent","id":"id","user":"u","remote":"r","action":"a",` +
		`"method":"m","vm_id":"v","vm":"n","relationship":"primary","parameters":{"p":null},"reason":"why","seen":1,` +
		`"accepted":{"expected_state":"s","expected_mode":"m","max_data_loss_seconds":0,"unknown_loss":true,` +
		`"confirmed":true},"test_result":"passed","status":202,"type":"t","code":0,"job":"j","state":"running",` +
		`"error":"e","duration_seconds":0}`
	if err != nil || string(line) != want {
		t.Errorf("got %s, %v\nwant %s", line, err, want)
	}
	line, err = json.Marshal(Record{})
	if err != nil || string(line) != `{"time":"0001-01-01T00:00:00Z","event":"","id":"","user":"","action":""}` {
		t.Errorf("an empty record is %s, %v", line, err)
	}
}

// The names of the events never change.
func TestNamesOfEvents(t *testing.T) {
	got := []Event{Intent, Outcome, JobEnded, Refused, DryRun, Reload, Maintenance, Damage}
	want := []Event{"intent", "outcome", "job", "refused", "dry_run", "reload", "maintenance", "damage"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
