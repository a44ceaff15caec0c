package service

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/windows"
)

// Windows parses a quoted argument to what it was.
func TestWindowsParsesQuotedArguments(t *testing.T) {
	for arg := range arguments {
		got, err := windows.DecomposeCommandLine(`"C:\a b.exe" ` + quote(arg))
		if want := []string{`C:\a b.exe`, arg}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v", arg, got, err)
		}
	}
}

// The step for the data folder sets the rights that it reads, and keeps files when it is undone.
func TestDataFolder(t *testing.T) {
	folder := filepath.Join(os.TempDir(), "hyperv_replica_exporter_"+strconv.Itoa(os.Getpid()))
	step := stepOf(t, Steps(Config{DataDir: folder}), DataFolder)
	if has, err := readFolder(nil, step); has != nil || err != nil {
		t.Fatalf("got %v, %v for a folder that does not exist", has, err)
	}
	if err := applyFolder(nil, step); err != nil {
		t.Fatal(err)
	}
	has, err := readFolder(nil, step)
	if err != nil || len(has) < 4 {
		t.Errorf("got %v, %v", has, err)
	}
	if kept, err := removeFolder(nil, step); kept || err != nil {
		t.Errorf("an empty folder: kept is %t, error %v", kept, err)
	}
}
