//go:build !windows

package access

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wantError checks that an error has a text, or that there is no error if the text is "".
func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got error %v, want %q", what, err, want)
	}
}

// Only the owner may write. Others may read what is not secret; the group may read a secret.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		mode         fs.FileMode
		open, secret string
	}{
		{0o400, "", ""},
		{0o600, "", ""},
		{0o640, "", ""},
		{0o644, "", "chmod o-r"},
		{0o604, "", "chmod o-r"},
		{0o620, "chmod go-w", "chmod go-w"},
		{0o602, "chmod go-w", "chmod go-w"},
		{0o660, "chmod go-w", "chmod go-w"},
		{0o666, "chmod go-w", "chmod go-w"},
	} {
		if err := os.Chmod(file, tt.mode); err != nil {
			t.Fatal(err)
		}
		wantError(t, tt.mode.String(), CheckFile(file, false), tt.open)
		wantError(t, tt.mode.String()+", secret", CheckFile(file, true), tt.secret)
	}
	for mode, want := range map[fs.FileMode]string{0o700: "", 0o755: "", 0o775: "chmod go-w", 0o1777: "chmod go-w"} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		wantError(t, "directory "+mode.String(), CheckDir(dir), want)
	}
}

// A symbolic link, and something else than a file or a directory, is refused.
func TestTypes(t *testing.T) {
	dir := t.TempDir()
	file, toFile, toDir := filepath.Join(dir, "file"), filepath.Join(dir, "toFile"), filepath.Join(dir, "toDir")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{toFile: file, toDir: dir} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, "link to a file", CheckFile(toFile, false), "is a symbolic link")
	wantError(t, "link to a directory", CheckDir(toDir), "is a symbolic link")
	wantError(t, "new directory in place of a link", CreateDir(toDir), "is a symbolic link")
	wantError(t, "directory as a file", CheckFile(dir, false), "is not a file")
	wantError(t, "file as a directory", CheckDir(file), "is not a directory")
	wantError(t, "no file", CheckFile(filepath.Join(dir, "none"), false), "no such file")
}

// A file of another user is refused, because that user can change it. One of root is not.
func TestOwner(t *testing.T) {
	wantError(t, "file of root", CheckFile("/etc/passwd", false), "")
	if os.Geteuid() != 0 {
		t.Log("only root can give a file to another user")
		return
	}
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(file, 12345, 0); err != nil {
		t.Fatal(err)
	}
	wantError(t, "file of another user", CheckFile(file, false), "belongs to the user 12345")
}

// A new directory is only for this account. An existing one is checked.
func TestCreateDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		wantError(t, "directory", CreateDir(dir), "")
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	wantError(t, "directory of all", CreateDir(dir), "chmod go-w")
}

// A file is refused if others can replace it, or a directory that contains it.
func TestParents(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	file, data := filepath.Join(dir, "policy.yml"), filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, parent := range []string{dir, filepath.Dir(dir)} {
		for mode, want := range map[fs.FileMode]string{
			0o777: "chmod go-w " + parent, 0o720: "chmod go-w " + parent, 0o777 | fs.ModeSticky: "", 0o755: "",
		} {
			if err := os.Chmod(parent, mode); err != nil {
				t.Fatal(err)
			}
			wantError(t, "file in "+mode.String(), CheckFile(file, false), want)
			wantError(t, "directory in "+mode.String(), CheckDir(data), want)
		}
		if err := os.Chmod(parent, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(top, "link")
	if err := os.Symlink(data, link); err != nil {
		t.Fatal(err)
	}
	wantError(t, "link with a slash at the end", CheckDir(link+"/"), "is a symbolic link")
}
