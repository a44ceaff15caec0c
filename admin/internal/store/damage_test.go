package store

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// putFile returns the path of a new file with a content.
func putFile(t *testing.T, content []byte) string {
	t.Helper()
	path := newStorePath(t)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file that was emptied is reported as damaged: one of 0 bytes, and a valid one without the buckets. A file that does
// not exist is not, nor is one that lacks only a new bucket.
func TestEmptiedFileIsDamaged(t *testing.T) {
	withoutBuckets := newStorePath(t)
	db, err := bbolt.Open(withoutBuckets, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path    string
		damaged bool
	}{
		"0 bytes":             {putFile(t, nil), true},
		"no buckets":          {withoutBuckets, true},
		"does not exist":      {newStorePath(t), false},
		"lacks only a bucket": {putFile(t, fileWithValues(t, 1, 1)), false},
	} {
		s, damage, err := Open(tt.path, openedAt, texts(), numbers("new"))
		if err != nil || (damage != nil) != tt.damaged {
			t.Errorf("%s: damage %v, error %v", name, damage, err)
			continue
		}
		if err := errors.Join(s.Put("values", "x", "y"), s.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if renamed, err := os.ReadFile(tt.path + ".damaged-20261122T120000Z"); tt.damaged != (err == nil) {
			t.Errorf("%s: the renamed file: %d bytes, %v", name, len(renamed), err)
		}
	}
}

// A flipped bit in the header of any page is reported as damage, or loses no value. It never ends the program, also not
// when values are written that need several pages.
func TestFlippedBitInAPageHeader(t *testing.T) {
	const headerBytes = 16
	whole, page := fileWithValues(t, 20, 450), os.Getpagesize()
	reported, tried := 0, 0
	for at := 0; at < len(whole); at += page {
		for bit := at / page % 11; bit < headerBytes*8; bit += 11 {
			content := slices.Clone(whole)
			content[at+bit/8] ^= 1 << (bit % 8)
			s, damage, err := Open(putFile(t, content), openedAt, texts())
			if err != nil {
				t.Fatalf("page %d, bit %d: %v", at/page, bit, err)
			}
			all, err := All[string](s, "values")
			if err != nil || damage == nil && len(all) != 20 {
				t.Errorf("page %d, bit %d: %d values, damage %v, error %v", at/page, bit, len(all), damage, err)
			}
			put := make(chan error, 1)
			go func() { put <- s.Put("values", "new", strings.Repeat("y", 3*page)) }()
			select {
			case err := <-put:
				if err != nil {
					t.Errorf("page %d, bit %d, damage %v: put: %v", at/page, bit, damage, err)
				}
			case <-time.After(20 * time.Second): // damage can make bbolt free billions of pages
				t.Fatalf("page %d, bit %d, damage %v: put does not return", at/page, bit, damage)
			}
			if err := s.Close(); err != nil {
				t.Errorf("page %d, bit %d: %v", at/page, bit, err)
			}
			tried++
			if damage != nil {
				reported++
			}
		}
	}
	t.Logf("%d of %d flipped bits are reported", reported, tried)
	if reported == 0 {
		t.Error("no damage is reported")
	}
}

// Damage that a write meets while the program runs is an error and does not end the program.
func TestDamageDuringUse(t *testing.T) {
	path := putFile(t, fileWithValues(t, 200, 450))
	s := openStore(t, path, texts())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, int(info.Size())), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Put("values", "old1", strings.Repeat("y", 100)); !errors.Is(err, errDamaged) {
		t.Errorf("put: error %v, want %v", err, errDamaged)
	}
	if _, err := All[string](s, "values"); !errors.Is(err, errDamaged) {
		t.Errorf("all: error %v, want %v", err, errDamaged)
	}
}
