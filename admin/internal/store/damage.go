package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

var errDamaged = errors.New("file is damaged")

// maxCheckedBytes is the size up to which the pages of a file are checked. The check reads the whole file.
const maxCheckedBytes = 64 << 20

// guard calls a function that uses the file. Damage of a page shows as an error or a panic of bbolt. If the file is
// shorter than its header says, it shows as a fault on the memory mapping. All of these are returned as errors.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("%w: %v", errDamaged, x)
		}
	}()
	return f()
}

// sizeOf returns the size of a file, -1 if it does not exist. A file that exists has been written before, so it is
// damaged if it is empty or too short for the two pages of a header, for which bbolt has no error of its own.
func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return -1, nil
	case err != nil:
		return 0, err
	case info.Size() == 0:
		return 0, fmt.Errorf("%w: it is empty", errDamaged)
	case info.Size() < int64(2*os.Getpagesize()):
		return 0, fmt.Errorf("%w: it has only %d bytes", errDamaged, info.Size())
	}
	return info.Size(), nil
}

// readBuckets reads every value, and so every page that is in use. It returns the number of values that cannot be
// decoded. A file without any of the buckets has lost them.
func readBuckets(tx *bbolt.Tx, buckets []Bucket) (undecodable int, err error) {
	missing := 0
	for _, bucket := range buckets {
		if tx.Bucket([]byte(bucket.Name)) == nil {
			missing++
			continue
		}
		_, keys, err := bucket.values(tx)
		if err != nil {
			return 0, err
		}
		undecodable += len(keys)
	}
	if missing > 0 && missing == len(buckets) {
		return 0, fmt.Errorf("%w: it has no records and no buckets", errDamaged)
	}
	return undecodable, nil
}

// checkFile checks the pages of a file that had a size when it was opened.
func checkFile(file io.ReaderAt, size int64, pageSize int) error {
	if size > maxCheckedBytes {
		return nil
	}
	content, err := io.ReadAll(io.NewSectionReader(file, 0, size))
	if err != nil {
		return err
	}
	if err := checkPages(content, pageSize); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil
}
