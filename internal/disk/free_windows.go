package disk

import "golang.org/x/sys/windows"

// Free returns the space that this program can use on the volume of a directory, in bytes.
func Free(dir string) (free uint64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}

// SyncDir is not needed: NTFS logs changes of a directory.
func SyncDir(string) error { return nil }
