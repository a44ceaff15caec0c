//go:build unix

package replay

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Files that are not regular files inside the folder are refused: opening a named pipe blocks, and /dev/zero has no end.
func TestIrregularFiles(t *testing.T) {
	outside := filepath.Join(sampleFolder(t), "manifest.xml")
	link := func(target string) func(string) error {
		return func(name string) error { return os.Symlink(target, name) }
	}
	for _, tt := range []struct {
		name, want string
		create     func(name string) error
	}{
		{"named pipe", "not a regular file but a named pipe, replace it by a copy", func(name string) error {
			return syscall.Mkfifo(name, 0o600)
		}},
		{"link to a device", "link to no file inside the folder, copy the file itself", link("/dev/zero")},
		{"link out of the folder", "link to no file inside the folder, copy the file itself", link(outside)},
		{"relative link out of the folder", "link to no file inside the folder", link("../../../../../../etc/passwd")},
		{"link to nothing", "link to no file inside the folder", link("none.xml")},
	} {
		for _, file := range []string{"manifest.xml", "Msvm_ConcreteJob.xml", "GetSystemCertificates.xml"} {
			folder := sampleFolder(t)
			name := filepath.Join(folder, file)
			if err := errors.Join(os.Remove(name), tt.create(name)); err != nil {
				t.Fatal(err)
			}
			checkFolder(t, tt.name, folder, file+": "+tt.want)
		}
	}
}

// A link to a file inside the folder is read: volumes of Kubernetes consist of such links.
func TestLinkInsideFolder(t *testing.T) {
	folder := sampleFolder(t)
	name := filepath.Join(folder, "manifest.xml")
	if err := errors.Join(os.Rename(name, filepath.Join(folder, "data")), os.Symlink("data", name)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(t.Context(), folder, nil); err != nil {
		t.Errorf("got error %v", err)
	}
	_ = os.Remove(filepath.Join(folder, "data"))
	checkFolder(t, "link to a file that was removed", folder, "manifest.xml: link to no file inside the folder")
}
