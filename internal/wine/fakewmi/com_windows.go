package fakewmi

import (
	"fmt"
	"runtime"
	"sync"
	"time"
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

// iid is the interface identifier whose first part is n: those of COM's own
// interfaces differ in nothing else.
func iid(n uint32) windows.GUID {
	return windows.GUID{Data1: n, Data4: [8]byte{0xC0, 7: 0x46}}
}

// cell is what a client sees of an object.
type cell struct{ vtable unsafe.Pointer }

// held is an object that clients hold.
type held struct {
	value any // an object, an *enumeration or a factory
	refs  int
}

// live holds all objects. Their cells are no memory of Go's, so nothing here
// depends on what the garbage collector can see.
var live = struct {
	sync.Mutex
	m    map[*cell]*held
	none chan struct{} // gets a value, at most one, when the last object goes
}{m: map[*cell]*held{}, none: make(chan struct{}, 1)}

// Live is the number of COM objects that clients hold. It is how a test finds a
// Release that is missing; one too many panics.
func Live() int {
	live.Lock()
	defer live.Unlock()
	return len(live.m)
}

// awaitNone waits until clients hold no object, and gives up after a while.
func awaitNone(patience time.Duration) bool {
	end := time.After(patience)
	for Live() > 0 {
		select {
		case <-live.none:
		case <-end:
			return false
		}
	}
	return true
}

// hand makes a COM object of a value, with one reference.
func hand(value any) *cell {
	p, _, _ := coTaskMemAlloc.Call(unsafe.Sizeof(cell{}))
	c := *(**cell)(unsafe.Pointer(&p))
	c.vtable = unsafe.Pointer(&vtable)
	live.Lock()
	defer live.Unlock()
	live.m[c] = &held{value, 1}
	return c
}

// of is what the cell stands for.
func of(c *cell) *held {
	h := live.m[c]
	if h == nil {
		panic(fmt.Sprintf("fakewmi: a call on object %p, which has been released", c))
	}
	return h
}

func valueOf(c *cell) any {
	live.Lock()
	defer live.Unlock()
	return of(c).value
}

func addRef(c *cell) uintptr {
	live.Lock()
	defer live.Unlock()
	h := of(c)
	h.refs++
	return uintptr(h.refs)
}

func release(c *cell) uintptr {
	live.Lock()
	h := of(c)
	h.refs--
	if h.refs > 0 {
		live.Unlock()
		return uintptr(h.refs)
	}
	delete(live.m, c)
	if len(live.m) == 0 {
		select {
		case live.none <- struct{}{}:
		default:
		}
	}
	live.Unlock()
	coTaskMemFree.Call(uintptr(unsafe.Pointer(c)))
	if v, ok := h.value.(interface{ released() }); ok {
		v.released()
	}
	return 0
}

func queryInterface(c *cell, want *windows.GUID, out *unsafe.Pointer) uintptr {
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

// factory is a class object: it makes objects.
type factory func() object

func (f factory) createInstance(outer uintptr, want *windows.GUID, out *unsafe.Pointer) uintptr {
	*out = nil
	if outer != 0 {
		return classNoAggregate
	}
	c := hand(f())
	defer release(c)
	return queryInterface(c, want, out)
}

// answer runs the method behind a slot of the vtable.
func answer(r *request) uintptr {
	c := (*cell)(r.ptr(0))
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
			return invoke(v, int32(r.word(1)), uint16(r.word(4)), (*dispParams)(r.ptr(5)), (*variant)(r.ptr(6)), (*excepInfo)(r.ptr(7)))
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

// classOf is the class that a name stands for here.
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

// register serves a class until stop is called. A thread stays in the
// multithreaded apartment meanwhile: a registration ends with its apartment, and
// that with the last thread that leaves it.
func register(class windows.GUID, context uintptr, f factory) (stop func(), err error) {
	startServers()
	started, stopping, stopped := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		defer close(stopped)
		hr, _, _ := coInitializeEx.Call(0, 0)
		if int32(hr) < 0 {
			started <- fmt.Errorf("CoInitializeEx: %#x", uint32(hr))
			return
		}
		defer coUninitialize.Call()
		c := hand(f)
		defer release(c)
		var cookie uint32
		hr, _, _ = coRegisterClassObject.Call(uintptr(unsafe.Pointer(&class)), uintptr(unsafe.Pointer(c)), context, multipleUse, uintptr(unsafe.Pointer(&cookie)))
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
