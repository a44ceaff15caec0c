package fakewmi

import (
	"errors"
	"strings"
	"sync"
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
