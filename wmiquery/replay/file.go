package replay

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// answer is what the host said to one question: instances, not yet understood, or
// a failure.
type answer struct {
	Instances []instance `xml:"INSTANCE"`
	Failure   *failure   `xml:"ERROR"`
}

// instance is an INSTANCE element.
type instance struct {
	Class string `xml:"CLASSNAME,attr"`
	Body  string `xml:",innerxml"` // as it stands in the file
}

// text is the instance as CIM-XML under the name of a class that needs no
// escaping.
func (i instance) text(class string) string {
	return `<INSTANCE CLASSNAME="` + class + `">` + i.Body + `</INSTANCE>`
}

// failure is a code of COM or WMI.
type failure struct {
	Code code   `xml:"CODE,attr"`
	Text string `xml:",chardata"`
}

func (f *failure) err() error {
	return wmiquery.NewHRESULTError(uint32(f.Code), strings.Join(strings.Fields(f.Text), " "))
}

// code is a code as it is written, 0x80041010.
type code uint32

// UnmarshalText reads a code.
func (c *code) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(strings.ToLower(string(text)), "0x")
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || err != nil || n == 0 {
		return fmt.Errorf("%.40q is no code of WMI such as 0x80041010", text)
	}
	*c = code(n)
	return nil
}

// moment is a point in time as CIM writes it.
type moment struct{ time.Time }

// UnmarshalText reads a point in time.
func (m *moment) UnmarshalText(text []byte) (err error) {
	m.Time, err = cimxml.ParseTime(string(text))
	return err
}

// check finds what an answer must not be.
func (a answer) check() error {
	if a.Failure == nil {
		return nil
	}
	if len(a.Instances) > 0 {
		return errors.New("an ERROR beside an INSTANCE: the host gave one or the other")
	}
	if a.Failure.Code == 0 {
		return errors.New("an ERROR without a CODE")
	}
	return nil
}

// classFile is <CLASS>: the rows of a class.
type classFile struct {
	XMLName   xml.Name `xml:"CLASS"`
	Name      string   `xml:"NAME,attr"`
	Namespace string   `xml:"NAMESPACE,attr"`
	answer
}

func readClass(capture fs.FS, class wmiquery.Class) (*classFile, error) {
	f := &classFile{}
	err := readFile(capture, class.Name, f)
	if err == nil && (!strings.EqualFold(f.Name, class.Name) || !strings.EqualFold(f.Namespace, class.Namespace)) {
		err = fmt.Errorf("it is about %.60q of %.60q, not about %s of %s", f.Name, f.Namespace, class.Name, class.Namespace)
	}
	if err == nil {
		err = f.check()
	}
	return f, inFile(class.Name, err)
}

// methodFile is <METHOD>: the calls of a method and their answers.
type methodFile struct {
	XMLName xml.Name `xml:"METHOD"`
	Name    string   `xml:"NAME,attr"`
	Calls   []call   `xml:"CALL"`
}

// call is <CALL>: one call of a method. Its instance is the out parameters.
type call struct {
	InstanceID   string            `xml:"INSTANCEID,attr"` // of the relationship that it was about
	Certificates []certificateFact `xml:"CERTIFICATE"`
	answer
}

func readMethod(capture fs.FS, name string) (*methodFile, error) {
	f := &methodFile{}
	err := readFile(capture, name, f)
	if err == nil && f.Name != name {
		err = fmt.Errorf("it is about %.60q", f.Name)
	}
	for i, c := range f.Calls {
		if err != nil {
			break
		}
		if err = c.check(); err == nil && c.Failure == nil && len(c.Instances) != 1 {
			err = fmt.Errorf("%d INSTANCEs where one, of the out parameters, or an ERROR belongs", len(c.Instances))
		}
		if err != nil {
			err = fmt.Errorf("CALL %d, %.80q: %w", i+1, c.InstanceID, err)
		}
	}
	return f, inFile(name, err)
}

// readFile reads the file about a class or a method. An unknown element or
// attribute is passed over: it is for a newer program.
func readFile(capture fs.FS, name string, dst any) error {
	data, err := fs.ReadFile(capture, fileName(name))
	if err != nil {
		return err
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(dst); err != nil {
		return atLine(d, err)
	}
	switch t, err := d.Token(); t.(type) {
	case nil:
		if !errors.Is(err, io.EOF) {
			return atLine(d, err)
		}
	case xml.StartElement, xml.EndElement:
		return atLine(d, errors.New("a second element, where one belongs"))
	}
	return nil
}

func atLine(d *xml.Decoder, err error) error {
	line, _ := d.InputPos()
	if errors.Is(err, io.EOF) {
		err = errors.New("there is no XML element")
	}
	if _, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return err // has the line
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// inFile says in which file an error was found. One of the file system says so
// itself.
func inFile(name string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok || err == nil {
		return err
	}
	return fmt.Errorf("%s: %w", fileName(name), err)
}

func fileName(name string) string { return name + ".xml" }
