// Package store keeps values on disk that must survive a restart.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"hyperv_replica_exporter/internal/disk"
)

// Store is a database file with a set of buckets. Values are JSON.
type Store struct {
	db          *bbolt.DB
	file        *os.File // of db
	buckets     []Bucket
	reservation *disk.Reservation // of file; nil if the file cannot be opened for it
	// broken is set when db has panicked. It can hold its locks then, and is no longer used.
	broken *atomic.Bool
}

// Bucket is a named set of values of one type.
type Bucket struct {
	Name string
	// New returns a pointer to a new value of the bucket's type.
	New func() any
	// Expired returns the keys of the values that are no longer needed.
	Expired func(values []Value, now time.Time) []string
}

// Value is a value of a bucket.
type Value struct {
	Key   string
	Value any // as New returns it
}

// Entry is a value to write.
type Entry struct {
	Bucket string
	Key    string
	Value  any
}

// Open opens the store. Only one process can have it open.
//
// Damage never prevents a start. If the file is damaged, Open renames it and starts with an empty one; values that
// cannot be decoded are ignored, and the next Prune deletes them. In both cases damage is not nil. It is safe to go on
// without the records: they only describe calls, and no call is ever repeated because its record is missing.
func Open(path string, now time.Time, buckets ...Bucket) (s *Store, damage, err error) {
	s, undecodable, err := open(path, buckets)
	if errors.Is(err, errDamaged) {
		damage = err
		renamed := path + ".damaged-" + now.UTC().Format("20060102T150405Z")
		if err = os.Rename(path, renamed); err == nil {
			damage = fmt.Errorf("%w; renamed to %s", damage, renamed)
			s, undecodable, err = open(path, buckets)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("store %s: %w", path, err)
	}
	if undecodable > 0 {
		damage = fmt.Errorf("%d records cannot be decoded", undecodable)
	}
	return s, damage, nil
}

// open opens the store and reads every value, and so every page that is in use. It returns the number of values that
// cannot be decoded.
func open(path string, buckets []Bucket) (s *Store, undecodable int, err error) {
	size, err := sizeOf(path)
	if err != nil {
		return nil, 0, err
	}
	var file *os.File
	var db *bbolt.DB
	panicked := true
	err = guard(func() error {
		var err error
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: time.Second,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				var err error
				file, err = os.OpenFile(name, flag, mode)
				return file, err
			},
		})
		if err == nil && size >= 0 {
			err = db.View(func(tx *bbolt.Tx) error {
				if undecodable, err = readBuckets(tx, buckets); err != nil {
					return err
				}
				return checkFile(file, size, db.Info().PageSize)
			})
		}
		if err == nil {
			err = createMissing(db, buckets)
		}
		panicked = false
		return err
	})
	switch {
	case err == nil:
		return newStore(path, db, file, buckets), undecodable, nil
	case panicked && file != nil:
		file.Close() //nolint:errcheck // the database is not used
	case db != nil:
		db.Close() //nolint:errcheck // the other error is returned
	}
	if errors.Is(err, bbolterrors.ErrInvalid) || errors.Is(err, bbolterrors.ErrChecksum) ||
		errors.Is(err, bbolterrors.ErrVersionMismatch) {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil, 0, err
}

// newStore returns a store for an open database.
func newStore(path string, db *bbolt.DB, file *os.File, buckets []Bucket) *Store {
	s := &Store{db: db, file: file, buckets: buckets, broken: new(atomic.Bool)}
	s.reservation, _ = disk.Reserve(path) // without it the store works, until the volume is full
	s.reserve()
	return s
}

// createMissing creates the buckets that do not exist.
func createMissing(db *bbolt.DB, buckets []Bucket) error {
	return db.Update(func(tx *bbolt.Tx) error {
		for _, bucket := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(bucket.Name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// values returns the values of the bucket, and the keys of those that cannot be decoded.
func (b Bucket) values(tx *bbolt.Tx) (all []Value, undecodable []string, err error) {
	err = tx.Bucket([]byte(b.Name)).ForEach(func(key, text []byte) error {
		v := Value{string(key), b.New()}
		if json.Unmarshal(text, v.Value) == nil {
			all = append(all, v)
		} else {
			undecodable = append(undecodable, v.Key)
		}
		return nil
	})
	return all, undecodable, err
}

// Close closes the file.
func (s *Store) Close() error {
	var err error
	if s.reservation != nil {
		err = s.reservation.Close()
	}
	if s.broken.Load() {
		return errors.Join(err, s.file.Close())
	}
	return errors.Join(err, s.db.Close())
}

// reserveBytes is the space that is reserved for records when the volume is full. A record needs about a KiB, and a
// write changes some pages.
const reserveBytes = 1 << 20

// reserve makes sure that the file can grow. An error has no consequence: the next write that needs space may fail.
func (s *Store) reserve() {
	if info, err := s.file.Stat(); err == nil && s.reservation != nil {
		_ = s.reservation.Extend(info.Size() + reserveBytes)
	}
}

// update runs a transaction that writes.
func (s *Store) update(f func(*bbolt.Tx) error) error {
	defer s.reserve()
	return s.use(func() error { return s.db.Update(f) })
}

// view runs a transaction that reads.
func (s *Store) view(f func(*bbolt.Tx) error) error {
	return s.use(func() error { return s.db.View(f) })
}

// use calls a function that uses the database. Damage that it meets is an error, and so is every later use: the next
// start renames the file.
func (s *Store) use(f func() error) error {
	if s.broken.Load() {
		return errDamaged
	}
	panicked := true
	defer func() {
		if panicked {
			s.broken.Store(true)
		}
	}()
	return guard(func() error {
		err := f()
		panicked = false
		return err
	})
}

// Put writes a value. When it returns, the value is on disk.
func (s *Store) Put(bucket, key string, value any) error {
	return s.PutAll(Entry{bucket, key, value})
}

// PutAll writes all entries or none of them. When it returns, they are on disk.
func (s *Store) PutAll(entries ...Entry) error {
	return s.update(func(tx *bbolt.Tx) error {
		for _, e := range entries {
			text, err := json.Marshal(e.Value)
			if err != nil {
				return err
			}
			if err := tx.Bucket([]byte(e.Bucket)).Put([]byte(e.Key), text); err != nil {
				return err
			}
		}
		return nil
	})
}

// Get reads a value into a pointer. It returns false if there is no value with this key.
func (s *Store) Get(bucket, key string, value any) (bool, error) {
	found := false
	err := s.view(func(tx *bbolt.Tx) error {
		text := tx.Bucket([]byte(bucket)).Get([]byte(key))
		if text == nil {
			return nil
		}
		found = true
		return json.Unmarshal(text, value)
	})
	return found, err
}

// All returns every value of a bucket that can be decoded. Open has reported the others as damage.
func All[T any](s *Store, bucket string) ([]T, error) {
	var all []T
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket)).ForEach(func(_, text []byte) error {
			var v T
			if json.Unmarshal(text, &v) == nil {
				all = append(all, v)
			}
			return nil
		})
	})
	return all, err
}

// Backward calls visit with the values of a bucket that can be decoded, from the greatest key to the smallest, until
// visit returns false. With before, it starts at the greatest key that is less than that.
func Backward[T any](s *Store, bucket, before string, visit func(T) bool) error {
	return s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucket)).Cursor()
		key, text := c.Last()
		if before != "" {
			if key, _ = c.Seek([]byte(before)); key == nil {
				key, text = c.Last()
			} else {
				key, text = c.Prev()
			}
		}
		for ; key != nil; key, text = c.Prev() {
			var v T
			if json.Unmarshal(text, &v) == nil && !visit(v) {
				return nil
			}
		}
		return nil
	})
}

// Prune deletes the values of all buckets that have expired or cannot be decoded.
func (s *Store) Prune(now time.Time) error {
	var errs []error
	for _, bucket := range s.buckets {
		var expired []string
		err := s.view(func(tx *bbolt.Tx) error {
			values, undecodable, err := bucket.values(tx)
			expired = slices.Concat(undecodable, bucket.Expired(values, now))
			return err
		})
		if err == nil {
			err = s.delete(bucket.Name, expired)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Store) delete(bucket string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, key := range keys {
			if err := tx.Bucket([]byte(bucket)).Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
}
