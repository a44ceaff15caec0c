// Package replay is a Hyper-V host as docs/capture.ps1 wrote it down, behind the
// same seam as a live one: [Host.Open] gives sessions on it.
//
// A capture is a folder with manifest.xml and one file for each class and each
// method that was read; docs/replay.md has the format. What a class's file holds
// is understood when the class is read, so that a value which the live client
// could not read fails here as it did there: that one class, not the program.
package replay

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Host is a captured host. It does not change, and many goroutines may use it.
type Host struct {
	manifest manifest
	classes  map[string]*classFile  // by the class's name
	methods  map[string]*methodFile // by the method's name
	// certificates are what stands in for those that were captured.
	certificates []certificate

	now     func() time.Time
	started time.Time
}

// Open reads a capture. Its errors name the file that is missing or cannot be
// read. now is the clock that passes on this computer; nil is time.Now.
func Open(capture fs.FS, now func() time.Time) (*Host, error) {
	if now == nil {
		now = time.Now
	}
	h := &Host{
		classes: map[string]*classFile{}, methods: map[string]*methodFile{},
		now: now, started: now(),
	}
	var err error
	if h.manifest, err = readManifest(capture); err != nil {
		return nil, err
	}
	for _, class := range msvm.Classes() {
		name := class.WMIClass().Name
		f, err := readClass(capture, class.WMIClass())
		switch {
		case errors.Is(err, fs.ErrNotExist) && !h.manifest.reads(name):
			continue // an older capture; Read says so
		case err != nil:
			return nil, err
		}
		h.classes[name] = f
	}
	for _, name := range methodNames() {
		f, err := readMethod(capture, name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !h.manifest.reads(name):
			continue
		case err != nil:
			return nil, err
		}
		h.methods[name] = f
	}
	h.certificates, err = h.substitutes()
	return h, err
}

// methodNames are the methods that a capture has answers of.
func methodNames() []string {
	return []string{msvm.MethodGetReplicationStatisticsEx, msvm.MethodGetSystemCertificates}
}

// Open opens a session.
func (h *Host) Open() (wmiquery.Session, error) { return &session{host: h}, nil }

// Now is the host's clock: the time of the capture when Open ran, and it goes on
// from there. So what is "ten minutes ago" in the capture is ten minutes ago at
// the start, and grows as it would on a host on which nothing happens any more.
func (h *Host) Now() time.Time { return h.manifest.time.Add(h.now().Sub(h.started)) }

// Captured is when the capture was made, by the host's clock.
func (h *Host) Captured() time.Time { return h.manifest.time }

// Build is the build number of the host's Windows.
func (h *Host) Build() string { return h.manifest.build }

// notCaptured is the error for what the capture has no file of.
func notCaptured(name string) error {
	return fmt.Errorf("the capture has no %s, it is older than this program: %w", fileName(name), wmiquery.ErrUnsupported)
}
