package fakewmi

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	ole32    = windows.NewLazySystemDLL("ole32.dll")
	oleaut32 = windows.NewLazySystemDLL("oleaut32.dll")

	coInitializeEx        = ole32.NewProc("CoInitializeEx")
	coUninitialize        = ole32.NewProc("CoUninitialize")
	coRegisterClassObject = ole32.NewProc("CoRegisterClassObject")
	coRevokeClassObject   = ole32.NewProc("CoRevokeClassObject")
	coTaskMemAlloc        = ole32.NewProc("CoTaskMemAlloc")
	coTaskMemFree         = ole32.NewProc("CoTaskMemFree")
	clsidFromProgID       = ole32.NewProc("CLSIDFromProgID")
)

// HRESULTs, from winerror.h.
const (
	ok               = 0
	sFalse           = 1
	eNotImpl         = 0x80004001
	eNoInterface     = 0x80004002
	dispUnknownName  = 0x80020006
	dispTypeMismatch = 0x80020005
	dispException    = 0x80020009
	classNoAggregate = 0x80040110
)

// iid returns the identifier of an interface of COM itself. Such identifiers differ in their first part only, which is
// n.
func iid(n uint32) windows.GUID {
	return windows.GUID{Data1: n, Data4: [8]byte{0xC0, 7: 0x46}}
}

// comObject is the memory of a COM object that clients use.
type comObject struct{ vtable unsafe.Pointer }

// objectState is the state of a COM object.
type objectState struct {
	value any // an object, an *enumeration or a factory
	refs  int // reference count
}

// live has all COM objects. A comObject is not in memory of Go, because clients refer to it without the knowledge of
// the garbage collector.
var live = struct {
	sync.Mutex
	m map[*comObject]*objectState
}{m: map[*comObject]*objectState{}}

// Live returns the number of COM objects that clients have not released. A Release of an object that has been released
// panics.
func Live() int {
	live.Lock()
	defer live.Unlock()
	return len(live.m)
}

// newCOMObject creates a COM object for a value. Its reference count is one.
func newCOMObject(value any) *comObject {
	p, _, _ := coTaskMemAlloc.Call(unsafe.Sizeof(comObject{}))
	c := *(**comObject)(unsafe.Pointer(&p))
	c.vtable = unsafe.Pointer(&vtable)
	live.Lock()
	defer live.Unlock()
	live.m[c] = &objectState{value, 1}
	return c
}

// stateOf returns the state of a COM object. The caller must hold live.
func stateOf(c *comObject) *objectState {
	state := live.m[c]
	if state == nil {
		panic(fmt.Sprintf("fakewmi: call of object %p, which has been released", c))
	}
	return state
}

func valueOf(c *comObject) any {
	live.Lock()
	defer live.Unlock()
	return stateOf(c).value
}

func addRef(c *comObject) uintptr {
	live.Lock()
	defer live.Unlock()
	state := stateOf(c)
	state.refs++
	return uintptr(state.refs)
}

func release(c *comObject) uintptr {
	live.Lock()
	state := stateOf(c)
	state.refs--
	if state.refs > 0 {
		live.Unlock()
		return uintptr(state.refs)
	}
	delete(live.m, c)
	live.Unlock()
	coTaskMemFree.Call(uintptr(unsafe.Pointer(c)))
	if v, ok := state.value.(interface{ released() }); ok {
		v.released()
	}
	return 0
}

func queryInterface(c *comObject, want *windows.GUID, out *unsafe.Pointer) uintptr {
	var own windows.GUID
	switch valueOf(c).(type) {
	case factory:
		own = iid(0x00001) // IClassFactory
	case object:
		own = iid(0x20400) // IDispatch
	case *enumeration:
		own = iid(0x20404) // IEnumVARIANT
	}
	if *want != own && *want != iid(0) { // IUnknown
		*out = nil
		return eNoInterface
	}
	addRef(c)
	*out = unsafe.Pointer(c)
	return ok
}

// factory is a class object, with the interface IClassFactory.
type factory func() object

func (f factory) createInstance(outer uintptr, want *windows.GUID, out *unsafe.Pointer) uintptr {
	*out = nil
	if outer != 0 {
		return classNoAggregate
	}
	c := newCOMObject(f())
	defer release(c)
	return queryInterface(c, want, out)
}

// dispatch calls the method in a slot of the vtable.
func dispatch(r *request) uintptr {
	c := (*comObject)(r.ptr(0))
	switch r.slot {
	case 0:
		return queryInterface(c, (*windows.GUID)(r.ptr(1)), (*unsafe.Pointer)(r.ptr(2)))
	case 1:
		return addRef(c)
	case 2:
		return release(c)
	}
	switch v := valueOf(c).(type) {
	case factory:
		if r.slot == 3 {
			return v.createInstance(r.word(1), (*windows.GUID)(r.ptr(2)), (*unsafe.Pointer)(r.ptr(3)))
		}
		return ok // LockServer
	case object:
		switch r.slot {
		case 3: // GetTypeInfoCount
			*(*uint32)(r.ptr(1)) = 0
			return ok
		case 5:
			return idsOfNames(v, (**uint16)(r.ptr(2)), uint32(r.word(3)), (*int32)(r.ptr(5)))
		case 6:
			return invoke(v, int32(r.word(1)), uint16(r.word(4)),
				(*dispParams)(r.ptr(5)), (*variant)(r.ptr(6)), (*excepInfo)(r.ptr(7)))
		}
	case *enumeration:
		if r.slot == 3 {
			return v.next(uint32(r.word(1)), (*variant)(r.ptr(2)), (*uint32)(r.ptr(3)))
		}
	}
	return eNotImpl
}

// Contexts in which a class is registered, from wtypesbase.h.
const (
	inProcess   = 1 // CLSCTX_INPROC_SERVER
	ownProcess  = 4 // CLSCTX_LOCAL_SERVER
	multipleUse = 1 // REGCLS_MULTIPLEUSE
)

// classOf returns the class that is registered for a ProgID.
func classOf(name string) (windows.GUID, error) {
	var class windows.GUID
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return class, err
	}
	if hr, _, _ := clsidFromProgID.Call(uintptr(unsafe.Pointer(text)), uintptr(unsafe.Pointer(&class))); hr != ok {
		return class, fmt.Errorf("CLSIDFromProgID: %#x", uint32(hr))
	}
	return class, nil
}

// register serves a class until stop is called. During that time a thread stays in the multithreaded apartment: an
// apartment ends when the last thread leaves it, and a registration ends with its apartment.
func register(class windows.GUID, context uintptr, f factory) (stop func(), err error) {
	startServing()
	started, stopping, stopped := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(stopped)
		hr, _, _ := coInitializeEx.Call(0, 0)
		if int32(hr) < 0 {
			started <- fmt.Errorf("CoInitializeEx: %#x", uint32(hr))
			return
		}
		defer coUninitialize.Call()
		c := newCOMObject(f)
		defer release(c)
		var cookie uint32
		hr, _, _ = coRegisterClassObject.Call(uintptr(unsafe.Pointer(&class)), uintptr(unsafe.Pointer(c)),
			context, multipleUse, uintptr(unsafe.Pointer(&cookie)))
		if hr != ok {
			started <- fmt.Errorf("CoRegisterClassObject: %#x", uint32(hr))
			return
		}
		started <- nil
		<-stopping
		coRevokeClassObject.Call(uintptr(cookie))
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return func() { close(stopping); <-stopped }, nil
}
