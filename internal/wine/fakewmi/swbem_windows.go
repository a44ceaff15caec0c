package fakewmi

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// serverName is the host's name in full paths.
const serverName = "FAKEHOST"

// Codes of WMI, from wbemcli.h.
const (
	wbemFailed           = 0x80041001
	wbemNotFound         = 0x80041002
	wbemAccessDenied     = 0x80041003
	wbemInvalidParameter = 0x80041008
	wbemInvalidNamespace = 0x8004100E
	wbemInvalidClass     = 0x80041010
	wbemInvalidQuery     = 0x80041017
	rpcUnavailable       = 0x800706BA
)

// exception is how WMI raises a failure of the session behind; absent is the
// code for what this host does not have.
func exception(err error, absent uint32) error {
	code := uint32(wbemFailed)
	for is, c := range map[error]uint32{
		wmiquery.ErrNotFound:    wbemNotFound,
		wmiquery.ErrUnsupported: absent,
		wmiquery.ErrDenied:      wbemAccessDenied,
		wmiquery.ErrUnavailable: rpcUnavailable,
	} {
		if errors.Is(err, is) {
			code = c
		}
	}
	return &Exception{code, err.Error()}
}

func fail(code uint32, description string) error { return &Exception{code, description} }

func (h *Host) before(operation, subject string) error {
	if h.Before == nil {
		return nil
	}
	return h.Before(operation, subject)
}

// locator is SWbemLocator.
func (h *Host) locator() object {
	return members{"connectserver": func(in access) (any, error) {
		namespace := in.text(1)
		if err := h.before("connect", namespace); err != nil {
			return nil, err
		}
		if !strings.EqualFold(namespace, wmiquery.Virtualization) {
			return nil, fail(wbemInvalidNamespace, "Invalid namespace")
		}
		session, err := h.Open()
		if err != nil {
			return nil, exception(err, wbemInvalidNamespace)
		}
		return &services{h, namespace, session}, nil
	}}
}

// services is SWbemServices: a connection to a namespace.
type services struct {
	host      *Host
	namespace string
	session   wmiquery.Session
}

func (s *services) released() { s.session.Close() }

func (s *services) member(name string) member {
	return map[string]member{"execquery": s.execQuery, "get": s.get, "execmethod": s.execMethod}[name]
}

// execQuery runs SELECT columns FROM class.
func (s *services) execQuery(in access) (any, error) {
	query := in.text(0)
	if err := s.host.before("query", query); err != nil {
		return nil, err
	}
	columns, name, ok := strings.Cut(strings.TrimPrefix(query, "SELECT "), " FROM ")
	if !ok {
		return nil, fail(wbemInvalidQuery, "Invalid query")
	}
	class := classNamed(name)
	if class == nil {
		return nil, fail(wbemInvalidClass, "Invalid class")
	}
	selected := map[string]int{}
	for i := range class.NumField() {
		if f := class.Field(i).Name; !s.host.Lacks[f] {
			selected[strings.ToLower(f)] = i
		}
	}
	if columns != "*" {
		all := selected
		selected = map[string]int{}
		for c := range strings.SplitSeq(strings.ToLower(columns), ", ") {
			i, ok := all[c]
			if !ok {
				return nil, fail(wbemInvalidQuery, "Invalid query")
			}
			selected[c] = i
		}
	}
	rows := reflect.New(reflect.SliceOf(class))
	if err := s.session.Read(rows.Interface()); err != nil {
		return nil, exception(err, wbemInvalidClass)
	}
	return collection(rows.Elem().Len(), func(i int) (any, error) {
		if err := s.host.before("next", strconv.Itoa(i)); err != nil {
			return nil, err
		}
		return &instance{s, selected, rows.Elem().Index(i)}, nil
	}, nil), nil
}

// classNamed is the type of a class's rows, nil if there is no such class.
func classNamed(name string) reflect.Type {
	for _, c := range msvm.Classes() {
		if strings.EqualFold(c.WMIClass().Name, name) {
			return reflect.TypeOf(c)
		}
	}
	return nil
}

// collection is an SWbem…Set of n items.
func collection(n int, item func(i int) (any, error), named func(name string) (any, error)) object {
	return members{
		"count":    value(int32(n)),
		"_newenum": func(access) (any, error) { return &enumeration{n: n, item: item}, nil },
		"item": func(in access) (any, error) {
			if named == nil {
				return nil, fail(wbemInvalidParameter, "Invalid parameter")
			}
			return named(in.text(0))
		},
	}
}

// instance is the SWbemObject of a row.
type instance struct {
	services *services
	columns  map[string]int // the row's fields by property, in lower case
	row      reflect.Value
}

func (o *instance) member(name string) member {
	i, ok := o.columns[name]
	if !ok {
		return nil
	}
	return func(access) (any, error) {
		if err := o.services.host.before("property", name); err != nil {
			return nil, err
		}
		return o.services.scripted(o.row.Field(i).Interface()), nil
	}
}

// scripted is a value as the scripting objects give it.
func (s *services) scripted(x any) any {
	switch x := x.(type) {
	case wmiquery.Ref:
		return `\\` + serverName + `\` + s.namespace + ":" + string(x)
	case time.Time:
		return cimxml.FormatTime(x)
	case time.Duration:
		text, err := cimxml.FormatInterval(x)
		if err != nil {
			panic(err)
		}
		return text
	}
	switch v := reflect.ValueOf(x); v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return s.scripted(v.Elem().Interface())
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		all := []any{}
		for i := range v.Len() {
			all = append(all, s.scripted(v.Index(i).Interface()))
		}
		return all
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return v.String()
	case reflect.Uint8:
		return uint8(v.Uint())
	case reflect.Int8, reflect.Int16:
		return int16(v.Int())
	case reflect.Uint16, reflect.Uint32:
		return int32(v.Uint())
	case reflect.Int32:
		return int32(v.Int())
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	}
	return nil
}

// get gives the definition of a class: its methods.
func (s *services) get(in access) (any, error) {
	class := in.text(0)
	if err := s.host.before("get", class); err != nil {
		return nil, err
	}
	methods := map[string]msvm.Method{}
	for _, m := range msvm.Methods() {
		if strings.EqualFold(m.Class, class) {
			methods[strings.ToLower(m.Name)] = m
		}
	}
	if classNamed(class) == nil && len(methods) == 0 {
		return nil, fail(wbemNotFound, "Not found")
	}
	return members{
		"path_": value(members{"server": value(serverName)}),
		"methods_": value(collection(0, nil, func(name string) (any, error) {
			m, ok := methods[strings.ToLower(name)]
			if !ok {
				return nil, fail(wbemNotFound, "Not found")
			}
			return definition(m), nil
		})),
	}, nil
}

// definition is the SWbemMethod of a method.
func definition(m msvm.Method) object {
	out := append(append([]msvm.Parameter{}, m.Out...), msvm.Parameter{Name: "ReturnValue"})
	in := members{"spawninstance_": func(access) (any, error) {
		return &parameters{signature: m.In, given: map[string]any{}}, nil
	}}
	return members{
		"name":         value(m.Name),
		"inparameters": value(in),
		"outparameters": value(members{"properties_": value(collection(len(out), func(i int) (any, error) {
			return members{"name": value(out[i].Name), "cimtype": value(cimType(out[i].Type))}, nil
		}, nil))}),
	}
}

// cimType is a number of WbemCimtypeEnum.
func cimType(t msvm.Type) int32 {
	switch t {
	case msvm.TypeReference:
		return 102
	case msvm.TypeEmbedded, msvm.TypeEmbeddedArray:
		return 8
	}
	return 19 // uint32: ReturnValue
}

// parameters is an instance of a method's in parameters.
type parameters struct {
	signature []msvm.Parameter
	given     map[string]any
}

func (p *parameters) member(name string) member {
	for _, param := range p.signature {
		if !strings.EqualFold(param.Name, name) {
			continue
		}
		return func(in access) (any, error) {
			if in.put && len(in.args) == 1 {
				p.given[param.Name] = typed(param.Type, in.args[0])
				return nil, nil
			}
			return nil, fail(wbemInvalidParameter, "Invalid parameter")
		}
	}
	return nil
}

// typed is a script's value in the type of the parameter.
func typed(t msvm.Type, x any) any {
	s, ok := x.(string)
	switch {
	case !ok:
		return x
	case t == msvm.TypeReference:
		_, after, _ := strings.Cut(s, ":")
		return wmiquery.Ref(after)
	case t == msvm.TypeEmbedded:
		return wmiquery.Embedded(s)
	}
	return s
}

// execMethod runs a method of an object: its path, the method's name, the in
// parameters.
func (s *services) execMethod(in access) (any, error) {
	call := wmiquery.Call{Namespace: s.namespace, Object: wmiquery.Ref(in.text(0)), Method: in.text(1)}
	if err := s.host.before("exec", call.Method); err != nil {
		return nil, err
	}
	if len(in.args) > 2 {
		p, ok := in.args[2].(*parameters)
		if !ok {
			return nil, fail(wbemInvalidParameter, "Invalid parameter")
		}
		for _, param := range p.signature {
			call.In = append(call.In, wmiquery.Param{Name: param.Name, Value: p.given[param.Name]})
		}
	}
	reply, err := s.session.Call(call)
	if err != nil {
		return nil, exception(err, wbemNotFound)
	}
	out := members{"returnvalue": value(int32(reply.Code)), "job": value(nil)}
	if reply.Job != "" {
		out["job"] = value(s.scripted(reply.Job))
	}
	for name, x := range reply.Out {
		out[strings.ToLower(name)] = value(s.embedded(x))
	}
	for _, m := range msvm.Methods() {
		for _, p := range m.Out { // a host may leave out what is null
			if name := strings.ToLower(p.Name); m.Name == call.Method && out[name] == nil {
				out[name] = value(nil)
			}
		}
	}
	return out, nil
}

// embedded is an out parameter: texts are embedded instances, which may be given
// as objects.
func (s *services) embedded(x any) any {
	texts, ok := x.([]string)
	if !ok || !s.host.Objects || texts == nil {
		return s.scripted(x)
	}
	all := []any{}
	for _, text := range texts {
		all = append(all, members{"gettext_": value(text)})
	}
	return all
}
