//go:build !windows

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// Free returns the space that this program can use on the volume of a directory, in bytes.
func Free(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil //nolint:unconvert,gosec // the types depend on the system
}

// SyncDir writes the names of the files in a directory to disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	return d.Sync()
}
