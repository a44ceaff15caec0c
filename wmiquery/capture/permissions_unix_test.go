//go:build unix

package capture

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Only the owner can read the files and the list of replacements.
func TestPermissions(t *testing.T) {
	folder := newFolder(t)
	result := capture(t, Options{Reader: simulated(t, "HV01"), Folder: folder, CallTimeout: time.Minute})
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) != 22 {
		t.Errorf("found %d files, error %v; want 22", len(files), err)
	}
	modes := map[string]os.FileMode{folder: 0o700, result.MappingFile: 0o600}
	for _, file := range files {
		modes[file] = 0o600
	}
	for file, want := range modes {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", file, got, want)
		}
	}
}
