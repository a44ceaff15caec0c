package simulator

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// arguments are the in parameters of a call by their documented names. The type of a value follows from the type of
// the parameter: wmiquery.Ref, string, embedded, []string (of embedded instances, too), bool, uint16 or time.Time.
// Null parameters are absent.
type arguments map[string]any

// embedded is an argument that is an embedded instance.
type embedded struct {
	text       string
	instanceID string // "" if it is null or the class has no such property
}

// parseArguments checks the parameters of a call against the signature of the method. The code is CodeCompleted,
// CodeInvalidParam or CodeInvalidDataType.
func parseArguments(m msvm.Method, in []wmiquery.Param) (arguments, uint32) {
	args := arguments{}
	for _, given := range in {
		i := slices.IndexFunc(m.In, func(p msvm.Parameter) bool { return strings.EqualFold(p.Name, given.Name) })
		if i < 0 {
			return nil, wmiquery.CodeInvalidParam
		}
		if given.Value == nil {
			continue
		}
		v, code := convertArgument(m.In[i], given.Value)
		if code != wmiquery.CodeCompleted {
			return nil, code
		}
		args[m.In[i].Name] = v
	}
	for _, p := range m.In {
		if !p.Optional && !args.has(p.Name) {
			return nil, wmiquery.CodeInvalidParam
		}
	}
	return args, wmiquery.CodeCompleted
}

// convertArgument converts a value to the type of its parameter. It accepts any kind of string and any kind of integer,
// because scripting languages have one of each.
func convertArgument(p msvm.Parameter, value any) (any, uint32) {
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.String:
		return convertText(p, v.String())
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		texts := make([]string, v.Len())
		for i := range texts {
			texts[i] = v.Index(i).String()
		}
		return convertTexts(p, texts)
	case v.CanInt() && p.Type == msvm.TypeUint16:
		if n := v.Int(); n >= 0 && n <= math.MaxUint16 {
			return uint16(n), wmiquery.CodeCompleted
		}
		return nil, wmiquery.CodeInvalidParam
	case v.CanUint() && p.Type == msvm.TypeUint16:
		if n := v.Uint(); n <= math.MaxUint16 {
			return uint16(n), wmiquery.CodeCompleted
		}
		return nil, wmiquery.CodeInvalidParam
	case v.Kind() == reflect.Bool && p.Type == msvm.TypeBoolean,
		v.Type() == reflect.TypeFor[time.Time]() && p.Type == msvm.TypeDatetime:
		return value, wmiquery.CodeCompleted
	}
	return nil, wmiquery.CodeInvalidDataType
}

func convertText(p msvm.Parameter, text string) (any, uint32) {
	switch p.Type {
	case msvm.TypeString:
		return text, wmiquery.CodeCompleted
	case msvm.TypeReference:
		return relativePath(wmiquery.Ref(text)), wmiquery.CodeCompleted
	case msvm.TypeEmbedded:
		return parseEmbedded(p, text)
	case msvm.TypeDatetime:
		t, err := cimxml.ParseTime(text)
		if err != nil {
			return nil, wmiquery.CodeInvalidParam
		}
		return t, wmiquery.CodeCompleted
	}
	return nil, wmiquery.CodeInvalidDataType
}

func convertTexts(p msvm.Parameter, texts []string) (any, uint32) {
	switch p.Type {
	case msvm.TypeStringArray:
		return texts, wmiquery.CodeCompleted
	case msvm.TypeEmbeddedArray:
		for _, t := range texts {
			if _, code := parseEmbedded(p, t); code != wmiquery.CodeCompleted {
				return nil, code
			}
		}
		return texts, wmiquery.CodeCompleted
	}
	return nil, wmiquery.CodeInvalidDataType
}

// parseEmbedded checks that a text is an instance of the class of the parameter.
func parseEmbedded(p msvm.Parameter, text string) (embedded, uint32) {
	var i struct{ InstanceID string }
	class, err := cimxml.Unmarshal(text, &i)
	if err != nil || !strings.EqualFold(class, p.Class) {
		return embedded{}, wmiquery.CodeInvalidParam
	}
	return embedded{text, i.InstanceID}, wmiquery.CodeCompleted
}

func (a arguments) has(name string) bool         { _, ok := a[name]; return ok }
func (a arguments) ref(name string) wmiquery.Ref { v, _ := a[name].(wmiquery.Ref); return v }
func (a arguments) text(name string) string      { v, _ := a[name].(string); return v }
func (a arguments) number(name string) uint16    { v, _ := a[name].(uint16); return v }
func (a arguments) texts(name string) []string   { v, _ := a[name].([]string); return v }

// instanceID is the property InstanceID of an embedded instance.
func (a arguments) instanceID(name string) string { v, _ := a[name].(embedded); return v.instanceID }

// unmarshal reads an embedded instance into dst. It returns false if the instance is missing or a property does not
// fit.
func (a arguments) unmarshal(name string, dst any) bool {
	e, _ := a[name].(embedded)
	_, err := cimxml.Unmarshal(e.text, dst)
	return err == nil
}

// startTime is the parameter StartTime, or the current time if it is null. It returns false if the time is in the past
// or too far in the future.
func (a arguments) startTime(now time.Time) (time.Time, bool) {
	t, ok := a["StartTime"].(time.Time)
	if !ok {
		return now, true
	}
	return t.UTC(), msvm.ValidStartTime(t, now)
}

// overlay returns settings, with each property replaced that is not null in changes.
func overlay[T any](settings, changes T) T {
	to, from := reflect.ValueOf(&settings).Elem(), reflect.ValueOf(changes)
	for i := range to.NumField() {
		if f := from.Field(i); !f.IsZero() {
			to.Field(i).Set(f)
		}
	}
	return settings
}
