package disk

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// openForReserving opens a file. Other processes can rename or delete it while it is open.
func openForReserving(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	h, err := windows.CreateFile(name, windows.GENERIC_WRITE, share, nil, windows.OPEN_EXISTING,
		windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// allocate gives a file space up to an offset. A smaller allocation than the size would truncate the file.
// Source: FILE_ALLOCATION_INFO. NTFS frees the space when the last handle is closed.
func allocate(f *os.File, end int64) error {
	info, err := f.Stat()
	if err != nil || end <= info.Size() {
		return err
	}
	err = windows.SetFileInformationByHandle(windows.Handle(f.Fd()), windows.FileAllocationInfo,
		(*byte)(unsafe.Pointer(&end)), uint32(unsafe.Sizeof(end)))
	if errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
