package replay

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Recording is what was read from a host, to be written as a capture.
type Recording struct {
	Time     time.Time // of the host's clock at the start
	Build    string    // build number of Windows, "" if it is not known
	Language string    // of the host, for example de-DE; "" if it is not known
	Version  string    // of this program
	Classes  []RecordedClass
	Methods  []RecordedMethod
	// Associators are written to a file even if there are none.
	Associators []RecordedAssociators
}

// RecordedClass is the result of reading a class: instances or an error.
type RecordedClass struct {
	Class     wmiquery.Class
	Instances []cimxml.Instance
	Err       error
	Duration  time.Duration
}

// RecordedMethod has the results of the calls of a method.
type RecordedMethod struct {
	Name  string
	Calls []RecordedCall
}

// RecordedCall is the result of a call: out parameters or an error.
type RecordedCall struct {
	InstanceID   string // of the relationship in the in parameters, "" if there is none
	Out          cimxml.Instance
	Certificates []RecordedCertificate
	Err          error
	Duration     time.Duration
}

// RecordedCertificate is what a capture has of a certificate.
type RecordedCertificate struct {
	Thumbprint          string
	NotBefore, NotAfter time.Time
	Invalid             bool // this program cannot parse the certificate; the times are not known
}

// OutParameters returns the out parameters of a reply as an instance. Certificates are not among them.
func OutParameters(reply wmiquery.Reply) (cimxml.Instance, error) {
	out := outParameters{ReturnValue: &reply.Code}
	if reply.Job != "" {
		out.Job = &reply.Job
	}
	out.ReplicationStatistics, _ = reply.Out["ReplicationStatistics"].([]string)
	out.ReplicationHealthIssues, _ = reply.Out["ReplicationHealthIssues"].([]string)
	return cimxml.NewInstance("__PARAMETERS", out)
}

// NewRecordedCertificates returns the certificates in a reply to GetSystemCertificates.
func NewRecordedCertificates(reply wmiquery.Reply) ([]RecordedCertificate, error) {
	if reply.Code != wmiquery.CodeCompleted {
		return nil, nil
	}
	all, err := msvm.Certificates(reply)
	var recorded []RecordedCertificate
	for _, der := range all {
		recorded = append(recorded, newRecordedCertificate(der))
	}
	return recorded, err
}

// File is a file of a capture.
type File struct {
	Name string
	Data []byte
}

// Files returns the files of the capture in the order in which they must be written: the manifest is the last one,
// since a folder without it is not a capture.
func (r Recording) Files() ([]File, error) {
	m := manifestElement{
		Format: format, Time: cimxml.FormatTime(r.Time), Build: r.Build, Language: r.Language, Version: r.Version,
	}
	var files []File
	var err error
	add := func(name string, duration time.Duration, element any) {
		data, marshalErr := xml.MarshalIndent(element, "", "  ")
		if marshalErr != nil {
			err = fileError(name, marshalErr)
		}
		files = append(files, File{fileName(name), append([]byte(xml.Header), append(data, '\n')...)})
		m.Reads = append(m.Reads, readElement{Name: name, Milliseconds: duration.Milliseconds()})
	}
	for _, c := range r.Classes {
		add(c.Class.Name, c.Duration, classElement{
			Name: c.Class.Name, Namespace: c.Class.Namespace, Milliseconds: c.Duration.Milliseconds(),
			resultElement: newResultElement(c.Instances, c.Err),
		})
	}
	for _, method := range r.Methods {
		e, duration := methodElement{Name: method.Name}, time.Duration(0)
		for _, c := range method.Calls {
			e.Calls = append(e.Calls, newCallElement(c))
			duration += c.Duration
		}
		add(method.Name, duration, e)
	}
	e, duration := newAssociatorsElement(r.Associators)
	add(associatorsName, duration, e)
	add(manifestName, 0, &m)
	return files, err
}

// The elements of the files, see also the types for reading them: manifestFile, classFile and methodFile.
type (
	manifestElement struct {
		XMLName  xml.Name `xml:"CAPTURE"`
		Format   string   `xml:"FORMAT,attr"`
		Time     string   `xml:"TIME,attr"`
		Build    string   `xml:"BUILD,attr,omitempty"`
		Language string   `xml:"LANGUAGE,attr,omitempty"`
		Version  string   `xml:"VERSION,attr,omitempty"`
		Reads    []readElement
	}
	readElement struct {
		XMLName      xml.Name `xml:"READ"`
		Name         string   `xml:"NAME,attr"`
		Milliseconds int64    `xml:"MILLISECONDS,attr"`
	}
	classElement struct {
		XMLName      xml.Name `xml:"CLASS"`
		Name         string   `xml:"NAME,attr"`
		Namespace    string   `xml:"NAMESPACE,attr"`
		Milliseconds int64    `xml:"MILLISECONDS,attr"`
		resultElement
	}
	methodElement struct {
		XMLName xml.Name `xml:"METHOD"`
		Name    string   `xml:"NAME,attr"`
		Calls   []callElement
	}
	callElement struct {
		XMLName      xml.Name `xml:"CALL"`
		InstanceID   string   `xml:"INSTANCEID,attr"`
		Milliseconds int64    `xml:"MILLISECONDS,attr"`
		resultElement
		Certificates []certificateElement
	}
	resultElement struct {
		Failure   *failureElement
		Instances string `xml:",innerxml"`
	}
	failureElement struct {
		XMLName xml.Name `xml:"ERROR"`
		Code    string   `xml:"CODE,attr"`
		Text    string   `xml:",chardata"`
	}
	certificateElement struct {
		XMLName    xml.Name `xml:"CERTIFICATE"`
		Thumbprint string   `xml:"THUMBPRINT,attr"`
		NotBefore  string   `xml:"NOTBEFORE,attr,omitempty"`
		NotAfter   string   `xml:"NOTAFTER,attr,omitempty"`
		Invalid    bool     `xml:"INVALID,attr,omitempty"`
	}
)

func newResultElement(instances []cimxml.Instance, err error) resultElement {
	if err != nil {
		e := wmiquery.ToHRESULTError(err)
		return resultElement{Failure: &failureElement{Code: fmt.Sprintf("0x%08X", e.Code), Text: e.Text}}
	}
	var b strings.Builder
	for _, i := range instances {
		b.WriteString("\n" + i.Lines())
	}
	return resultElement{Instances: b.String()}
}

func newCallElement(c RecordedCall) callElement {
	e := callElement{
		InstanceID: c.InstanceID, Milliseconds: c.Duration.Milliseconds(),
		resultElement: newResultElement([]cimxml.Instance{c.Out}, c.Err),
	}
	for _, certificate := range c.Certificates {
		element := certificateElement{Thumbprint: certificate.Thumbprint, Invalid: certificate.Invalid}
		if !certificate.Invalid {
			element.NotBefore = cimxml.FormatTime(certificate.NotBefore)
			element.NotAfter = cimxml.FormatTime(certificate.NotAfter)
		}
		e.Certificates = append(e.Certificates, element)
	}
	return e
}
