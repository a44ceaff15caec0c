package admin

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// store keeps what must outlive a restart: the records of jobs, the answers to
// requests with an Idempotency-Key, and announced maintenance.
type store struct{ db *bbolt.DB }

var (
	bucketJobs        = []byte("jobs")
	bucketAnswers     = []byte("answers")
	bucketMaintenance = []byte("maintenance")
)

// How long records are kept.
const (
	keepJobs    = 30 * 24 * time.Hour
	keepAnswers = 24 * time.Hour
	maxJobs     = 10_000
)

// openStore opens the store, which only one program can have open.
func openStore(path string) (*store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketJobs, bucketAnswers, bucketMaintenance} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		db.Close() //nolint:errcheck // the other error counts
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return &store{db}, nil
}

func (s *store) Close() error { return s.db.Close() }

// put writes a value, and returns when it is on the disk.
func (s *store) put(bucket []byte, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte(key), text) })
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

// allOf gives every value of a bucket.
func allOf[T any](s *store, bucket []byte) ([]T, error) {
	var all []T
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, text []byte) error {
			var v T
			if err := json.Unmarshal(text, &v); err != nil {
				return err
			}
			all = append(all, v)
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
