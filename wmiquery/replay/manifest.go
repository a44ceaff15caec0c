package replay

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// format is the version of the format that this package supports. A new version is needed when a program for the old
// version would read a capture wrongly.
const format = "1"

// manifestName is the name of the file of the manifest, without the extension.
const manifestName = "manifest"

// manifest describes a capture.
type manifest struct {
	time  time.Time
	build string
	names []string // the classes and methods that have a file
}

// manifestFile is <CAPTURE>.
type manifestFile struct {
	XMLName xml.Name `xml:"CAPTURE"`
	Format  string   `xml:"FORMAT,attr"`
	Time    *moment  `xml:"TIME,attr"`
	Build   string   `xml:"BUILD,attr"`
	Reads   []struct {
		Name string `xml:"NAME,attr"`
	} `xml:"READ"`
}

func readManifest(capture fs.FS) (manifest, error) {
	var f manifestFile
	err := readFile(capture, manifestName, &f)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return manifest{}, notCaptureError(err)
	case err != nil:
	case f.Format != format:
		err = fmt.Errorf("format %.20q is not supported, want format %s", f.Format, format)
	case f.Time == nil:
		err = errors.New("CAPTURE has no TIME")
	}
	if err != nil {
		return manifest{}, fileError(manifestName, err)
	}
	m := manifest{time: f.Time.Time, build: f.Build}
	for _, r := range f.Reads {
		m.names = append(m.names, r.Name)
	}
	return m, nil
}

// lists reports whether the capture must have the file of a class or a method.
func (m manifest) lists(name string) bool { return slices.Contains(m.names, name) }
