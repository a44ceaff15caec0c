//go:build !windows

package access

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// checkOwnerAndPermissions returns an error if others own a file or directory, can write to it or, if it is secret,
// read it. The group may read a secret.
func checkOwnerAndPermissions(path string, info fs.FileInfo, secret bool) error {
	if err := checkOwner(path, info); err != nil {
		return err
	}
	switch mode := info.Mode().Perm(); {
	case mode&0o022 != 0:
		return fmt.Errorf("%s: other users can change it (mode %04o); run: chmod go-w %s", path, mode, path)
	case secret && mode&0o004 != 0:
		return fmt.Errorf("%s: other users can read it (mode %04o); run: chmod o-r %s", path, mode, path)
	}
	return nil
}

// checkOwner returns an error if a file or directory belongs to others.
func checkOwner(path string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s: belongs to the user %d, who can change it; run: chown %d %s",
			path, stat.Uid, os.Geteuid(), path)
	}
	return nil
}

// checkParent returns an error if others can rename or delete the entries of a directory. In a directory with the
// sticky bit, such as /tmp, only the owner of an entry can.
func checkParent(path string, info fs.FileInfo) error {
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("%s: other users can replace its files (mode %04o); run: chmod go-w %s", path, mode.Perm(), path)
	}
	return checkOwner(path, info)
}

func createDir(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.Mkdir(path, 0o700)
}
