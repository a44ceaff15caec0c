package replay

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/filetest"
)

// sampleFolder returns a folder with a copy of the capture in testdata.
func sampleFolder(t *testing.T) string {
	t.Helper()
	folder := filetest.Dir(t)
	if err := os.CopyFS(folder, os.DirFS("testdata/sample")); err != nil {
		t.Fatal(err)
	}
	return folder
}

// checkFolder checks that a folder cannot be opened, with an error that contains want.
func checkFolder(t *testing.T, name, folder, want string) {
	t.Helper()
	if _, err := OpenFolder(t.Context(), folder, nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got error %v, want one with %q", name, err, want)
	}
}

func TestOpenFolder(t *testing.T) {
	h, err := OpenFolder(t.Context(), sampleFolder(t), nil)
	if err != nil || h.Build() != "20348" {
		t.Errorf("got %v, error %v", h, err)
	}
	checkFolder(t, "folder that does not exist", filepath.Join(filetest.Dir(t), "none"), "not a capture, or not a complete one")
	checkFolder(t, "empty folder", filetest.Dir(t), "not a capture, or not a complete one")
	checkFolder(t, "file instead of a folder", filepath.Join(sampleFolder(t), "manifest.xml"), "manifest.xml")
}

func TestFolderInsteadOfFile(t *testing.T) {
	folder := sampleFolder(t)
	name := filepath.Join(folder, "Msvm_ConcreteJob.xml")
	if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o700)); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, "folder", folder, "Msvm_ConcreteJob.xml: not a regular file but a folder, replace it by a copy of the file")
}

// A file of 64 MiB is read, a larger one is not.
func TestSizeOfFile(t *testing.T) {
	folder := sampleFolder(t)
	name := filepath.Join(folder, "Msvm_ConcreteJob.xml")
	for _, tt := range []struct {
		size int64
		want string
	}{
		{64 << 20, "Msvm_ConcreteJob.xml: XML syntax error"}, // zeros after the end
		{64<<20 + 1, "Msvm_ConcreteJob.xml: larger than 64 MiB, remove instances"},
	} {
		if err := os.Truncate(name, tt.size); err != nil {
			t.Fatal(err)
		}
		checkFolder(t, "size", folder, tt.want)
	}
}

// hangingFS is a file system that does not answer.
type hangingFS struct{ asked func() }

func (h hangingFS) Open(string) (fs.File, error) {
	h.asked()
	select {}
}

// The program can be stopped while it reads a capture, even if the file system does not answer.
func TestStopWhileReading(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	_, err := untilDone(ctx, func() (*Host, error) { return Open(hangingFS{stop}, nil) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}
