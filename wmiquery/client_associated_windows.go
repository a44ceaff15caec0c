package wmiquery

import (
	"fmt"
	"reflect"
	"strings"
)

// Associated selects all columns, because the query has no list of columns. A field without a column is null.
func (s *comSession) Associated(dst any, of Ref, association Class) error {
	rows := reflect.ValueOf(dst).Elem()
	instance, ok := reflect.TypeAssert[Instance](reflect.Zero(rows.Type().Elem()))
	if !ok {
		return fmt.Errorf("%s is not a wmiquery.Instance", rows.Type().Elem())
	}
	class := instance.WMIClass()
	wql, err := associatorsQuery(of, association.Name, class.Name)
	if err != nil {
		return err
	}
	r := newRowReader(class.Name, rows.Type())
	r.allColumns = true
	if err := s.query(class.Namespace, wql, r.addObject); err != nil {
		return fmt.Errorf("read %s of %.200s: %w", class.Name, of, wmiError(err))
	}
	rows.Set(r.rows)
	return NewInvalidValuesError(r.invalid)
}

// associatorsQuery returns the query for the instances of a class that an association connects with an object. WQL
// takes the path between the braces as it is: the escaping of its keys is part of the path, and a brace has none.
// Source: MicrosoftDocs/win32, WmiSdk, associators-of-statement.md.
func associatorsQuery(of Ref, association, class string) (string, error) {
	if strings.ContainsAny(string(of), "{}") {
		return "", fmt.Errorf("object path %.200q has a brace, which WQL cannot escape: %w", of, ErrUnsupported)
	}
	return fmt.Sprintf("ASSOCIATORS OF {%s} WHERE AssocClass = %s ResultClass = %s", of, association, class), nil
}
