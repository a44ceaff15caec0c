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
	if _, ok := wmiquery.InvalidValues(err); ok {
		rows.Set(got)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", class, err)
	}
	return nil
}

// rows parses the rows of a class. It leaves out instances that it cannot parse. If there are any, or invalid values,
// the error is a *wmiquery.InvalidValuesError.
func (h *Host) rows(class string, slice reflect.Type) (reflect.Value, error) {
	f, ok := h.classes[class]
	if !ok {
		return reflect.Value{}, notCapturedError(class)
	}
	if f.Failure != nil {
		return reflect.Value{}, f.Failure.err()
	}
	rows := reflect.MakeSlice(slice, len(f.Instances), len(f.Instances))
	var invalid []wmiquery.InvalidValue
	n := 0 // the number of rows
	for i, instance := range f.Instances {
		row := rows.Index(n)
		err := instance.unmarshal(class, row.Addr().Interface())
		source := fmt.Sprintf("%s, INSTANCE %d", fileName(class), i+1)
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
			if *f != nil && strings.HasSuffix(row.Type().Field(i).Name, "CertificateThumbPrint") {
				**f = h.substituteThumbprint(**f)
			}
		}
	}
}
