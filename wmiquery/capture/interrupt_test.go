package capture

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/replay"
)

// interrupting is a Reader that is interrupted by its last request.
type interrupting struct {
	wmiquery.Reader
	left int
	stop func()
}

func (r *interrupting) Read(ctx context.Context, dst any) error {
	if r.left--; r.left == 0 {
		r.stop()
	}
	return r.Reader.Read(ctx, dst)
}

func (r *interrupting) Get(ctx context.Context, call wmiquery.Call) (wmiquery.Reply, error) {
	if r.left--; r.left == 0 {
		r.stop()
	}
	return r.Reader.Get(ctx, call)
}

// A capture that is interrupted while it reads the host writes no file.
func TestInterruptedRead(t *testing.T) {
	for _, requests := range []int{1, 10, 17, 18, 30} {
		folder := newFolder(t)
		ctx, stop := context.WithCancel(t.Context())
		reader := &interrupting{simulated(t, "HV01"), requests, stop}
		_, err := Run(ctx, Options{Reader: reader, Folder: folder, CallTimeout: time.Minute})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d requests: got error %v", requests, err)
		}
		if reader.left != 0 {
			t.Errorf("%d requests after the interrupt", -reader.left)
		}
		if files := readFiles(t, folder); len(files) != 0 {
			t.Errorf("%d requests: found %d files", requests, len(files))
		}
	}
}

// A capture that cannot write all its files has no manifest, so it is not a capture.
func TestInterruptedWrite(t *testing.T) {
	for name, prepare := range map[string]func(folder string, stop func()) error{
		"interrupt": func(_ string, stop func()) error { stop(); return nil },
		"failure": func(folder string, _ func()) error {
			return os.WriteFile(filepath.Join(folder, "GetSystemCertificates.xml"), []byte("x"), 0o600)
		},
	} {
		folder := newFolder(t)
		target, err := openTarget(folder, false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(target.close)
		ctx, stop := context.WithCancel(t.Context())
		if err := prepare(folder, stop); err != nil {
			t.Fatal(err)
		}
		recording, _, err := record(t.Context(), Options{Reader: simulated(t, "HV01"), CallTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		files, err := recording.Files()
		if err != nil || files[len(files)-1].Name != "manifest.xml" {
			t.Fatalf("got %d files, error %v; want the manifest as the last one", len(files), err)
		}
		if err := target.write(ctx, files, newMapping()); err == nil || !strings.Contains(err.Error(), "is not complete, delete it") {
			t.Errorf("%s: got error %v", name, err)
		}
		stop()
		if _, err := replay.OpenFolder(t.Context(), folder, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got error %v when the folder is opened", name, err)
		}
	}
}
