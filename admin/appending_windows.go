package admin

import (
	"os"

	"golang.org/x/sys/windows"
)

// openAppending opens a file to append to, and makes it if it is not there. Others may
// move it away meanwhile, which os.OpenFile does not allow.
func openAppending(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	h, err := windows.CreateFile(
		name, windows.GENERIC_READ|windows.FILE_APPEND_DATA|windows.SYNCHRONIZE, share, nil,
		windows.OPEN_ALWAYS, windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}
