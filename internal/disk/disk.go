// Package disk reserves space on a volume, and says how much is free.
package disk

import (
	"errors"
	"os"
)

// Reservation is space that a file has beyond its end, so that the file can grow when the volume is full. The size of
// the file does not change.
type Reservation struct {
	file *os.File
	end  int64 // offset up to which there is space, as far as known
}

// Reserve returns a reservation for a file that exists. There is no space yet. The caller must close it.
func Reserve(path string) (*Reservation, error) {
	f, err := openForReserving(path)
	if err != nil {
		return nil, err
	}
	return &Reservation{file: f}, nil
}

// Extend reserves space up to an offset. It returns an error if the volume is full. A file system that cannot reserve
// space is no error.
func (r *Reservation) Extend(end int64) error {
	if end <= r.end {
		return nil
	}
	if err := allocate(r.file, end); errors.Is(err, ErrFull) {
		return err
	}
	r.end = end
	return nil
}

// Close ends the reservation. On Windows the space is then free when nobody has the file open, on Linux when the file
// is trimmed. A second Close does nothing.
func (r *Reservation) Close() error {
	if err := r.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// ErrFull is the error of a volume that has no space for a reservation.
var ErrFull = errors.New("the volume is full")
