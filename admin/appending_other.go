//go:build !windows

package admin

import "os"

// openAppending opens a file to append to, and makes it if it is not there.
func openAppending(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
}
