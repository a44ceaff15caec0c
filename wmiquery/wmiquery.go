// Package wmiquery is the one seam between this program and a Hyper-V host.
//
// It says what can be asked of a host ([Reader]) and what can be done to it
// ([Invoker]) in plain Go values: no COM object ever leaves the package. The
// live host is behind [OpenCOM] (Windows only), a simulated one is package
// simulator; both are a [Session], and a [Pool] of sessions is what the rest of
// the program holds.
package wmiquery

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Namespaces that hold the classes this program reads.
const (
	// Virtualization holds the classes of Hyper-V since Windows Server 2012.
	Virtualization = `root\virtualization\v2`
	// CIMV2 holds the classes of Windows itself.
	CIMV2 = `root\cimv2`
)

// Class names a WMI class and the namespace that holds it.
type Class struct{ Namespace, Name string }

// Instance is a struct whose exported fields are properties of a WMI class: the
// field's name is the property's name, the field's type its CIM type.
//
//	CIM type             field type
//	string               string, *string (null is nil)
//	boolean              *bool
//	uint8 … sint64       *uint8 … *int64, or a type defined on one
//	datetime (a point)   *time.Time (the year 1601 is Windows' "never")
//	datetime (interval)  *time.Duration
//	reference            Ref
//	array of the above   []string, []uint16 … (null is nil)
//
// A field that is no pointer is a property that is never null; if it is null
// after all it reads as the zero value.
type Instance interface {
	// WMIClass is the class that the struct's fields come from.
	WMIClass() Class
}

// Ref is the path of an object, relative to its namespace, as in
// Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="…".
type Ref string

// Relative is the path of an object without the host and the namespace that it
// may start with, as in \\HV01\root\virtualization\v2:Msvm_ComputerSystem.….
func Relative(path string) Ref {
	if strings.HasPrefix(path, `\\`) {
		if _, after, ok := strings.Cut(path, ":"); ok {
			return Ref(after)
		}
	}
	return Ref(path)
}

// Class returns the name of the class in the path.
func (r Ref) Class() string {
	class, _, _ := strings.Cut(string(r), ".")
	return class
}

// Embedded is the text of an embedded instance: what CIM types as a string with
// the qualifier EmbeddedInstance, written as CIM-XML.
type Embedded string

// Param is a parameter of a method by its documented name. Value is a Ref, an
// Embedded, a string, a bool, an unsigned integer of the CIM type's width, an
// int32 or int64, a []string, or nil for null.
type Param struct {
	Name  string
	Value any
}

// Call is a method call as data: which method of which object, with what.
type Call struct {
	Namespace string
	Object    Ref // an instance, such as the replication service
	Method    string
	In        []Param
}

// IsGetMethod reports whether a method only reads, by its name: the names of the methods of Hyper-V that only return
// data, and of no others, start with Get.
func IsGetMethod(name string) bool { return strings.HasPrefix(name, "Get") }

// Text is the value of a parameter that is a reference or a text, "" if it is null, not
// given, or anything else. Names are not case-sensitive.
func (c Call) Text(name string) string {
	for _, p := range c.In {
		if !strings.EqualFold(p.Name, name) {
			continue
		}
		switch v := p.Value.(type) {
		case Ref:
			return string(v)
		case Embedded:
			return string(v)
		case string: // how COM carries both
			return v
		}
	}
	return ""
}

// Reply is what a method answered.
type Reply struct {
	// Code is ReturnValue: 0 done, 4096 a job was started, anything else is a
	// refusal, see [Reply.Err].
	Code uint32
	// Job is the path of the job when Code is 4096.
	Job Ref
	// Out holds the out parameters by name, without Job and ReturnValue: string,
	// bool, int64, Ref, a slice of one of these, or nil for null. Embedded
	// instances are strings of CIM-XML.
	Out map[string]any
}

// Reader reads from a host. None of its methods changes anything there.
type Reader interface {
	// Read fills dst, a *[]T with T an Instance, with every instance of T's
	// class. A host that has none of them gives an empty slice and no error, and
	// so does one that denies access: see ErrDenied.
	Read(ctx context.Context, dst any) error
	// Get runs a method that only reads. It refuses, with ErrUnsupported, any
	// whose name does not start with Get.
	Get(ctx context.Context, call Call) (Reply, error)
	// Now is the time by the host's clock.
	Now() time.Time
}

// Invoker changes a host.
type Invoker interface {
	// Invoke runs any method.
	Invoke(ctx context.Context, call Call) (Reply, error)
}

// Session is one connection to a host. It blocks for as long as the host takes
// and cannot be cancelled, as COM cannot. It is opened, used and closed by one
// goroutine.
type Session interface {
	Read(dst any) error
	Call(call Call) (Reply, error)
	Close()
}

// The errors that callers tell apart, with errors.Is.
var (
	// ErrNotFound: there is no such object.
	ErrNotFound = errors.New("not found")
	// ErrUnsupported: this host has no such namespace, class or method: no
	// Hyper-V role, or an older Windows.
	ErrUnsupported = errors.New("not supported by this host")
	// ErrDenied: the account may not. Hyper-V itself answers a query without
	// rights with no rows at all; who reads several classes must notice that.
	ErrDenied = errors.New("access denied")
	// ErrBusy: the object, or every worker, is busy with something else.
	ErrBusy = errors.New("busy")
	// ErrTimeout: no answer in time.
	ErrTimeout = errors.New("timed out")
	// ErrInvalidState: the object is in a state in which this cannot be done.
	ErrInvalidState = errors.New("invalid state")
	// ErrUnavailable: the connection is gone; a new one may work.
	ErrUnavailable = errors.New("connection lost")
)

// All reads every instance of T's class.
func All[T Instance](ctx context.Context, r Reader) ([]T, error) {
	var rows []T
	err := r.Read(ctx, &rows)
	return rows, err
}
