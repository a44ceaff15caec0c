package replay

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// associatorsName is the name of the file with the results of [wmiquery.Reader].Associated, without the extension.
const associatorsName = "AssociatorsOf"

// RecordedAssociators is the result of reading the instances that an association connects with an object: instances or
// an error.
type RecordedAssociators struct {
	Of          wmiquery.Ref // the object
	Association string       // the name of the class
	Instances   []cimxml.Instance
	Err         error
	Duration    time.Duration
}

// associatorsFile is an ASSOCIATORS element.
type associatorsFile struct {
	XMLName xml.Name      `xml:"ASSOCIATORS"`
	Objects []associators `xml:"OBJECT"`

	byKey map[associatorsKey]int // index in Objects
}

// associators is an OBJECT element.
type associators struct {
	Path        string `xml:"PATH,attr"`
	Association string `xml:"ASSOCIATION,attr"`
	result
}

// associatorsKey identifies an OBJECT element, in lower case.
type associatorsKey struct{ path, association string }

func newAssociatorsKey(path wmiquery.Ref, association string) associatorsKey {
	return associatorsKey{strings.ToLower(string(wmiquery.Relative(string(path)))), strings.ToLower(association)}
}

// readAssociators returns the file, nil if it does not exist.
func readAssociators(capture fs.FS) (*associatorsFile, error) {
	f := &associatorsFile{byKey: map[associatorsKey]int{}}
	err := readFile(capture, associatorsName, f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for i, o := range f.Objects {
		if err == nil {
			if err = o.check(); err != nil {
				err = fmt.Errorf("OBJECT %d, %.80q: %w", i+1, o.Path, err)
			}
		}
		f.byKey[newAssociatorsKey(wmiquery.Ref(o.Path), o.Association)] = i
	}
	return f, fileError(associatorsName, err)
}

// Associated returns the captured instances that an association connects with an object, or the captured error.
func (s *session) Associated(dst any, of wmiquery.Ref, association wmiquery.Class) error {
	if err := s.checkOpen(); err != nil {
		return err
	}
	return fill(dst, func(class string, slice reflect.Type) (reflect.Value, error) {
		f := s.host.associators
		if f == nil {
			return reflect.Value{}, notCapturedError(associatorsName)
		}
		i, ok := f.byKey[newAssociatorsKey(of, association.Name)]
		if !ok {
			return reflect.Value{}, fmt.Errorf("%s has no OBJECT for %.200s: %w", fileName(associatorsName), of,
				wmiquery.ErrNotFound)
		}
		source := fmt.Sprintf("%s, OBJECT %d", fileName(associatorsName), i+1)
		return s.host.parse(f.Objects[i].result, class, source, slice)
	})
}

// The elements of the file, for writing.
type (
	associatorsElement struct {
		XMLName xml.Name `xml:"ASSOCIATORS"`
		Objects []objectElement
	}
	objectElement struct {
		XMLName      xml.Name `xml:"OBJECT"`
		Path         string   `xml:"PATH,attr"`
		Association  string   `xml:"ASSOCIATION,attr"`
		Milliseconds int64    `xml:"MILLISECONDS,attr"`
		resultElement
	}
)

// newAssociatorsElement returns the element for the file, and how long the reads took together.
func newAssociatorsElement(all []RecordedAssociators) (e associatorsElement, duration time.Duration) {
	for _, a := range all {
		e.Objects = append(e.Objects, objectElement{
			Path: string(a.Of), Association: a.Association, Milliseconds: a.Duration.Milliseconds(),
			resultElement: newResultElement(a.Instances, a.Err),
		})
		duration += a.Duration
	}
	return e, duration
}
