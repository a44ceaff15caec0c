package audit

import (
	"os"

	"golang.org/x/sys/windows"
)

// openForAppend opens a file for appending, or creates it. Unlike os.OpenFile it lets other processes rename or delete
// the file while it is open.
func openForAppend(path string) (*os.File, error) {
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
