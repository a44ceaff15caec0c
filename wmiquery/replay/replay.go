// Package replay provides sessions with a captured Hyper-V host. Package capture creates captures.
//
// A capture is a folder with manifest.xml and one file for each class and each method that was read. See
// docs/replay.md for the format. The package parses the rows of a class when the class is read. A value that the live
// client cannot read has the same effect here: the property is null, and the error of the read describes the value.
package replay

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Host is a captured host. It is immutable and safe for concurrent use.
type Host struct {
	manifest manifest
	classes  map[string]*classFile  // by name of the class
	methods  map[string]*methodFile // by name of the method
	// associators is nil if an older version of this program made the capture.
	associators *associatorsFile
	// certificates has a substitute for each captured certificate.
	certificates []certificate

	now    func() time.Time // the clock of this computer
	opened time.Time        // when Open ran, by now
}

// Open reads a capture. An error names the file that is missing or not valid. now is the clock of this computer, nil
// for time.Now.
func Open(capture fs.FS, now func() time.Time) (*Host, error) {
	if now == nil {
		now = time.Now
	}
	h := &Host{
		classes: map[string]*classFile{}, methods: map[string]*methodFile{},
		now: now, opened: now(),
	}
	var err error
	if h.manifest, err = readManifest(capture); err != nil {
		return nil, err
	}
	for _, class := range msvm.Classes() {
		name := class.WMIClass().Name
		f, err := readClass(capture, class.WMIClass())
		switch {
		case errors.Is(err, fs.ErrNotExist) && !h.manifest.lists(name):
			continue // an older version of this program made the capture; Read returns an error
		case err != nil:
			return nil, err
		}
		h.classes[name] = f
	}
	for _, name := range methodNames() {
		f, err := readMethod(capture, name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !h.manifest.lists(name):
			continue
		case err != nil:
			return nil, err
		}
		h.methods[name] = f
	}
	h.associators, err = readAssociators(capture)
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || h.manifest.lists(associatorsName)) {
		return nil, err
	}
	h.certificates, err = h.substituteCertificates()
	return h, err
}

// methodNames returns the methods whose replies are in a capture.
func methodNames() []string {
	return []string{msvm.MethodGetReplicationStatisticsEx, msvm.MethodGetSystemCertificates}
}

// Open opens a session.
func (h *Host) Open() (wmiquery.Session, error) { return &session{host: h}, nil }

// Now returns the time of the host's clock, which starts at the time of the capture when Open runs. An event ten
// minutes before the capture is ten minutes ago at first, and its age increases as on a host on which nothing happens.
func (h *Host) Now() time.Time { return h.manifest.time.Add(h.now().Sub(h.opened)) }

// Captured returns the time of the capture by the host's clock.
func (h *Host) Captured() time.Time { return h.manifest.time }

// Build returns the build number of Windows on the host.
func (h *Host) Build() string { return h.manifest.build }

// notCapturedError returns the error for a class or a method without a file in the capture.
func notCapturedError(name string) error {
	return fmt.Errorf("the capture has no %s, it was made for an older version of this program: %w",
		fileName(name), wmiquery.ErrUnsupported)
}
