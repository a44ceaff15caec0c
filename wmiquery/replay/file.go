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

// result is the result of a read or a call on the host: instances that have not been parsed, or an error.
type result struct {
	Instances []instance `xml:"INSTANCE"`
	Failure   *failure   `xml:"ERROR"`
}

// instance is an INSTANCE element.
type instance struct {
	Class string `xml:"CLASSNAME,attr"`
	Body  string `xml:",innerxml"` // as in the file
}

// text returns the instance as CIM-XML with the name of a class. The name must not need escaping.
func (i instance) text(class string) string {
	return `<INSTANCE CLASSNAME="` + class + `">` + i.Body + `</INSTANCE>`
}

// failure is an ERROR element: a failure of COM or WMI.
type failure struct {
	Code code   `xml:"CODE,attr"`
	Text string `xml:",chardata"`
}

func (f *failure) err() error {
	return wmiquery.NewHRESULTError(uint32(f.Code), strings.Join(strings.Fields(f.Text), " "))
}

// code is a code of COM or WMI, in hexadecimal such as 0x80041010.
type code uint32

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *code) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(strings.ToLower(string(text)), "0x")
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || err != nil || n == 0 {
		return fmt.Errorf("%.40q is not a code of WMI such as 0x80041010", text)
	}
	*c = code(n)
	return nil
}

// moment is a CIM datetime.
type moment struct{ time.Time }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *moment) UnmarshalText(text []byte) (err error) {
	m.Time, err = cimxml.ParseTime(string(text))
	return err
}

// check returns an error if the result is not valid.
func (r result) check() error {
	if r.Failure == nil {
		return nil
	}
	if len(r.Instances) > 0 {
		return errors.New("found an ERROR and an INSTANCE, want one of them")
	}
	if r.Failure.Code == 0 {
		return errors.New("ERROR has no CODE")
	}
	return nil
}

// classFile is a CLASS element: the rows of a class.
type classFile struct {
	XMLName   xml.Name `xml:"CLASS"`
	Name      string   `xml:"NAME,attr"`
	Namespace string   `xml:"NAMESPACE,attr"`
	result
}

func readClass(capture fs.FS, class wmiquery.Class) (*classFile, error) {
	f := &classFile{}
	err := readFile(capture, class.Name, f)
	if err == nil && (!strings.EqualFold(f.Name, class.Name) || !strings.EqualFold(f.Namespace, class.Namespace)) {
		err = fmt.Errorf("found class %.60q of %.60q, want %s of %s", f.Name, f.Namespace, class.Name, class.Namespace)
	}
	if err == nil {
		err = f.check()
	}
	return f, fileError(class.Name, err)
}

// methodFile is a METHOD element: the calls of a method and their replies.
type methodFile struct {
	XMLName xml.Name `xml:"METHOD"`
	Name    string   `xml:"NAME,attr"`
	Calls   []call   `xml:"CALL"`
}

// call is a CALL element: a call of a method. Its instance has the out parameters.
type call struct {
	InstanceID   string            `xml:"INSTANCEID,attr"` // of the relationship in the in parameters
	Certificates []certificateData `xml:"CERTIFICATE"`
	result
}

func readMethod(capture fs.FS, name string) (*methodFile, error) {
	f := &methodFile{}
	err := readFile(capture, name, f)
	if err == nil && f.Name != name {
		err = fmt.Errorf("found method %.60q, want %s", f.Name, name)
	}
	for i, c := range f.Calls {
		if err != nil {
			break
		}
		if err = c.check(); err == nil && c.Failure == nil && len(c.Instances) != 1 {
			err = fmt.Errorf("found %d INSTANCEs, want one with the out parameters or an ERROR", len(c.Instances))
		}
		if err != nil {
			err = fmt.Errorf("CALL %d, %.80q: %w", i+1, c.InstanceID, err)
		}
	}
	return f, fileError(name, err)
}

// readFile reads the file of a class or a method. It ignores unknown elements and attributes, which newer versions of
// this program may write.
func readFile(capture fs.FS, name string, dst any) error {
	data, err := readRegular(capture, fileName(name))
	if err != nil {
		return err
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(dst); err != nil {
		return lineError(d, err)
	}
	switch t, err := d.Token(); t.(type) {
	case nil:
		if !errors.Is(err, io.EOF) {
			return lineError(d, err)
		}
	case xml.StartElement, xml.EndElement:
		return lineError(d, errors.New("unexpected second element"))
	}
	return nil
}

// lineError adds the current line to an error, and shortens its text, which can contain parts of the file.
func lineError(d *xml.Decoder, err error) error {
	line, _ := d.InputPos()
	if errors.Is(err, io.EOF) {
		err = errors.New("no XML element found")
	}
	if _, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return fmt.Errorf("%.300s", err.Error()) // already has the line
	}
	return fmt.Errorf("line %d: %.300s", line, err.Error())
}

// fileError adds the name of the file to an error. Errors of the file system already have it.
func fileError(name string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok || err == nil {
		return err
	}
	return fmt.Errorf("%s: %w", fileName(name), err)
}

func fileName(name string) string { return name + ".xml" }
