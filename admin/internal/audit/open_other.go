//go:build !windows

package audit

import "os"

// openForAppend opens a file for appending, or creates it.
func openForAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
}
