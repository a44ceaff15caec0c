package fakewmi

import (
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// get implements SWbemServices.Get. It returns the definition of a class with its methods.
func (s *services) get(in invocation) (any, error) {
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
	if s.class(class) == nil && len(methods) == 0 {
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

// definition returns the SWbemMethod of a method.
func definition(m msvm.Method) object {
	out := append(append([]msvm.Parameter{}, m.Out...), msvm.Parameter{Name: "ReturnValue"})
	var in any // null if the method has no in parameters
	if len(m.In) > 0 {
		in = members{"spawninstance_": func(invocation) (any, error) {
			return &parameters{signature: m.In, given: map[string]any{}}, nil
		}}
	}
	return members{
		"name":         value(m.Name),
		"inparameters": value(in),
		"outparameters": value(members{"properties_": value(collection(len(out), func(i int) (any, error) {
			return members{"name": value(out[i].Name), "cimtype": value(cimType(out[i].Type))}, nil
		}, nil))}),
	}
}

// cimType returns a value of WbemCimtypeEnum.
func cimType(t msvm.Type) int32 {
	switch t {
	case msvm.TypeReference:
		return 102
	case msvm.TypeEmbedded, msvm.TypeEmbeddedArray, msvm.TypeString, msvm.TypeStringArray:
		return 8
	case msvm.TypeBoolean:
		return 11
	case msvm.TypeUint16:
		return 18
	case msvm.TypeDatetime:
		return 101
	}
	return 19 // uint32: ReturnValue
}

// parameters is an instance of the in parameters of a method.
type parameters struct {
	signature []msvm.Parameter
	given     map[string]any
}

func (p *parameters) member(name string) member {
	for _, param := range p.signature {
		if !strings.EqualFold(param.Name, name) {
			continue
		}
		return func(in invocation) (any, error) {
			if in.put && len(in.args) == 1 {
				p.given[param.Name] = convertParameter(param.Type, in.args[0])
				return nil, nil
			}
			return nil, fail(wbemInvalidParameter, "Invalid parameter")
		}
	}
	return nil
}

// convertParameter converts a value of a script to a value of [wmiquery.Param]. It returns values of a wrong type
// unchanged, so that the method rejects them.
func convertParameter(t msvm.Type, x any) any {
	switch x := x.(type) {
	case string:
		switch t {
		case msvm.TypeReference:
			_, after, _ := strings.Cut(x, ":")
			return wmiquery.Ref(after)
		case msvm.TypeEmbedded:
			return wmiquery.Embedded(x)
		case msvm.TypeDatetime:
			if at, err := cimxml.ParseTime(x); err == nil {
				return at
			}
		}
	case int32:
		if t == msvm.TypeUint16 {
			return uint16(x)
		}
	case []any:
		if t == msvm.TypeEmbeddedArray {
			return stringsOf[wmiquery.Embedded](x)
		}
		return stringsOf[string](x)
	}
	return x
}

// stringsOf returns the elements of an array of strings.
func stringsOf[T ~string](array []any) []T {
	all := []T{}
	for _, e := range array {
		s, _ := e.(string)
		all = append(all, T(s))
	}
	return all
}

// execMethod implements SWbemServices.ExecMethod. Its arguments are the path of the object, the name of the method and
// the in parameters.
func (s *services) execMethod(in invocation) (any, error) {
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
		return nil, newException(err, wbemNotFound)
	}
	out := members{}
	add := func(name string, x any) {
		out[name] = func(invocation) (any, error) { return x, s.host.before("property", name) }
	}
	add("returnvalue", int32(reply.Code))
	add("job", nil)
	if reply.Job != "" {
		add("job", s.scriptValue(reply.Job))
	}
	m, _ := msvm.FindMethod(call.Object.Class(), call.Method)
	for _, p := range m.Out {
		if p.Name != "Job" {
			add(strings.ToLower(p.Name), s.outValue(p.Type, reply.Out[p.Name]))
		}
	}
	return out, nil
}

// textFormatCIM is the argument of GetText_ for CIM-XML. 2 is the format of WMI, which the package does not support.
const textFormatCIM = 1

// outValue returns the value of an out parameter, with embedded instances as strings or as objects.
func (s *services) outValue(t msvm.Type, x any) any {
	instances, ok := x.([]string)
	if !ok || !s.host.Objects || instances == nil || t != msvm.TypeEmbeddedArray {
		return s.scriptValue(x)
	}
	all := []any{}
	for _, text := range instances {
		all = append(all, members{"gettext_": textMember(text)})
	}
	return all
}

// textMember returns the member GetText_ of an instance.
func textMember(text string) member {
	return func(in invocation) (any, error) {
		if len(in.args) != 1 || in.args[0] != int32(textFormatCIM) {
			return nil, fail(wbemInvalidParameter, "only CIM-XML is supported")
		}
		return text, nil
	}
}
