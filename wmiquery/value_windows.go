package wmiquery

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"

	"hyperv_replica_exporter/wmiquery/cimxml"
)

// outParam is a parameter that a method answers with.
type outParam struct {
	name string
	cim  int32 // its CIM type
}

// CIM types, from WbemCimtypeEnum of the scripting objects.
const (
	cimText      = 8
	cimBoolean   = 11
	cimObject    = 13
	cimUint32    = 19
	cimSint64    = 20
	cimUint64    = 21
	cimDatetime  = 101
	cimReference = 102
)

// textFormatCIM asks GetText_ for CIM-XML.
const textFormatCIM = 1

// put puts a parameter in the type in which scripts write it.
func (m *methodDef) put(in *ole.IDispatch, namespace string, p Param) error {
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
		return fmt.Errorf("a %T cannot be a parameter", p.Value)
	}
	result, err := oleutil.PutProperty(in, p.Name, v)
	if err != nil {
		return err
	}
	return result.Clear()
}

// value makes of a VARIANT what Reply.Out promises. The VARIANT stays the
// caller's.
func (p outParam) value(v *ole.VARIANT) (any, error) {
	array := v.ToArray()
	if array == nil {
		return p.scalar(v.Value())
	}
	var elements []any
	for _, e := range array.ToValueArray() {
		// An object here belongs to the array: it is not released.
		x, err := p.scalar(e)
		if err != nil {
			return nil, err
		}
		if x == nil && p.isText() {
			x = "" // as Hyper-V writes it elsewhere
		}
		elements = append(elements, x)
	}
	switch {
	case p.isText():
		return slice[string](elements)
	case p.cim == cimReference:
		return slice[Ref](elements)
	case p.cim == cimBoolean:
		return slice[bool](elements)
	}
	return slice[int64](elements)
}

// isText tells whether values are strings in Reply.Out.
func (p outParam) isText() bool {
	return p.cim == cimText || p.cim == cimObject || p.cim == cimDatetime
}

func (p outParam) scalar(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case int8:
		return int64(v), nil
	case uint8:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case int32: // how uint16 and uint32 come, too
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
	case *ole.IDispatch: // an embedded instance that is no text
		text, err := oleutil.CallMethod(v, "GetText_", int32(textFormatCIM))
		if err != nil {
			return nil, err
		}
		defer text.Clear()
		return text.ToString(), nil
	}
	return nil, fmt.Errorf("a %T is no value of a parameter", v)
}

// slice makes a slice of elements, which must all be of type T.
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
