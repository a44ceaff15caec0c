package fakewmi

import (
	"unicode/utf16"
	"unsafe"
)

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
