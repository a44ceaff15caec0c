package disk

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func openForReserving(path string) (*os.File, error) { return os.OpenFile(path, os.O_WRONLY, 0) }

// allocate gives a file space up to an offset.
func allocate(f *os.File, end int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, end)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
