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

// arguments are the in parameters of a call by their documented names, each in
// the Go type of its CIM type: wmiquery.Ref, string (of embedded instances too),
// []string, bool, uint16 or time.Time. What is null is not there.
type arguments map[string]any

// arguments checks what a call gives against the method's signature. The code is
// 0, 32773 (invalid parameter) or 32776 (incorrect data type).
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
		if _, ok := args[p.Name]; !ok && !p.Optional {
			return nil, wmiquery.CodeInvalidParam
		}
	}
	return args, wmiquery.CodeCompleted
}

// argument is a value in its parameter's type. Text may come as any kind of
// string, and numbers as any kind of integer, since scripts have one of each.
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
		return text, checkEmbedded(p, text)
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
			if code := checkEmbedded(p, t); code != wmiquery.CodeCompleted {
				return nil, code
			}
		}
		return texts, wmiquery.CodeCompleted
	}
	return nil, wmiquery.CodeInvalidDataType
}

// embeddedCode checks that a text is an instance of the parameter's class.
func checkEmbedded(p msvm.Parameter, text string) uint32 {
	if i, err := cimxml.Parse(text); err != nil || !strings.EqualFold(i.Class, p.Class) {
		return wmiquery.CodeInvalidParam
	}
	return wmiquery.CodeCompleted
}

// relative is an object path without the host and the namespace.
func relativePath(path wmiquery.Ref) wmiquery.Ref {
	if strings.HasPrefix(string(path), `\\`) {
		_, after, _ := strings.Cut(string(path), ":")
		return wmiquery.Ref(after)
	}
	return path
}

func (a arguments) ref(name string) wmiquery.Ref { v, _ := a[name].(wmiquery.Ref); return v }
func (a arguments) text(name string) string      { v, _ := a[name].(string); return v }
func (a arguments) number(name string) uint16    { v, _ := a[name].(uint16); return v }
func (a arguments) texts(name string) []string   { v, _ := a[name].([]string); return v }

// instance reads an embedded instance, false if its properties do not fit.
func (a arguments) instance(name string, dst any) bool {
	_, err := cimxml.Unmarshal(a.text(name), dst)
	return err == nil
}

// maxDelay is how far ahead something can be scheduled: what Microsoft's client
// checks, that the host does too is inferred.
const maxDelay = 7 * 24 * time.Hour

// startTime is the time that is asked for, or now if none is; false if it is past
// or too far away.
func (a arguments) startTime(now time.Time) (time.Time, bool) {
	t, ok := a["StartTime"].(time.Time)
	if !ok {
		return now, true
	}
	return t.UTC(), t.After(now) && !t.After(now.Add(maxDelay))
}

// overlay is settings with those properties replaced that with has.
func overlay[T any](settings, with T) T {
	to, from := reflect.ValueOf(&settings).Elem(), reflect.ValueOf(with)
	for i := range to.NumField() {
		if f := from.Field(i); !f.IsZero() {
			to.Field(i).Set(f)
		}
	}
	return settings
}
