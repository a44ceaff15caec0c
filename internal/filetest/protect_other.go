//go:build !windows

package filetest

import "testing"

// Protect does nothing: tests create files with the mode 0600.
func Protect(testing.TB, string) {}
