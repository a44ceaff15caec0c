//go:build !linux && !windows

package disk

import (
	"errors"
	"os"
)

func openForReserving(path string) (*os.File, error) { return os.OpenFile(path, os.O_WRONLY, 0) }

// allocate is not possible on this system.
func allocate(*os.File, int64) error { return errors.ErrUnsupported }
