package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// store keeps what must outlive a restart: the records of jobs, the answers to
// requests with an Idempotency-Key, and announced maintenance.
type store struct{ db *bbolt.DB }

var (
	bucketJobs        = []byte("jobs")
	bucketAnswers     = []byte("answers")
	bucketMaintenance = []byte("maintenance")
)

// buckets are all of them, with what the values of each are.
var buckets = map[string]func() any{
	string(bucketJobs):        func() any { return &jobRecord{} },
	string(bucketAnswers):     func() any { return &keptAnswer{} },
	string(bucketMaintenance): func() any { return &maintenance{} },
}

// How long records are kept.
const (
	keepJobs    = 30 * 24 * time.Hour
	keepAnswers = 24 * time.Hour
	maxJobs     = 10_000
)

// openStore opens the store, which only one program can have open. One that is damaged
// is set aside, and an empty one taken; what cannot be read of one is passed over. Damage
// tells of either, nil of neither: nothing is ever called again for want of its record.
func openStore(path string, now time.Time) (s *store, damage, err error) {
	s, err = tryStore(path)
	if errors.Is(err, errDamaged) {
		damage = err
		aside := path + ".damaged-" + now.UTC().Format("20060102T150405Z")
		if err = os.Rename(path, aside); err == nil {
			damage = fmt.Errorf("%w; it is set aside as %s", damage, aside)
			s, err = tryStore(path)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("store %s: %w", path, err)
	}
	if n := s.unreadable(); n > 0 && damage == nil {
		damage = fmt.Errorf("%d records cannot be read", n)
	}
	return s, damage, nil
}

var errDamaged = errors.New("the file is damaged")

// tryStore opens the store and looks at every page that is in use. Damage shows itself
// as an error of bbolt, as a panic, or, where the file is too short for what it says of
// itself, as a fault of the memory that it is mapped to.
func tryStore(path string) (s *store, err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		x := recover()
		if x == nil {
			return
		}
		if file != nil {
			file.Close() //nolint:errcheck // it is given up
		}
		s, err = nil, fmt.Errorf("%w: %v", errDamaged, x)
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}})
	if errors.Is(err, bbolterrors.ErrInvalid) || errors.Is(err, bbolterrors.ErrChecksum) || errors.Is(err, bbolterrors.ErrVersionMismatch) {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for name := range buckets {
			b, err := tx.CreateBucketIfNotExists([]byte(name))
			if err != nil {
				return err
			}
			if err := b.ForEach(func(_, _ []byte) error { return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		db.Close() //nolint:errcheck // the other error counts
		return nil, err
	}
	return &store{db}, nil
}

// unreadable counts the values that are none.
func (s *store) unreadable() int {
	n := 0
	_ = s.db.View(func(tx *bbolt.Tx) error { // all was read before
		for name, into := range buckets {
			_ = tx.Bucket([]byte(name)).ForEach(func(_, text []byte) error {
				if json.Unmarshal(text, into()) != nil {
					n++
				}
				return nil
			})
		}
		return nil
	})
	return n
}

func (s *store) Close() error { return s.db.Close() }

// entry is a value of the store.
type entry struct {
	bucket []byte
	key    string
	value  any
}

// put writes a value, and returns when it is on the disk.
func (s *store) put(bucket []byte, key string, value any) error {
	return s.putAll(entry{bucket, key, value})
}

// putAll writes all values or none.
func (s *store) putAll(all ...entry) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, e := range all {
			text, err := json.Marshal(e.value)
			if err != nil {
				return err
			}
			if err := tx.Bucket(e.bucket).Put([]byte(e.key), text); err != nil {
				return err
			}
		}
		return nil
	})
}

// get reads a value, false if there is none.
func (s *store) get(bucket []byte, key string, value any) (bool, error) {
	found := false
	err := s.db.View(func(tx *bbolt.Tx) error {
		text := tx.Bucket(bucket).Get([]byte(key))
		if text == nil {
			return nil
		}
		found = true
		return json.Unmarshal(text, value)
	})
	return found, err
}

// allJobs gives every record, the newest first.
func (s *store) allJobs() ([]jobRecord, error) {
	all, err := allOf[jobRecord](s, bucketJobs)
	slices.SortFunc(all, func(a, b jobRecord) int { return b.Created.Compare(a.Created) })
	return all, err
}

// allOf gives every value of a bucket that can be read: the others were told of at the
// start.
func allOf[T any](s *store, bucket []byte) ([]T, error) {
	var all []T
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, text []byte) error {
			var v T
			if json.Unmarshal(text, &v) == nil {
				all = append(all, v)
			}
			return nil
		})
	})
	return all, err
}

// remove drops a value.
func (s *store) remove(bucket []byte, key string) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete([]byte(key)) })
}

// prune drops what is old. Jobs that have not ended stay.
func (s *store) prune(now time.Time) error {
	jobs, err := s.allJobs()
	if err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for i, j := range jobs {
			if j.State.ended() && (i >= maxJobs || now.Sub(j.Created) > keepJobs) {
				if err := tx.Bucket(bucketJobs).Delete([]byte(j.ID)); err != nil {
					return err
				}
			}
		}
		var old [][]byte
		bucket := tx.Bucket(bucketAnswers)
		err := bucket.ForEach(func(key, text []byte) error {
			var a keptAnswer
			if err := json.Unmarshal(text, &a); err != nil || now.Sub(a.Created) > keepAnswers {
				old = append(old, slices.Clone(key))
			}
			return nil
		})
		for _, key := range old {
			if err == nil {
				err = bucket.Delete(key)
			}
		}
		return err
	})
}
