package operation

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// hostInstance is an instance for a parameter of a call.
type hostInstance struct {
	row wmiquery.Instance // a pointer to a struct
	// text is the host's own text of the instance before the changes, "" for a new instance.
	text    wmiquery.Embedded
	changed []string // the properties of row that differ from text
}

// encode returns the instance as CIM-XML, and its properties that this program knows and that are not null. In the
// host's own text, only the changed properties are replaced.
func (i hostInstance) encode() (value, shown any, err error) {
	if i.text == "" {
		text, shown, err := encodeInstance(i.row)
		return text, shown, err
	}
	instance, err := cimxml.NewInstance(i.row.WMIClass().Name, i.row)
	if err != nil {
		return nil, nil, err
	}
	changed := slices.DeleteFunc(instance.Properties, func(p cimxml.Property) bool {
		return !slices.Contains(i.changed, p.Name)
	})
	text, err := cimxml.Set(string(i.text), changed...)
	return wmiquery.Embedded(text), Properties(i.row), err
}

// merge sets the properties of an instance that a JSON object has, and leaves the others unchanged. The names are
// those of the class. dst is a pointer. It returns the names of the properties in the object.
func merge(dst wmiquery.Instance, text json.RawMessage) (names []string, err error) {
	properties, err := decodeObject(text)
	if err != nil {
		return nil, err
	}
	v := reflect.ValueOf(dst).Elem()
	names = slices.Sorted(maps.Keys(properties))
	for _, name := range names {
		f, ok := v.Type().FieldByName(name)
		if !ok {
			return nil, fmt.Errorf("%s has no property %q; it has %s", dst.WMIClass().Name, name, fieldNames(v.Type()))
		}
		if err := setProperty(v.FieldByIndex(f.Index), properties[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return names, nil
}

func fieldNames(t reflect.Type) string {
	var all []string
	for f := range t.Fields() {
		all = append(all, f.Name)
	}
	return strings.Join(all, ", ")
}

// setProperty sets a property to a JSON value. A time is in the form of RFC 3339, an interval is like 6h30m.
func setProperty(f reflect.Value, text json.RawMessage) error {
	if string(text) == "null" {
		if f.Kind() != reflect.Pointer && f.Kind() != reflect.Slice {
			return errors.New("cannot be null")
		}
		f.SetZero()
		return nil
	}
	t := f.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	value := reflect.New(t)
	if t == reflect.TypeFor[time.Duration]() {
		var s string
		d, err := time.Duration(0), json.Unmarshal(text, &s)
		if err == nil {
			d, err = time.ParseDuration(s)
		}
		if err != nil || d < 0 {
			return fmt.Errorf(`%.40s is not an interval such as "6h30m"`, text)
		}
		value.Elem().SetInt(int64(d))
	} else if err := json.Unmarshal(text, value.Interface()); err != nil {
		return fmt.Errorf("%.40s is not valid: %w", text, err)
	}
	if f.Kind() == reflect.Pointer {
		f.Set(value)
	} else {
		f.Set(value.Elem())
	}
	return nil
}

// encodeInstance returns an instance that has no other properties as CIM-XML, and its properties that are not null.
func encodeInstance(instance wmiquery.Instance) (wmiquery.Embedded, map[string]any, error) {
	text, err := cimxml.Marshal(instance.WMIClass().Name, instance)
	if err != nil {
		return "", nil, err
	}
	return wmiquery.Embedded(text), Properties(instance), nil
}

// Properties returns the properties of an instance that are not null, as [merge] takes them.
func Properties(instance wmiquery.Instance) map[string]any {
	shown := map[string]any{}
	v := reflect.Indirect(reflect.ValueOf(instance))
	for i := range v.NumField() {
		f := v.Field(i)
		if (f.Kind() == reflect.Pointer || f.Kind() == reflect.Slice) && f.IsNil() {
			continue
		}
		x := reflect.Indirect(f).Interface()
		if d, ok := x.(time.Duration); ok {
			x = d.String()
		}
		shown[v.Type().Field(i).Name] = x
	}
	return shown
}
