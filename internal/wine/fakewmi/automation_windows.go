package fakewmi

import (
	"errors"
	"strings"
	"sync"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
)

// object is an object with the interface IDispatch.
type object interface {
	// member returns the member with a name in lower case, nil if there is none.
	member(name string) member
}

// member implements a property or a method.
type member func(in invocation) (any, error)

// invocation is an access to a property or a call of a method.
type invocation struct {
	put  bool // sets the property
	args []any
}

// text returns argument i, "" if it is missing or not a string.
func (a invocation) text(i int) string {
	if i >= len(a.args) {
		return ""
	}
	s, _ := a.args[i].(string)
	return s
}

// members is an object with functions for its members.
type members map[string]member

func (m members) member(name string) member { return m[name] }

// value returns a member with a constant value.
func value(v any) member { return func(invocation) (any, error) { return v, nil } }

// Exception is an automation exception. The objects of WMI report failures as exceptions.
type Exception struct {
	SCode       uint32
	Description string
}

func (e *Exception) Error() string { return e.Description }

// dispIDs has the DISPIDs of members. A name has the same DISPID in all objects.
var dispIDs = struct {
	sync.Mutex
	ids   map[string]int32
	names map[int32]string
}{ids: map[string]int32{}, names: map[int32]string{newEnumID: "_newenum"}}

const newEnumID = -4 // DISPID_NEWENUM

func idOf(name string) int32 {
	dispIDs.Lock()
	defer dispIDs.Unlock()
	id, found := dispIDs.ids[name]
	if !found {
		id = int32(len(dispIDs.names))
		dispIDs.ids[name], dispIDs.names[id] = id, name
	}
	return id
}

func nameOf(id int32) string {
	dispIDs.Lock()
	defer dispIDs.Unlock()
	return dispIDs.names[id]
}

// idsOfNames implements IDispatch.GetIDsOfNames. Names of arguments, which follow the name of the member, are not
// supported.
func idsOfNames(o object, names **uint16, n uint32, ids *int32) uintptr {
	name := strings.ToLower(windows.UTF16PtrToString(*names))
	if n != 1 || o.member(name) == nil {
		*ids = -1
		return dispUnknownName
	}
	*ids = idOf(name)
	return ok
}

// dispParams is DISPPARAMS.
type dispParams struct {
	args  unsafe.Pointer // in reverse order
	named uintptr
	n     uint32
}

// excepInfo is EXCEPINFO.
type excepInfo struct {
	code, _                   uint16
	source, description, help uintptr
	_                         uint32
	_, _                      uintptr
	scode                     uint32
}

const dispatchPut = 4 // DISPATCH_PROPERTYPUT

// invoke implements IDispatch.Invoke.
func invoke(o object, id int32, flags uint16, params *dispParams, result *variant, exception *excepInfo) uintptr {
	m := o.member(nameOf(id))
	if m == nil {
		return dispUnknownName
	}
	in := invocation{put: flags&dispatchPut != 0}
	if params != nil && params.n > 0 {
		given := unsafe.Slice((*variant)(params.args), params.n)
		for i := range given {
			v, known := given[len(given)-1-i].get()
			if !known {
				return dispTypeMismatch
			}
			in.args = append(in.args, v)
		}
	}
	v, err := m(in)
	if err != nil {
		e := &Exception{SCode: wbemFailed, Description: err.Error()}
		errors.As(err, &e)
		if exception != nil {
			exception.source, exception.description = newBSTR("SWbemServicesEx"), newBSTR(e.Description)
			exception.scode = e.SCode
		}
		return dispException
	}
	if result != nil {
		result.set(v)
	}
	return ok
}

// enumeration is an object with the interface IEnumVARIANT.
type enumeration struct {
	n    int
	item func(i int) (any, error)
	pos  int
}

// next implements IEnumVARIANT.Next.
func (e *enumeration) next(want uint32, out *variant, got *uint32) uintptr {
	n := uint32(0)
	defer func() {
		if got != nil {
			*got = n
		}
	}()
	for _, v := range pointers(out, want) {
		if e.pos >= e.n {
			return sFalse
		}
		x, err := e.item(e.pos)
		if err != nil {
			exception := &Exception{SCode: wbemFailed}
			errors.As(err, &exception)
			return uintptr(exception.SCode)
		}
		v.set(x)
		e.pos++
		n++
	}
	return ok
}

// pointers returns pointers to the n variants that start at first.
func pointers(first *variant, n uint32) []*variant {
	var p []*variant
	s := unsafe.Slice(first, n)
	for i := range s {
		p = append(p, &s[i])
	}
	return p
}

// variant is VARIANT of 64-bit Windows.
type variant struct {
	vt      uint16
	_, _, _ uint16
	word    uint64
	_       uint64
}

// Types of a VARIANT, from wtypes.h: those that the scripting objects of WMI return and those that scripts pass.
const (
	vtEmpty    = 0
	vtNull     = 1
	vtI2       = 2
	vtI4       = 3
	vtBSTR     = 8
	vtDispatch = 9
	vtError    = 10
	vtBool     = 11
	vtVariant  = 12
	vtUnknown  = 13
	vtUI1      = 17
	vtArray    = 0x2000
)

var (
	sysAllocStringLen     = oleaut32.NewProc("SysAllocStringLen")
	sysStringLen          = oleaut32.NewProc("SysStringLen")
	safeArrayCreateVector = oleaut32.NewProc("SafeArrayCreateVector")
	safeArrayAccessData   = oleaut32.NewProc("SafeArrayAccessData")
	safeArrayUnaccessData = oleaut32.NewProc("SafeArrayUnaccessData")
	safeArrayGetUBound    = oleaut32.NewProc("SafeArrayGetUBound")
)

// set sets v to a value. It does not clear v.
func (v *variant) set(x any) {
	*v = variant{}
	switch x := x.(type) {
	case nil:
		v.vt = vtNull
	case bool:
		v.vt = vtBool
		if x {
			v.word = 0xFFFF
		}
	case uint8:
		v.vt, v.word = vtUI1, uint64(x)
	case int16:
		v.vt, v.word = vtI2, uint64(uint16(x))
	case int32:
		v.vt, v.word = vtI4, uint64(uint32(x))
	case string:
		v.vt, v.word = vtBSTR, uint64(newBSTR(x))
	case []any:
		a, _, _ := safeArrayCreateVector.Call(vtVariant, 0, uintptr(len(x)))
		for i, e := range elements[variant](a, len(x)) {
			e.set(x[i])
		}
		v.vt, v.word = vtArray|vtVariant, uint64(a)
	case object:
		v.vt, v.word = vtDispatch, uint64(uintptr(unsafe.Pointer(newCOMObject(x))))
	case *enumeration:
		v.vt, v.word = vtUnknown, uint64(uintptr(unsafe.Pointer(newCOMObject(x))))
	default:
		panic("fakewmi: no VARIANT type for this value")
	}
}

// get returns the value of v. It returns false if scripts do not pass values of its type.
func (v *variant) get() (any, bool) {
	switch v.vt {
	case vtEmpty, vtNull, vtError:
		return nil, true
	case vtBool:
		return uint16(v.word) != 0, true
	case vtI4:
		return int32(v.word), true
	case vtBSTR:
		return text(uintptr(v.word)), true
	case vtDispatch:
		p := uintptr(v.word)
		return valueOf(*(**comObject)(unsafe.Pointer(&p))), true
	case vtArray | vtBSTR:
		var last int32
		safeArrayGetUBound.Call(uintptr(v.word), 1, uintptr(unsafe.Pointer(&last)))
		var all []any
		for _, e := range elements[uintptr](uintptr(v.word), int(last)+1) {
			all = append(all, text(*e))
		}
		return all, true
	}
	return nil, false
}

// elements returns pointers to the elements of a SAFEARRAY.
func elements[T any](array uintptr, n int) []*T {
	if n <= 0 {
		return nil
	}
	var first *T
	safeArrayAccessData.Call(array, uintptr(unsafe.Pointer(&first)))
	defer safeArrayUnaccessData.Call(array)
	var p []*T
	s := unsafe.Slice(first, n)
	for i := range s {
		p = append(p, &s[i])
	}
	return p
}

func newBSTR(s string) uintptr {
	u := append(utf16.Encode([]rune(s)), 0)
	p, _, _ := sysAllocStringLen.Call(uintptr(unsafe.Pointer(&u[0])), uintptr(len(u)-1))
	return p
}

func text(bstr uintptr) string {
	if bstr == 0 {
		return ""
	}
	n, _, _ := sysStringLen.Call(bstr)
	return string(utf16.Decode(unsafe.Slice(*(**uint16)(unsafe.Pointer(&bstr)), n)))
}
