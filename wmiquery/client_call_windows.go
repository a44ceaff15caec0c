package wmiquery

import (
	"errors"
	"fmt"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"
)

// methodKey identifies a method.
type methodKey struct{ namespace, class, method string }

// methodDef is the definition of a method in its class.
type methodDef struct {
	in     *ole.IDispatch // the class of the in parameters; nil if there are none
	out    []outParam
	server string // the name of the host, for absolute paths
}

// Call calls a method through ExecMethod of the namespace.
func (s *comSession) Call(c Call) (Reply, error) {
	reply, err := s.call(c)
	if err != nil {
		return Reply{}, fmt.Errorf("call %s: %w", c.Method, wmiError(err))
	}
	return reply, nil
}

func (s *comSession) call(c Call) (Reply, error) {
	services, err := s.connect(c.Namespace)
	if err != nil {
		return Reply{}, err
	}
	def, err := s.method(services, c)
	if err != nil {
		return Reply{}, err
	}
	args := []any{string(c.Object), c.Method}
	if def.in != nil {
		in, err := def.inParams(c)
		if err != nil {
			return Reply{}, err
		}
		defer in.Release()
		args = append(args, in)
	}
	out, err := object(oleutil.CallMethod(services, "ExecMethod", args...))
	if err != nil {
		return Reply{}, err
	}
	defer out.Release()
	reply, err := def.reply(out, c)
	if err != nil { // not wrapped: a sentinel would mean that the method was not called
		return Reply{}, fmt.Errorf("%s was called, but its reply cannot be read: %s", c.Method, err.Error())
	}
	return reply, nil
}

// connect returns the connection to a namespace and caches it.
func (s *comSession) connect(namespace string) (*ole.IDispatch, error) {
	if d, ok := s.services[namespace]; ok {
		return d, nil
	}
	d, err := object(oleutil.CallMethod(s.locator, "ConnectServer", ".", namespace))
	if err == nil {
		s.services[namespace] = d
	}
	return d, err
}

// method returns the definition of the method of c and caches it. It returns ErrUnsupported if the class or the method
// does not exist. For an object that does not exist, the call itself returns ErrNotFound.
func (s *comSession) method(services *ole.IDispatch, c Call) (*methodDef, error) {
	class := c.Object.Class()
	key := methodKey{c.Namespace, class, c.Method}
	if m, ok := s.methods[key]; ok {
		return m, nil
	}
	m, err := readMethodDef(services, class, c.Method)
	if scode(err) == wbemNotFound {
		return nil, fmt.Errorf("%s does not have the method: %w", class, ErrUnsupported)
	}
	if err == nil {
		s.methods[key] = m
	}
	return m, err
}

func readMethodDef(services *ole.IDispatch, class, name string) (*methodDef, error) {
	definition, err := object(oleutil.CallMethod(services, "Get", class))
	if err != nil {
		return nil, err
	}
	defer definition.Release()
	m := &methodDef{}
	if err := withProperty(definition, "Path_", func(path *ole.IDispatch) error {
		v, err := oleutil.GetProperty(path, "Server")
		if err == nil {
			m.server = v.ToString()
			err = v.Clear()
		}
		return err
	}); err != nil {
		return nil, err
	}
	err = withProperty(definition, "Methods_", func(methods *ole.IDispatch) error {
		method, err := object(oleutil.CallMethod(methods, "Item", name))
		if err != nil {
			return err
		}
		defer method.Release()
		if err := withProperty(method, "OutParameters", m.readOutParams); err != nil && !errors.Is(err, errNull) {
			return err
		}
		m.in, err = object(oleutil.GetProperty(method, "InParameters"))
		if errors.Is(err, errNull) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// readOutParams sets m.out.
func (m *methodDef) readOutParams(params *ole.IDispatch) error {
	return withProperty(params, "Properties_", func(properties *ole.IDispatch) error {
		return oleutil.ForEach(properties, func(v *ole.VARIANT) error {
			property, err := object(v, nil)
			if err != nil {
				return err
			}
			defer property.Release()
			name, err := oleutil.GetProperty(property, "Name")
			if err != nil {
				return err
			}
			defer name.Clear()
			cim, err := oleutil.GetProperty(property, "CIMType")
			if err != nil {
				return err
			}
			defer cim.Clear()
			m.out = append(m.out, outParam{name.ToString(), int32(cim.Val)})
			return nil
		})
	})
}

// inParams returns the in parameters of a call. Parameters that the call does not have are null.
func (m *methodDef) inParams(c Call) (*ole.IDispatch, error) {
	in, err := object(oleutil.CallMethod(m.in, "SpawnInstance_"))
	if err != nil {
		return nil, err
	}
	for _, p := range c.In {
		if p.Value == nil {
			continue
		}
		if err := m.putParam(in, c.Namespace, p); err != nil {
			in.Release()
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
	}
	return in, nil
}

// reply converts the out parameters of a call to a Reply. Without the return code it fails.
func (m *methodDef) reply(out *ole.IDispatch, c Call) (Reply, error) {
	reply := Reply{Out: map[string]any{}}
	for _, p := range m.out {
		v, err := oleutil.GetProperty(out, p.name)
		if err != nil {
			return Reply{}, fmt.Errorf("%s: %w", p.name, err)
		}
		x, err := p.value(v)
		v.Clear()
		n, isNumber := x.(int64)
		if p.name == "ReturnValue" && !isNumber {
			return Reply{}, fmt.Errorf("ReturnValue %.40v is not a number", x)
		}
		if err != nil {
			x = nil
			reply.Invalid = append(reply.Invalid, InvalidValue{
				Class: c.Object.Class(), Row: -1, Instance: c.Method, Property: p.name, Err: err,
			})
		}
		switch p.name {
		case "ReturnValue":
			reply.Code = uint32(n)
		case "Job":
			reply.Job, _ = x.(Ref)
		default:
			reply.Out[p.name] = x
		}
	}
	return reply, nil
}

// errNull means that the result is null, not an object.
var errNull = errors.New("null instead of an object")

// object returns the COM object in the result of a call. The caller must release it.
func object(v *ole.VARIANT, err error) (*ole.IDispatch, error) {
	if err != nil {
		return nil, err
	}
	if d := v.ToIDispatch(); d != nil {
		return d, nil
	}
	v.Clear()
	return nil, errNull
}

// withProperty calls f with the object in a property and then releases the object.
func withProperty(d *ole.IDispatch, property string, f func(*ole.IDispatch) error) error {
	o, err := object(oleutil.GetProperty(d, property))
	if err != nil {
		return err
	}
	defer o.Release()
	return f(o)
}
