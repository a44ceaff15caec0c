package store

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

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
