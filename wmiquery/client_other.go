//go:build !windows

package wmiquery

import "fmt"

// OpenCOM fails: the WMI source is available on Windows only.
func OpenCOM() (Session, error) {
	return nil, fmt.Errorf("source wmi needs Windows: %w", ErrUnsupported)
}
