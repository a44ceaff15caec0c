package store

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// texts is a bucket of texts that never expire.
func texts() Bucket {
	return Bucket{
		Name: "values", New: func() any { return new(string) },
		Expired: func([]Value, time.Time) []string { return nil },
	}
}

// fileWithValues returns the content of a store with values of a size.
func fileWithValues(t *testing.T, count, size int) []byte {
	t.Helper()
	path := newStorePath(t)
	s := openStore(t, path, texts())
	for i := range count {
		if err := s.Put("values", fmt.Sprint("old", i), strings.Repeat("x", size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// A file that is truncated at any page is reported as damaged and never crashes the program, although a read of the
// memory mapping beyond the end of the file faults.
func TestTruncatedFileIsDamaged(t *testing.T) {
	whole := fileWithValues(t, 200, 450)
	faults := 0
	for kib := 8; kib <= 60; kib += 4 {
		file := newStorePath(t)
		if err := os.WriteFile(file, whole[:kib<<10], 0o600); err != nil {
			t.Fatal(err)
		}
		s, _, err := open(file, []Bucket{texts()})
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

// Damage of any page after the two headers, and a truncation at any of them, never prevents a start. Either it is
// reported, or no value is lost. A value can be longer than a page.
func TestDamageOfAnyPage(t *testing.T) {
	for _, values := range []struct{ count, size int }{{200, 450}, {8, 10_000}} {
		whole, page := fileWithValues(t, values.count, values.size), os.Getpagesize()
		reported := 0
		for at := 2 * page; at < len(whole); at += page {
			zeroed := slices.Clone(whole)
			clear(zeroed[at : at+page])
			for what, content := range map[string][]byte{"zeroed": zeroed, "truncated": whole[:at]} {
				path := newStorePath(t)
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				s, damage, err := Open(path, openedAt, texts())
				if err != nil {
					t.Fatalf("%s at page %d: %v", what, at/page, err)
				}
				all, err := All[string](s, "values")
				if err != nil || damage == nil && len(all) != values.count {
					t.Errorf("%s at page %d: %d values, damage %v, error %v", what, at/page, len(all), damage, err)
				}
				if damage != nil {
					reported++
				}
				if err := errors.Join(s.Prune(openedAt), s.Close()); err != nil {
					t.Errorf("%s at page %d: %v", what, at/page, err)
				}
			}
		}
		if reported == 0 {
			t.Error("no damage is reported")
		}
	}
}
