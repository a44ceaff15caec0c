package replay

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// format is the version of the format that this package reads. It changes when a
// reader of the former would misunderstand a capture.
const format = "1"

// manifestName is the name of the manifest's file, without its extension.
const manifestName = "manifest"

// manifest is what a capture says about itself.
type manifest struct {
	time  time.Time
	build string
	names []string // the classes and methods that it has files of
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
		return manifest{}, fmt.Errorf("no capture, or one that was not finished: %w", err)
	case err != nil:
	case f.Format != format:
		err = fmt.Errorf("format %.20q, this program reads format %s", f.Format, format)
	case f.Time == nil:
		err = errors.New("CAPTURE has no TIME")
	}
	if err != nil {
		return manifest{}, inFile(manifestName, err)
	}
	m := manifest{time: f.Time.Time, build: f.Build}
	for _, r := range f.Reads {
		m.names = append(m.names, r.Name)
	}
	return m, nil
}

// reads tells whether there must be a file of that name.
func (m manifest) reads(name string) bool { return slices.Contains(m.names, name) }
