// Package filetest provides files and directories for tests that also run under Wine.
package filetest

import (
	"os"
	"testing"
)

// Dir returns a new directory, which is removed at the end of the test if possible. Unlike the directory of
// testing.TB.TempDir, it does not fail the test otherwise: Wine cannot remove some files that were closed.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
