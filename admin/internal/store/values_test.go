package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/filetest"

	"go.etcd.io/bbolt"
)

var openedAt = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// numbers is a bucket of numbers. A number expires if it is negative.
func numbers(name string) Bucket {
	return Bucket{
		Name: name, New: func() any { return new(int) },
		Expired: func(values []Value, _ time.Time) (keys []string) {
			for _, v := range values {
				if *v.Value.(*int) < 0 {
					keys = append(keys, v.Key)
				}
			}
			return keys
		},
	}
}

// newStorePath returns the path of a store in a new directory.
func newStorePath(t *testing.T) string {
	t.Helper()
	dir := filetest.Dir(t)
	return filepath.Join(dir, "store")
}

func openStore(t *testing.T, path string, buckets ...Bucket) *Store {
	t.Helper()
	s, damage, err := Open(path, openedAt, buckets...)
	if err != nil || damage != nil {
		t.Fatal(err, damage)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// all returns the values of a bucket that can be decoded, in the order of their keys.
func all(t *testing.T, s *Store, bucket string) []int {
	t.Helper()
	values, err := All[int](s, bucket)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// Values survive a restart. A value replaces one with the same key in the same bucket only.
func TestValuesSurviveARestart(t *testing.T) {
	path := newStorePath(t)
	s := openStore(t, path, numbers("a"), numbers("b"))
	for _, e := range []Entry{{"a", "x", 1}, {"a", "y", 2}, {"b", "x", 3}, {"a", "x", 4}} {
		if err := s.Put(e.Bucket, e.Key, e.Value); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path, numbers("a"), numbers("b"), numbers("new"))
	if a, b, n := all(t, s, "a"), all(t, s, "b"), all(t, s, "new"); !slices.Equal(a, []int{4, 2}) ||
		!slices.Equal(b, []int{3}) || len(n) != 0 {
		t.Errorf("got %v, %v and %v", a, b, n)
	}
	var n int
	if ok, err := s.Get("b", "x", &n); !ok || err != nil || n != 3 {
		t.Errorf("Get: %v, %v, %d", ok, err, n)
	}
	if ok, err := s.Get("b", "y", &n); ok || err != nil {
		t.Errorf("Get of a missing value: %v, %v", ok, err)
	}
}

// Entries that are written together are all written, or none of them is.
func TestEntriesAreWrittenTogether(t *testing.T) {
	s := openStore(t, newStorePath(t), numbers("a"), numbers("b"))
	err := s.PutAll(Entry{"a", "x", 1}, Entry{"b", "x", 2}, Entry{"a", "y", func() {}})
	if _, ok := errors.AsType[*json.UnsupportedTypeError](err); !ok {
		t.Errorf("got error %v for a value without JSON", err)
	}
	if a, b := all(t, s, "a"), all(t, s, "b"); len(a)+len(b) != 0 {
		t.Errorf("after an error there are %v and %v", a, b)
	}
	if err := s.PutAll(Entry{"a", "x", 1}, Entry{"b", "x", 2}); err != nil {
		t.Fatal(err)
	}
	if a, b := all(t, s, "a"), all(t, s, "b"); len(a) != 1 || len(b) != 1 {
		t.Errorf("got %v and %v", a, b)
	}
}

// Prune deletes the expired values of every bucket, and no others.
func TestPruneDeletesExpiredValues(t *testing.T) {
	now := openedAt.Add(time.Hour)
	var asked []time.Time
	b := numbers("b")
	expired := b.Expired
	b.Expired = func(values []Value, at time.Time) []string {
		asked = append(asked, at)
		return expired(values, at)
	}
	s := openStore(t, newStorePath(t), numbers("a"), b)
	if err := s.PutAll(Entry{"a", "x", 1}, Entry{"a", "y", -1}, Entry{"a", "z", 2}, Entry{"b", "x", -3},
		Entry{"b", "y", -4}, Entry{"b", "z", 0}); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(now); err != nil {
		t.Fatal(err)
	}
	if a, b := all(t, s, "a"), all(t, s, "b"); !slices.Equal(a, []int{1, 2}) || !slices.Equal(b, []int{0}) {
		t.Errorf("got %v and %v", a, b)
	}
	if len(asked) != 1 || !asked[0].Equal(now) {
		t.Errorf("the values expire at the times %v, want %v", asked, now)
	}
}

// A value that cannot be decoded is reported as damage until Prune deletes it. The others stay.
func TestValueThatCannotBeDecoded(t *testing.T) {
	path := newStorePath(t)
	s := openStore(t, path, numbers("a"))
	if err := s.Put("a", "good", 7); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket([]byte("a")).Put([]byte("bad"), []byte("{")); err != nil {
			return err
		}
		return tx.Bucket([]byte("a")).Put([]byte("text"), []byte(`"x"`))
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, damage, err := Open(path, openedAt, numbers("a"))
	if err != nil || damage == nil || damage.Error() != "2 records cannot be decoded" {
		t.Fatalf("got damage %v, error %v", damage, err)
	}
	t.Cleanup(func() { s.Close() })
	if got := all(t, s, "a"); !slices.Equal(got, []int{7}) {
		t.Errorf("got %v, want 7", got)
	}
	if _, err := os.Stat(path + ".damaged-20261122T120000Z"); err == nil {
		t.Error("the file was renamed although only values are damaged")
	}
	var n int
	if ok, err := s.Get("a", "bad", &n); ok && err == nil {
		t.Error("the damaged value is returned")
	}
	if err := s.Prune(openedAt); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := all(t, openStore(t, path, numbers("a")), "a"); !slices.Equal(got, []int{7}) {
		t.Errorf("after Prune got %v, want 7", got)
	}
}

// A file that is no store is renamed, with the time, and an empty store takes its place.
func TestDamagedFileIsRenamed(t *testing.T) {
	// long enough for a page header, one page, more than two pages
	for _, size := range []int{64, 5000, 70000} {
		checkDamagedFileIsRenamed(t, []byte("this is not a store"+strings.Repeat(" ", size)))
	}
}

func checkDamagedFileIsRenamed(t *testing.T, content []byte) {
	t.Helper()
	path := newStorePath(t)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, damage, err := Open(path, openedAt.In(time.FixedZone("", 3600)), numbers("a"))
	if err != nil || damage == nil {
		t.Fatalf("got damage %v, error %v", damage, err)
	}
	t.Cleanup(func() { s.Close() })
	text, err := os.ReadFile(path + ".damaged-20261122T120000Z")
	if err != nil || string(text[:4]) != "this" {
		t.Errorf("the renamed file: %q, %v", text, err)
	}
	if err := s.Put("a", "x", 1); err != nil {
		t.Error(err)
	}
}

// A directory that cannot be written is an error and no damage.
func TestStoreThatCannotBeOpened(t *testing.T) {
	s, damage, err := Open(filepath.Join(newStorePath(t), "missing", "store"), openedAt, numbers("a"))
	if s != nil || damage != nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got damage %v, error %v", damage, err)
	}
}

// A single value that cannot be decoded is damage, in whatever bucket it is.
func TestSingleValueThatCannotBeDecoded(t *testing.T) {
	for _, bucket := range []string{"a", "b"} {
		path := newStorePath(t)
		s := openStore(t, path, numbers("a"), numbers("b"))
		if err := s.Put(bucket, "x", "no number"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, damage, err := Open(path, openedAt, numbers("a"), numbers("b"))
		if err != nil || damage == nil || damage.Error() != "1 records cannot be decoded" {
			t.Fatalf("bucket %s: got damage %v, error %v", bucket, damage, err)
		}
		t.Cleanup(func() { s.Close() })
	}
}

// A file whose header has another version or a wrong checksum is damaged.
func TestHeaderThatIsNotValid(t *testing.T) {
	for what, offset := range map[string]int{"version": 20, "checksum": 72} {
		path := newStorePath(t)
		s := openStore(t, path, numbers("a"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for page := range 2 {
			text[page*os.Getpagesize()+offset] ^= 1
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, damage, err := Open(path, openedAt, numbers("a"))
		if err != nil || damage == nil {
			t.Fatalf("%s: got damage %v, error %v", what, damage, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path + ".damaged-20261122T120000Z"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Only the account of the program can read the file.
func TestModeOfTheFile(t *testing.T) {
	path := newStorePath(t)
	openStore(t, path, numbers("a"))
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
}

// Several goroutines can write at the same time.
func TestConcurrentWrites(t *testing.T) {
	s := openStore(t, newStorePath(t), texts())
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			if err := s.Put("values", fmt.Sprint(i), strings.Repeat("x", 1<<18)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if all, err := All[string](s, "values"); len(all) != 8 || err != nil {
		t.Errorf("%d values, error %v", len(all), err)
	}
}
