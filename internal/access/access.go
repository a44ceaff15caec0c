// Package access checks who can read and change files. What decides who may control the host must belong to the account
// of this program or to administrators, and nobody else may change it.
package access

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CheckFile returns an error if others can change or replace a file, or if it is a symbolic link, whose target could be
// anything. If it is secret, others may not read it either.
func CheckFile(path string, secret bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return notA("file", path, info)
	}
	return cmp.Or(checkOwnerAndPermissions(path, info, secret), checkParents(path))
}

// CheckDir returns an error if others can change the files of a directory, or replace the directory.
func CheckDir(path string) error {
	info, err := os.Lstat(filepath.Clean(path)) // a path with a slash at the end is the target of a link
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return notA("directory", path, info)
	}
	return cmp.Or(checkOwnerAndPermissions(path, info, false), checkParents(path))
}

// checkParents returns an error if others can rename or delete an entry of a directory that contains a path. They could
// then replace the file.
func checkParents(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return err
	}
	for ; parent != filepath.Dir(parent); parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return err
		}
		if err := checkParent(parent, info); err != nil {
			return err
		}
	}
	return nil
}

// CreateDir creates a directory that only the account of this program and administrators can use, if it does not exist,
// and checks it.
func CreateDir(path string) error {
	if err := createDir(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return CheckDir(path)
}

func notA(what, path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s: is a symbolic link; give the path of its target", path)
	}
	return fmt.Errorf("%s: is not a %s", path, what)
}
