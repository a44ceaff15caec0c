package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A file that is truncated at any page is reported as damaged and never crashes the program, although a read of the
// memory mapping beyond the end of the file faults.
func TestTruncatedFileIsDamaged(t *testing.T) {
	dir, err := os.MkdirTemp("", "") // not t.TempDir: it fails the test if Wine cannot delete a file
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	whole := filepath.Join(dir, "whole")
	buckets := []Bucket{{Name: "values", New: func() any { return new(string) }}}
	s, _, err := Open(whole, time.Now(), buckets...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if err := s.Put("values", fmt.Sprint("old", i), strings.Repeat("x", 450)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	faults := 0
	for kib := 8; kib <= 60; kib += 4 {
		file := filepath.Join(dir, fmt.Sprint(kib))
		if err := os.WriteFile(file, text[:kib<<10], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := open(file, buckets)
		if !errors.Is(err, errDamaged) {
			t.Errorf("truncated to %d KiB: error %v, want %v", kib, err, errDamaged)
		}
		if err == nil {
			s.Close()
		} else if strings.Contains(err.Error(), "memory") {
			faults++
		}
	}
	if faults == 0 && runtime.GOOS != "windows" { // on Windows a file grows to the size of its mapping
		t.Error("no read faulted; truncate the file elsewhere")
	}
}
