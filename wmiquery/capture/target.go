package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hyperv_replica_exporter/wmiquery/replay"
)

// target is where a capture is written.
type target struct {
	folder  string
	mapping string   // the file of the mapping, beside the folder
	root    *os.Root // nil for a dry run
}

// openTarget checks that the folder can be used. Unless dryRun is set, it creates the folder.
func openTarget(folder string, dryRun bool) (*target, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	if filepath.Dir(folder) == folder {
		return nil, fmt.Errorf("%s is the root of a file system, choose a folder below it", folder)
	}
	t := &target{folder: folder, mapping: folder + "-mapping.txt"}
	if _, err := os.Lstat(t.mapping); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s already exists, choose another folder or move the file", t.mapping)
		}
		return nil, err
	}
	exists, err := checkFolder(folder)
	if err != nil || dryRun {
		return t, err
	}
	if !exists {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return nil, err
		}
	}
	t.root, err = os.OpenRoot(folder)
	return t, err
}

// checkFolder returns an error unless a folder is empty or does not exist.
func checkFolder(folder string) (exists bool, err error) {
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return true, fmt.Errorf("%s is not a folder, choose another name", folder)
	}
	entries, err := os.ReadDir(folder)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty, choose another folder", folder)
	}
	return true, err
}

func (t *target) close() {
	if t.root != nil {
		_ = t.root.Close() // all files are closed
	}
}

// write writes the files of a capture and the mapping file. The manifest is the last file.
func (t *target) write(ctx context.Context, files []replay.File, m *mapping) error {
	text, err := m.text()
	if err != nil {
		return err
	}
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := os.OpenFile(t.mapping, flags, 0o600)
	if err := writeFile(f, err, text); err != nil {
		return err
	}
	for _, file := range files {
		err := ctx.Err()
		if err == nil {
			f, openErr := t.root.OpenFile(file.Name, flags, 0o600)
			err = writeFile(f, openErr, file.Data)
		}
		if err != nil {
			return fmt.Errorf("%s is not complete, delete it: %w", t.folder, err)
		}
	}
	return nil
}

// writeFile writes a file that was opened for writing, and closes it.
func writeFile(f *os.File, err error, data []byte) error {
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
