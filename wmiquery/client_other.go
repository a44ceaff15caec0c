//go:build !windows

package wmiquery

import "fmt"

// OpenCOM needs Windows.
func OpenCOM() (Session, error) {
	return nil, fmt.Errorf("the source wmi needs Windows: %w", ErrUnsupported)
}
