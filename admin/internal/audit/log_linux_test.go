package audit

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"hyperv_replica_exporter/internal/disk"
)

// limitFileSize limits the size of files that this process writes, until the test ends or unlimit is called. A write
// beyond the limit writes what fits and fails, as on a disk that becomes full.
func limitFileSize(t *testing.T, bytes int64) (unlimit func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(bytes), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	unlimit = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(unlimit)
	return unlimit
}

// A record of which only a part fits on the disk does not swallow the next one. A record that must not be lost is
// written again as a whole.
func TestRecordThatFitsOnlyInPart(t *testing.T) {
	for _, tt := range []struct {
		name string
		put  func(*testLog) error
		want []string
	}{
		{"intent", func(l *testLog) error { return l.Write(Record{ID: "cut"}, true) }, []string{"a", "?", "b", "c"}},
		{"refusal", func(l *testLog) error { return l.Write(Record{ID: "cut"}, false) }, []string{"a", "?", "b", "c"}},
		{"outcome", func(l *testLog) error { return l.WriteOrKeep(Record{ID: "cut"}) }, []string{"a", "?", "cut", "b", "c"}},
	} {
		l := newTestLog(t, "")
		l.write("a")
		info, err := os.Stat(l.path)
		if err != nil {
			t.Fatal(err)
		}
		unlimit := limitFileSize(t, info.Size()+20)
		if err := tt.put(l); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
		unlimit()
		if cut, err := os.Stat(l.path); err != nil || cut.Size() != info.Size()+20 {
			t.Fatalf("%s: the file has not a part of the record: %v, %v", tt.name, cut, err)
		}
		l.write("b")
		l.write("c")
		l.wantIDs(tt.name, tt.want...)
		if got, want := len(l.written), len(tt.want)-1; got != want {
			t.Errorf("%s: %d records are passed on, want %d", tt.name, got, want)
		}
	}
}

// A log that is opened again closes its old file.
func TestReopenClosesTheOldFile(t *testing.T) {
	l := newTestLog(t, "")
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	before := open()
	for range 20 {
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	if n := open() - before; n > 0 {
		t.Errorf("%d more files are open", n)
	}
}

// The file has reserved space beyond its end. It is given up when the file is rotated.
func TestSpaceIsReserved(t *testing.T) {
	l := newTestLog(t, "")
	l.options.ReserveBytes = 1 << 20
	l.write("a")
	info, err := os.Stat(l.path)
	if err != nil {
		t.Fatal(err)
	}
	if reserved := info.Sys().(*syscall.Stat_t).Blocks * 512; info.Size() > 1000 || reserved < 1<<20 {
		t.Errorf("the file has %d bytes and %d on the disk, want 1 MiB there", info.Size(), reserved)
	}
	l.options.MaxBytes, l.options.MaxFiles = 1, 5
	l.write("b")
	old, err := os.Stat(l.Files()[0])
	if err != nil {
		t.Fatal(err)
	}
	if reserved := old.Sys().(*syscall.Stat_t).Blocks * 512; reserved > 8<<10 {
		t.Errorf("the rotated file has %d bytes on the disk", reserved)
	}
}

// When space cannot be reserved, records that must be written are, and all others are refused.
func TestReservedSpaceIsForRecordsThatMustBeWritten(t *testing.T) {
	l := newTestLog(t, "")
	l.options.ReserveBytes = 1 << 60 // no disk has that
	if err := l.Write(Record{ID: "dry run"}, false); !errors.Is(err, disk.ErrFull) {
		t.Errorf("a record that need not be written: error %v", err)
	}
	if err := l.WriteRefused(Record{ID: "refusal"}); !errors.Is(err, disk.ErrFull) {
		t.Errorf("a refusal: error %v", err)
	}
	l.write("intent")
	if err := l.WriteOrKeep(Record{ID: "outcome"}); err != nil {
		t.Error(err)
	}
	l.wantIDs("on a full disk", "intent", "outcome")
	l.options.MaxBytes, l.options.MaxFiles = 1, 5
	l.write("not rotated, because the new file would have no space")
	if files := l.Files(); len(files) != 1 {
		t.Errorf("the files are %q", files)
	}
}
