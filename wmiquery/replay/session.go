package replay

import (
	"fmt"
	"reflect"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// session is a session with a captured host.
type session struct {
	host   *Host
	closed bool
}

// Close ends the session. Later calls fail.
func (s *session) Close() { s.closed = true }

func (s *session) checkOpen() error {
	if s.closed {
		return fmt.Errorf("session is closed: %w", wmiquery.ErrUnavailable)
	}
	return nil
}

// Read returns the captured rows of a class, or the captured error.
func (s *session) Read(dst any) error {
	if err := s.checkOpen(); err != nil {
		return err
	}
	return fill(dst, s.host.rows)
}

// fill fills dst, a pointer to a slice of instances, with the rows that rows returns for the class and the slice.
func fill(dst any, rows func(class string, slice reflect.Type) (reflect.Value, error)) error {
	p := reflect.ValueOf(dst)
	if p.Kind() != reflect.Pointer || p.Elem().Kind() != reflect.Slice {
		return fmt.Errorf("read into a %T: not a pointer to a slice", dst)
	}
	slice := p.Elem().Type()
	row, ok := reflect.TypeAssert[wmiquery.Instance](reflect.Zero(slice.Elem()))
	if !ok {
		return fmt.Errorf("%s is not a wmiquery.Instance", slice.Elem())
	}
	class := row.WMIClass().Name
	got, err := rows(class, slice)
	if _, ok := wmiquery.InvalidValues(err); ok {
		p.Elem().Set(got)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", class, err)
	}
	return nil
}

// Texts returns the captured instances of a class. They have the properties that the capture has: those that this
// program, or the version that made the capture, reads.
func (s *session) Texts(class wmiquery.Class) ([]wmiquery.Embedded, error) {
	if err := s.checkOpen(); err != nil {
		return nil, err
	}
	f, ok := s.host.classes[class.Name]
	if !ok {
		return nil, fmt.Errorf("read %s: %w", class.Name, notCapturedError(class.Name))
	}
	if f.Failure != nil {
		return nil, fmt.Errorf("read %s: %w", class.Name, f.Failure.err())
	}
	texts := make([]wmiquery.Embedded, len(f.Instances))
	for i, instance := range f.Instances {
		text, err := s.host.adaptText(instance.text(class.Name))
		if err != nil {
			return nil, fmt.Errorf("read %s: %s, INSTANCE %d: %w", class.Name, fileName(class.Name), i+1, err)
		}
		texts[i] = wmiquery.Embedded(text)
	}
	return texts, nil
}

// isThumbprint reports whether a property is the thumbprint of a certificate or of its root.
func isThumbprint(property string) bool { return strings.HasSuffix(property, "CertificateThumbPrint") }

// adaptText changes the text of an instance like adapt changes a row. The paths in it remain as they were captured.
func (h *Host) adaptText(text string) (string, error) {
	instance, err := cimxml.Parse(text)
	if err != nil {
		return "", err
	}
	for _, p := range instance.Properties {
		if !isThumbprint(p.Name) || len(p.Values) != 1 {
			continue
		}
		p.Values = []string{h.substituteThumbprint(p.Values[0])}
		if text, err = cimxml.Set(text, p); err != nil {
			return "", err
		}
	}
	return text, nil
}

// rows parses the rows of a class. It leaves out instances that it cannot parse. If there are any, or invalid values,
// the error is a *wmiquery.InvalidValuesError.
func (h *Host) rows(class string, slice reflect.Type) (reflect.Value, error) {
	f, ok := h.classes[class]
	if !ok {
		return reflect.Value{}, notCapturedError(class)
	}
	return h.parse(f.result, class, fileName(class), slice)
}

// parse parses a result that is rows of a class. source describes the element that has the result.
func (h *Host) parse(r result, class, source string, slice reflect.Type) (reflect.Value, error) {
	if r.Failure != nil {
		return reflect.Value{}, r.Failure.err()
	}
	rows := reflect.MakeSlice(slice, len(r.Instances), len(r.Instances))
	var invalid []wmiquery.InvalidValue
	n := 0 // the number of rows
	for i, instance := range r.Instances {
		row := rows.Index(n)
		err := instance.unmarshal(class, row.Addr().Interface())
		source := fmt.Sprintf("%s, INSTANCE %d", source, i+1)
		var ok bool
		if invalid, ok = wmiquery.AppendInvalid(invalid, class, source, n, row.Addr().Interface(), err); ok {
			h.adapt(row)
			n++
		}
	}
	return rows.Slice3(0, n, n), wmiquery.NewInvalidValuesError(invalid)
}

// unmarshal reads the instance, which must be one of the class, into row.
func (i instance) unmarshal(class string, row any) error {
	if !strings.EqualFold(i.Class, class) {
		return fmt.Errorf("found an instance of %.60q", i.Class)
	}
	_, err := cimxml.Unmarshal(i.text(class), row)
	return err
}

// adapt changes a row to what the live client returns: object paths are relative, and thumbprints are those of the
// substitutes for the captured certificates.
func (h *Host) adapt(row reflect.Value) {
	for i := range row.NumField() {
		switch f := row.Field(i).Addr().Interface().(type) {
		case *wmiquery.Ref:
			*f = wmiquery.Relative(string(*f))
		case **string:
			if *f != nil && isThumbprint(row.Type().Field(i).Name) {
				**f = h.substituteThumbprint(**f)
			}
		}
	}
}
