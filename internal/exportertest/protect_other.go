//go:build !windows

package exportertest

import "testing"

// protect does nothing: a temporary file has the mode 0600.
func protect(testing.TB, string) {}
