package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// merge puts the properties of a JSON object into an instance, which dst points
// to. Names are those of the class. A property that is not given stays as it is;
// null is null.
func merge(dst wmiquery.Instance, text json.RawMessage) error {
	properties, err := object(text)
	if err != nil {
		return err
	}
	v := reflect.ValueOf(dst).Elem()
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		f, ok := v.Type().FieldByName(name)
		if !ok {
			return fmt.Errorf("%s has no property %q; there are %s", dst.WMIClass().Name, name, fields(v.Type()))
		}
		if err := set(v.FieldByIndex(f.Index), properties[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// object reads a JSON object, in which no name may be twice.
func object(text json.RawMessage) (map[string]json.RawMessage, error) {
	if err := unique(text); err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil || m == nil {
		return nil, fmt.Errorf("%.40q is no JSON object", text)
	}
	return m, nil
}

// unique refuses an object in which a name is twice: readers differ on which one
// counts.
func unique(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%.40q is no JSON object", text)
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[strings.ToLower(name)] {
			return fmt.Errorf("%.40q is there twice", name)
		}
		seen[strings.ToLower(name)] = true
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return err
		}
	}
	return nil
}

func fields(t reflect.Type) string {
	var all []string
	for f := range t.Fields() {
		all = append(all, f.Name)
	}
	return strings.Join(all, ", ")
}

var durationType = reflect.TypeFor[time.Duration]()

// set puts a JSON value into a property. Points in time are as in RFC 3339,
// intervals as in 6h30m.
func set(f reflect.Value, text json.RawMessage) error {
	if string(text) == "null" {
		if f.Kind() != reflect.Pointer && f.Kind() != reflect.Slice {
			return fmt.Errorf("it cannot be null")
		}
		f.SetZero()
		return nil
	}
	t := f.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	value := reflect.New(t)
	if t == durationType {
		var s string
		d, err := time.Duration(0), json.Unmarshal(text, &s)
		if err == nil {
			d, err = time.ParseDuration(s)
		}
		if err != nil || d < 0 {
			return fmt.Errorf("%.40s is no interval such as \"6h30m\"", text)
		}
		value.Elem().SetInt(int64(d))
	} else if err := json.Unmarshal(text, value.Interface()); err != nil {
		return fmt.Errorf("%.40s does not fit: %w", text, err)
	}
	if f.Kind() == reflect.Pointer {
		f.Set(value)
	} else {
		f.Set(value.Elem())
	}
	return nil
}

// embed writes an instance as text, and as it is shown: without what is null.
func embed(instance wmiquery.Instance) (wmiquery.Embedded, map[string]any, error) {
	text, err := cimxml.Marshal(instance.WMIClass().Name, instance)
	if err != nil {
		return "", nil, err
	}
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
	return wmiquery.Embedded(text), shown, nil
}
