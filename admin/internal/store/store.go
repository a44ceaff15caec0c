// Package store keeps values on disk that must survive a restart.
package store

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

// Store is a database file with a set of buckets. Values are JSON.
type Store struct {
	db      *bbolt.DB
	buckets []Bucket
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

var errDamaged = errors.New("file is damaged")

// open opens the store and reads every value, and so every page that is in use. It returns the number of values that
// cannot be decoded. Damage of a page shows as an error of bbolt or as a panic. If the file is shorter than its header
// says, it shows as a fault on the memory mapping.
func open(path string, buckets []Bucket) (s *Store, undecodable int, err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		x := recover()
		if x == nil {
			return
		}
		if file != nil {
			file.Close() //nolint:errcheck // the database is not used
		}
		s, undecodable, err = nil, 0, fmt.Errorf("%w: %v", errDamaged, x)
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	})
	if errors.Is(err, bbolterrors.ErrInvalid) || errors.Is(err, bbolterrors.ErrChecksum) ||
		errors.Is(err, bbolterrors.ErrVersionMismatch) {
		return nil, 0, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err != nil {
		return nil, 0, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, bucket := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(bucket.Name)); err != nil {
				return err
			}
			_, keys, err := bucket.values(tx)
			if err != nil {
				return err
			}
			undecodable += len(keys)
		}
		return nil
	})
	if err != nil {
		db.Close() //nolint:errcheck // the other error is returned
		return nil, 0, err
	}
	return &Store{db, buckets}, undecodable, nil
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
func (s *Store) Close() error { return s.db.Close() }

// Put writes a value. When it returns, the value is on disk.
func (s *Store) Put(bucket, key string, value any) error {
	return s.PutAll(Entry{bucket, key, value})
}

// PutAll writes all entries or none of them. When it returns, they are on disk.
func (s *Store) PutAll(entries ...Entry) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
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
	err := s.db.View(func(tx *bbolt.Tx) error {
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
	err := s.db.View(func(tx *bbolt.Tx) error {
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

// Prune deletes the values of all buckets that have expired or cannot be decoded.
func (s *Store) Prune(now time.Time) error {
	var errs []error
	for _, bucket := range s.buckets {
		var expired []string
		err := s.db.View(func(tx *bbolt.Tx) error {
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
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, key := range keys {
			if err := tx.Bucket([]byte(bucket)).Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
}
