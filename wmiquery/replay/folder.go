package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// maxFileSize is the maximum size of a file of a capture: 64 MiB. The largest file of a host with 1,000 VMs and 25
// recovery points for each VM, Msvm_VirtualSystemSettingData.xml, has about 20 MiB.
const maxFileSize = 64 << 20

// OpenFolder reads the capture in a folder, see [Open]. It reads only regular files inside the folder, of at most
// 64 MiB each. It returns an error when ctx ends, even if the file system does not answer.
func OpenFolder(ctx context.Context, folder string, now func() time.Time) (*Host, error) {
	return untilDone(ctx, func() (*Host, error) {
		root, err := os.OpenRoot(folder)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, notCaptureError(err)
		}
		if err != nil {
			return nil, err
		}
		defer root.Close() //nolint:errcheck // only read
		return Open(root.FS(), now)
	})
}

// untilDone returns what open returns, or an error when ctx ends. Open then continues in the background.
func untilDone(ctx context.Context, open func() (*Host, error)) (*Host, error) {
	type result struct {
		host *Host
		err  error
	}
	done := make(chan result, 1)
	go func() {
		host, err := open()
		done <- result{host, err}
	}()
	select {
	case r := <-done:
		return r.host, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("reading the capture: %w", ctx.Err())
	}
}

// notCaptureError returns the error for a folder without a manifest.
func notCaptureError(err error) error {
	return fmt.Errorf("not a capture, or not a complete one: %w", err)
}

// readRegular returns the content of a file. It refuses a file that is not a regular one, such as a named pipe, a
// device or a link out of the folder: opening it can block forever, and reading it may never end.
func readRegular(capture fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(capture, name)
	if err != nil {
		if link, lstatErr := fs.Lstat(capture, name); lstatErr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return nil, errors.New("link to no file inside the folder, copy the file itself into the folder")
		}
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file but %s, replace it by a copy of the file", describeMode(info.Mode()))
	}
	f, err := capture.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(data) > maxFileSize {
		err = fmt.Errorf("larger than %d MiB, remove instances that are not relevant", maxFileSize>>20)
	}
	return data, err
}

// describeMode returns the type of a file that is not a regular one.
func describeMode(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return fmt.Sprintf("a file of type %s", mode.Type())
}
