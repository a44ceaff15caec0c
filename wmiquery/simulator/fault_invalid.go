package simulator

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// addProperty sets the fault invalid-value.
func addProperty(f *Faults, value string) error {
	if value != "" {
		class, property, _ := strings.Cut(value, ".")
		t, ok := classTypes()[class]
		if !ok {
			return fmt.Errorf("unknown class %q, known classes are %s", class, strings.Join(classNames(), ", "))
		}
		if _, ok := t.FieldByName(property); !ok {
			return fmt.Errorf("unknown property %q of %s", property, class)
		}
	}
	f.InvalidValue = append(f.InvalidValue, value)
	return nil
}

// classTypes returns the struct of each class, including Msvm_Error, which is embedded only.
func classTypes() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for _, c := range append(msvm.Classes(), msvm.Error{}) {
		types[c.WMIClass().Name] = reflect.TypeOf(c)
	}
	return types
}

// invalidateRows applies the fault invalid-value to all rows of a class: they have what a client that reads the values
// has. The error is that of [wmiquery.Session].
func invalidateRows[T wmiquery.Instance](f Faults, rows []T) error {
	if len(f.InvalidValue) == 0 {
		return nil
	}
	class := (*new(T)).WMIClass().Name
	var invalid []wmiquery.InvalidValue
	for i := range rows {
		text, err := f.marshal(class, rows[i], i, len(rows))
		if err == nil {
			_, err = cimxml.Unmarshal(text, &rows[i])
		}
		var ok bool
		if invalid, ok = wmiquery.AppendInvalid(invalid, class, "", i, &rows[i], err); !ok {
			return err
		}
	}
	return wmiquery.NewInvalidValuesError(invalid)
}

// marshal returns instance i of n as CIM-XML, with the fault invalid-value.
func (f Faults) marshal(class string, instance any, i, n int) (string, error) {
	text, err := cimxml.Marshal(class, instance)
	if err != nil || len(f.InvalidValue) == 0 || (n-i)%2 == 0 {
		return text, err
	}
	parsed, err := cimxml.Parse(text)
	if err != nil {
		return "", err
	}
	t := reflect.Indirect(reflect.ValueOf(instance)).Type()
	for j := range parsed.Properties {
		p := &parsed.Properties[j]
		field, _ := t.FieldByName(p.Name)
		if value, ok := f.invalidValue(class, field); ok {
			isText := field.Type == reflect.TypeFor[*string]() || field.Type == reflect.TypeFor[wmiquery.Ref]()
			p.Array, p.Null, p.Values = isText, false, []string{value} // every text is valid, but not an array
		}
	}
	return parsed.String(), nil
}

// invalidValue returns the value of a property under the fault invalid-value. It returns false if the property keeps
// its value.
func (f Faults) invalidValue(class string, field reflect.StructField) (string, bool) {
	isText := field.Type.Kind() == reflect.String || field.Type == reflect.TypeFor[*string]()
	named := slices.Contains(f.InvalidValue, class+"."+field.Name)
	switch {
	case !named && (isText || !slices.Contains(f.InvalidValue, "")):
		return "", false
	case field.Type == reflect.TypeFor[string](): // a key
		return "", true
	case field.Type == reflect.TypeFor[*time.Time]():
		return "00000000000000.000000+000", true
	case field.Type == reflect.TypeFor[*time.Duration]():
		return "20261122120000.000000+000", true
	}
	return "invalid", true
}
