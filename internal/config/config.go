// Package config reads the configuration file. Its keys are the names of the flags, and its values are those that the
// flags accept.
package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// maxSize is the maximum size of a configuration file in bytes.
const maxSize = 1 << 20

// fileFlags is how the names of the flags begin that say which file to read. They and those of help have no key.
const fileFlags = "config."

// File is a configuration file that has been read.
type File struct {
	Path     string
	Version  Version
	settings map[string]setting
}

// Version identifies the content of a file. It is never zero.
type Version [sha256.Size]byte

// VersionOf returns the version of a content.
func VersionOf(content []byte) Version { return sha256.Sum256(content) }

// setting is a key with its values: of a flag that can be repeated any number, of others one.
type setting struct {
	values []string
	line   int
}

// Flags returns the flags that have a key, in the order in which they were added.
func Flags(app *kingpin.Application) []*kingpin.FlagModel {
	return slices.DeleteFunc(app.Model().Flags, func(f *kingpin.FlagModel) bool {
		return f.Hidden || f.Value == nil || f.Name == "help" || f.Name == "version" || strings.HasPrefix(f.Name, fileFlags)
	})
}

// ReadText returns the content of a configuration file. It refuses files that are larger than a configuration can be.
func ReadText(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: is a directory, not a file", path)
	}
	if info.Size() > maxSize {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxSize)
	}
	return os.ReadFile(path)
}

// Parse reads the content of the file with the given path. It checks every value with the flag of its key; scratch has
// the flags, and cannot be used to parse a command line afterwards.
func Parse(path string, content []byte, scratch *kingpin.Application) (*File, error) {
	f := &File{Path: path, Version: VersionOf(content), settings: map[string]setting{}}
	text, err := toUTF8(content)
	if err == nil {
		r := newReader(Flags(scratch))
		err = r.read(text)
		f.settings = r.settings
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Apply makes the values of the file those of the flags that the command line does not have.
func (f *File) Apply(app *kingpin.Application) {
	for name, s := range f.settings {
		if len(s.values) > 0 { // an empty list is the same as no key
			app.GetFlag(name).Default(s.values...)
		}
	}
}

// Line returns the line of a key, 0 if the file does not have it.
func (f *File) Line(key string) int { return f.settings[key].line }

// Values returns the values of a key.
func (f *File) Values(key string) []string { return f.settings[key].values }

// Locate adds the line of the key to an error about a flag that names the flag, if the value may come from the file.
func (f *File) Locate(err error) error {
	_, name, _ := strings.Cut(err.Error(), "--")
	if i := strings.IndexAny(name, " =:,"); i >= 0 {
		name = name[:i]
	}
	if line := f.Line(name); line > 0 {
		return fmt.Errorf("%s: line %d: %w", f.Path, line, err)
	}
	return err
}

// allErrors is one error of several that are shown on one line.
func allErrors(errs []error) error {
	const most = 10
	var texts []string
	for i, err := range errs {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(errs)-most))
			break
		}
		texts = append(texts, err.Error())
	}
	if texts == nil {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}
