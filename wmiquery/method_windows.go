package wmiquery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"
)

// methodKey names a method.
type methodKey struct{ namespace, class, method string }

// methodDef is what a class says about a method of its.
type methodDef struct {
	in     *ole.IDispatch // the in parameters, to make instances of; nil if there are none
	out    []outParam
	server string // the host's name, for full paths
}

// Call runs a method: ExecMethod of the namespace, with an instance of the
// method's in parameters.
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
		in, err := def.params(c)
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
	reply, err := def.reply(out)
	if err != nil { // of no kind of error: those say that the call was not made
		return Reply{}, fmt.Errorf("%s was called, and its answer cannot be read: %s", c.Method, err.Error())
	}
	return reply, nil
}

// connect gives the connection to a namespace, which is kept.
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

// method gives the definition of the method that c calls, which is kept. A class
// or a method that is not there is ErrUnsupported; an object, later, ErrNotFound.
func (s *comSession) method(services *ole.IDispatch, c Call) (*methodDef, error) {
	class, _, _ := strings.Cut(string(c.Object), ".")
	key := methodKey{c.Namespace, class, c.Method}
	if m, ok := s.methods[key]; ok {
		return m, nil
	}
	m, err := define(services, class, c.Method)
	if scode(err) == wbemNotFound {
		return nil, fmt.Errorf("%s has no such method: %w", class, ErrUnsupported)
	}
	if err == nil {
		s.methods[key] = m
	}
	return m, err
}

func define(services *ole.IDispatch, class, name string) (*methodDef, error) {
	definition, err := object(oleutil.CallMethod(services, "Get", class))
	if err != nil {
		return nil, err
	}
	defer definition.Release()
	m := &methodDef{}
	if err := with(definition, "Path_", func(path *ole.IDispatch) error {
		v, err := oleutil.GetProperty(path, "Server")
		if err == nil {
			m.server = v.ToString()
			err = v.Clear()
		}
		return err
	}); err != nil {
		return nil, err
	}
	err = with(definition, "Methods_", func(methods *ole.IDispatch) error {
		method, err := object(oleutil.CallMethod(methods, "Item", name))
		if err != nil {
			return err
		}
		defer method.Release()
		if err := with(method, "OutParameters", m.defineOut); err != nil && !errors.Is(err, errNull) {
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

// defineOut notes the names and types of the out parameters.
func (m *methodDef) defineOut(params *ole.IDispatch) error {
	return with(params, "Properties_", func(properties *ole.IDispatch) error {
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

// params makes the in parameters of a call. What is not put stays null.
func (m *methodDef) params(c Call) (*ole.IDispatch, error) {
	in, err := object(oleutil.CallMethod(m.in, "SpawnInstance_"))
	if err != nil {
		return nil, err
	}
	for _, p := range c.In {
		if p.Value == nil {
			continue
		}
		if err := m.put(in, c.Namespace, p); err != nil {
			in.Release()
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
	}
	return in, nil
}

// reply reads the out parameters.
func (m *methodDef) reply(out *ole.IDispatch) (Reply, error) {
	reply := Reply{Out: map[string]any{}}
	for _, p := range m.out {
		v, err := oleutil.GetProperty(out, p.name)
		if err != nil {
			return Reply{}, fmt.Errorf("%s: %w", p.name, err)
		}
		x, err := p.value(v)
		v.Clear()
		if err != nil {
			return Reply{}, fmt.Errorf("%s: %w", p.name, err)
		}
		switch n, _ := x.(int64); p.name {
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

// errNull: there is null where an object may be.
var errNull = errors.New("null in place of an object")

// object is the COM object that a call gave. The caller releases it.
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

// with runs f on the object that a property holds, and releases it.
func with(d *ole.IDispatch, property string, f func(*ole.IDispatch) error) error {
	o, err := object(oleutil.GetProperty(d, property))
	if err != nil {
		return err
	}
	defer o.Release()
	return f(o)
}
