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
	p := reflect.ValueOf(dst)
	if p.Kind() != reflect.Pointer || p.Elem().Kind() != reflect.Slice {
		return fmt.Errorf("read into a %T: not a pointer to a slice", dst)
	}
	rows := p.Elem()
	row, ok := reflect.TypeAssert[wmiquery.Instance](reflect.Zero(rows.Type().Elem()))
	if !ok {
		return fmt.Errorf("%s is not a wmiquery.Instance", rows.Type().Elem())
	}
	class := row.WMIClass().Name
	got, err := s.host.rows(class, rows.Type())
	if err != nil {
		return fmt.Errorf("read %s: %w", class, err)
	}
	rows.Set(got)
	return nil
}

// rows parses the rows of a class.
func (h *Host) rows(class string, slice reflect.Type) (reflect.Value, error) {
	f, ok := h.classes[class]
	if !ok {
		return reflect.Value{}, notCapturedError(class)
	}
	if f.Failure != nil {
		return reflect.Value{}, f.Failure.err()
	}
	rows := reflect.MakeSlice(slice, len(f.Instances), len(f.Instances))
	for i, instance := range f.Instances {
		text := instance.text(class)
		_, err := cimxml.Unmarshal(text, rows.Index(i).Addr().Interface())
		if err == nil && !strings.EqualFold(instance.Class, class) {
			err = fmt.Errorf("found an instance of %.60q", instance.Class)
		}
		if err != nil {
			return reflect.Value{}, fmt.Errorf("%s: INSTANCE %d%s: %w", fileName(class), i+1, keyForError(text), err)
		}
		h.adapt(rows.Index(i))
	}
	return rows, nil
}

// keyForError returns the key of an instance for an error message, "" if it has none.
func keyForError(text string) string {
	i, err := cimxml.Parse(text)
	if err != nil {
		return ""
	}
	for _, key := range []string{"InstanceID", "Name"} {
		for _, p := range i.Properties {
			if strings.EqualFold(p.Name, key) && len(p.Values) == 1 {
				return fmt.Sprintf(", %s %.80q", key, p.Values[0])
			}
		}
	}
	return ""
}

// adapt changes a row to what the live client returns: object paths are relative, and thumbprints are those of the
// substitutes for the captured certificates.
func (h *Host) adapt(row reflect.Value) {
	for i := range row.NumField() {
		switch f := row.Field(i).Addr().Interface().(type) {
		case *wmiquery.Ref:
			*f = wmiquery.Relative(string(*f))
		case **string:
			if *f != nil && row.Type().Field(i).Name == "CertificateThumbPrint" {
				**f = h.substituteThumbprint(**f)
			}
		}
	}
}
