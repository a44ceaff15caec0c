package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/internal/disk"
)

// rotatedTime is the format of the time in the name of a rotated file. The names sort by time.
const rotatedTime = "20060102T150405.000000000Z"

// Files returns the files of the log, the oldest first. The last one is the current one.
func (l *Log) Files() []string {
	extension := filepath.Ext(l.options.Path)
	prefix := strings.TrimSuffix(filepath.Base(l.options.Path), extension) + "-"
	entries, _ := os.ReadDir(filepath.Dir(l.options.Path)) // without the directory there are no files
	var files []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && strings.HasSuffix(e.Name(), extension) {
			files = append(files, filepath.Join(filepath.Dir(l.options.Path), e.Name()))
		}
	}
	slices.Sort(files)
	return append(files, l.options.Path)
}

// Size returns the size of all files of the log, in bytes.
func (l *Log) Size() int64 {
	var size int64
	for _, file := range l.Files() {
		if info, err := os.Stat(file); err == nil {
			size += info.Size()
		}
	}
	return size
}

// Free returns the free space on the volume of the log, in bytes.
func (l *Log) Free() (uint64, error) { return disk.Free(filepath.Dir(l.options.Path)) }

// rotateIfFull renames the file and starts a new one if another line would exceed the maximum size. If that fails, the
// log continues in the old file, because a record is more important than the size. The caller must hold l.mu.
func (l *Log) rotateIfFull(lineBytes int) error {
	info, err := l.file.Stat()
	if err != nil || info.Size() == 0 || l.options.MaxBytes <= 0 || info.Size()+int64(lineBytes) <= l.options.MaxBytes ||
		!info.Mode().IsRegular() {
		return err
	}
	err = l.rotate(info)
	if err != nil && l.rotateErr == nil {
		l.options.OnError(err)
	}
	l.rotateErr = err
	return nil
}

// rotate starts a new file. The new file has its reserved space before the old one gives up its own.
func (l *Log) rotate(old fs.FileInfo) error {
	if rotated := l.Files(); len(rotated) > l.options.MaxFiles {
		for _, file := range rotated[:len(rotated)-max(l.options.MaxFiles, 1)] {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	next := l.options.Path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, reservation, err := l.openFile(next)
	if err != nil {
		return err
	}
	if err = reservation.Extend(l.options.ReserveBytes); err == nil {
		err = os.Rename(l.options.Path, l.rotatedName())
	}
	if err == nil {
		err = os.Rename(next, l.options.Path)
	}
	if err != nil {
		return errors.Join(err, file.Close(), reservation.Close(), os.Remove(next))
	}
	trim(l.file, old.Size())
	l.use(file, reservation)
	l.partialLine = false
	return disk.SyncDir(filepath.Dir(l.options.Path))
}

// rotatedName returns the name for the current file, which is after those of all other files, also if the clock has
// gone back.
func (l *Log) rotatedName() string {
	extension := filepath.Ext(l.options.Path)
	prefix := strings.TrimSuffix(l.options.Path, extension) + "-"
	at, files := l.options.Now().UTC(), l.Files()
	if len(files) > 1 {
		name := strings.TrimSuffix(strings.TrimPrefix(files[len(files)-2], prefix), extension)
		if last, err := time.Parse(rotatedTime, name); err == nil && !at.After(last) {
			at = last.Add(1)
		}
	}
	return prefix + at.Format(rotatedTime) + extension
}
