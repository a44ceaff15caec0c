// Package store keeps values on disk that must survive a restart.
package store

import (
	"errors"
	"fmt"
	"os"
	"sync"
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
	writing     *sync.Mutex       // held during a write and the reservation after it
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
	s := &Store{db: db, file: file, buckets: buckets, writing: new(sync.Mutex), broken: new(atomic.Bool)}
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

// Close closes the file. A later write returns an error.
func (s *Store) Close() error {
	s.writing.Lock() // a call of the host can return, and be stored, at any time
	defer s.writing.Unlock()
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

// reserve makes sure that the file can grow. The caller must hold s.writing. An error has no consequence: the next
// write that needs space may fail.
func (s *Store) reserve() {
	if info, err := s.file.Stat(); err == nil && s.reservation != nil {
		_ = s.reservation.Extend(info.Size() + reserveBytes)
	}
}

// update runs a transaction that writes. No other may make the file grow during the reservation: on Windows a file is
// truncated to a reservation that is smaller than it.
func (s *Store) update(f func(*bbolt.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
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
