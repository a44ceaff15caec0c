package wmiquery

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"

	"hyperv_replica_exporter/wmiquery/cimxml"
)

// outParam is an out parameter of a method.
type outParam struct {
	name string
	cim  int32 // CIM type
}

// CIM types, from WbemCimtypeEnum of the scripting API.
const (
	cimString    = 8
	cimBoolean   = 11
	cimObject    = 13
	cimUint32    = 19
	cimSint64    = 20
	cimUint64    = 21
	cimDatetime  = 101
	cimReference = 102
)

// textFormatCIM is wbemObjectTextFormatCIMDTD20: GetText_ returns CIM-XML.
const textFormatCIM = 1

// putParam sets an in parameter to a value of the type that the scripting API accepts for it.
func (m *methodDef) putParam(in *ole.IDispatch, namespace string, p Param) error {
	var v any
	switch x := p.Value.(type) {
	case Ref:
		v = `\\` + m.server + `\` + namespace + ":" + string(x)
	case Embedded:
		v = string(x)
	case string, bool, int32, []string:
		v = x
	case []Embedded:
		texts := make([]string, len(x))
		for i := range x {
			texts[i] = string(x[i])
		}
		v = texts
	case time.Time:
		v = cimxml.FormatTime(x)
	case uint8:
		v = int32(x)
	case uint16:
		v = int32(x)
	case uint32:
		v = int32(x) // the same 32 bits
	case int64:
		v = strconv.FormatInt(x, 10)
	case uint64:
		v = strconv.FormatUint(x, 10)
	default:
		return fmt.Errorf("a %T cannot be the value of a parameter", p.Value)
	}
	result, err := oleutil.PutProperty(in, p.Name, v)
	if err != nil {
		return err
	}
	return result.Clear()
}

// value converts a VARIANT to a value of Reply.Out. The caller must clear the VARIANT.
func (p outParam) value(v *ole.VARIANT) (any, error) {
	array := v.ToArray()
	if array == nil {
		return p.scalar(v.Value())
	}
	var elements []any
	for _, e := range array.ToValueArray() {
		// An object in the array belongs to the array: it must not be released.
		x, err := p.scalar(e)
		if err != nil {
			return nil, err
		}
		if x == nil && p.isString() {
			x = "" // elsewhere Hyper-V returns an empty string instead of null
		}
		elements = append(elements, x)
	}
	switch {
	case p.isString():
		return slice[string](elements)
	case p.cim == cimReference:
		return slice[Ref](elements)
	case p.cim == cimBoolean:
		return slice[bool](elements)
	}
	return slice[int64](elements)
}

// isString reports whether the type of the values in Reply.Out is string.
func (p outParam) isString() bool {
	return p.cim == cimString || p.cim == cimObject || p.cim == cimDatetime
}

func (p outParam) scalar(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		if p.cim == cimBoolean {
			return v, nil
		}
	case int8:
		return int64(v), nil
	case uint8:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case int32: // also for uint16 and uint32
		if p.cim == cimUint32 {
			return int64(uint32(v)), nil
		}
		return int64(v), nil
	case string:
		switch p.cim {
		case cimSint64:
			return strconv.ParseInt(v, 10, 64)
		case cimUint64:
			n, err := strconv.ParseUint(v, 10, 64)
			return int64(n), err
		case cimReference:
			return Relative(v), nil
		}
		return v, nil
	case *ole.IDispatch: // an embedded instance as an object, not as a string
		return instanceText(v)
	}
	return nil, fmt.Errorf("a %T cannot be the value of an out parameter", v)
}

// instanceText returns an instance as CIM-XML.
func instanceText(instance *ole.IDispatch) (string, error) {
	text, err := oleutil.CallMethod(instance, "GetText_", int32(textFormatCIM))
	if err != nil {
		return "", fmt.Errorf("GetText_: %w", err)
	}
	defer text.Clear()
	return text.ToString(), nil
}

// slice returns the elements as a slice of type T. It fails if an element has another type.
func slice[T any](elements []any) ([]T, error) {
	s := make([]T, 0, len(elements))
	for i, e := range elements {
		x, ok := e.(T)
		if !ok {
			return nil, fmt.Errorf("element %d is a %T", i, e)
		}
		s = append(s, x)
	}
	return s, nil
}
