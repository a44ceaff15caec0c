package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"hyperv_replica_exporter/internal/filetest"
)

// A reservation does not change the size of its file. It can be closed twice.
func TestReservation(t *testing.T) {
	dir := filetest.Dir(t)
	file := filepath.Join(dir, "x")
	if _, err := Reserve(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reservation for no file: error %v", err)
	}
	if err := os.WriteFile(file, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Reserve(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Extend(1<<20), r.Extend(1), r.Extend(1<<20)); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "abc" {
		t.Errorf("the file has %q, %v", text, err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	if free, err := Free(dir); err != nil || free == 0 {
		t.Errorf("%d bytes are free, %v", free, err)
	}
	if err := SyncDir(dir); err != nil {
		t.Error(err)
	}
}
