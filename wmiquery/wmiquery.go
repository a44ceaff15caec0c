// Package wmiquery is the interface between this program and a Hyper-V host.
//
// [Reader] reads from a host and [Invoker] changes it, both in plain Go values: no COM object leaves the package.
// [OpenCOM] opens a session with the local host (Windows only). Package simulator has simulated hosts, package replay
// has captured ones. Each of them provides a [Session]; the rest of the program uses a [Pool] of sessions.
package wmiquery

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Namespaces of the classes that this program reads.
const (
	// Virtualization is the namespace of the classes of Hyper-V.
	Virtualization = `root\virtualization\v2`
	// CIMV2 is the namespace of the classes of Windows itself.
	CIMV2 = `root\cimv2`
)

// Class is the name of a WMI class with its namespace.
type Class struct{ Namespace, Name string }

// Instance is a struct whose exported fields are properties of a WMI class. A field has the name of the property and
// the Go type of its CIM type:
//
//	CIM type             field type
//	string               string, *string (null is nil)
//	boolean              *bool
//	uint8 … sint64       *uint8 … *int64, or a type defined on one
//	datetime (a point)   *time.Time (the year 1601 means "never")
//	datetime (interval)  *time.Duration
//	reference            Ref
//	array of the above   []string, []uint16 … (null is nil)
//
// A field that is neither a pointer nor a slice is for a property that is never null. If such a property is null, the
// field has the zero value.
type Instance interface {
	// WMIClass returns the class of the struct.
	WMIClass() Class
}

// Ref is the path of an object, relative to its namespace, for example
// Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="…".
type Ref string

// Relative returns an object path without the host and the namespace that it may start with, as in
// \\HV01\root\virtualization\v2:Msvm_ComputerSystem.….
func Relative(path string) Ref {
	if strings.HasPrefix(path, `\\`) {
		if _, after, ok := strings.Cut(path, ":"); ok {
			return Ref(after)
		}
	}
	return Ref(path)
}

// CIMReference implements [hyperv_replica_exporter/wmiquery/cimxml.Reference].
func (Ref) CIMReference() {}

// Class returns the name of the class in the path.
func (r Ref) Class() string {
	class, _, _ := strings.Cut(string(r), ".")
	return class
}

// Embedded is an embedded instance as CIM-XML text. CIM types it as a string with the qualifier EmbeddedInstance.
type Embedded string

// Param is a parameter of a method. Value is a Ref, an Embedded, a string, a bool, an unsigned integer of the width of
// the CIM type, an int32 or int64, a []string, a []Embedded, a time.Time, or nil for null.
type Param struct {
	Name  string // as documented
	Value any
}

// Call is a method call.
type Call struct {
	Namespace string
	Object    Ref // the instance whose method is called, such as the replication service
	Method    string
	In        []Param
}

// Text returns the value of a parameter that is a reference or a string. It returns "" if the parameter is null,
// missing or of another type. The name is not case-sensitive.
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
		case string: // COM passes references and embedded instances as strings
			return v
		}
	}
	return ""
}

// IsGetMethod reports whether a method only reads, by its name: of the methods of Hyper-V, those that only return data
// start with Get, and no others do.
func IsGetMethod(name string) bool { return strings.HasPrefix(name, "Get") }

// Reply is the result of a method call.
type Reply struct {
	// Code is ReturnValue: CodeCompleted, CodeJobStarted, or the code of a failure. See [Reply.Err].
	Code uint32
	// Job is the path of the job if Code is CodeJobStarted.
	Job Ref
	// Out has the out parameters by name, without Job and ReturnValue. A value is a string, bool, int64, Ref, a slice
	// of one of these, or nil for null. Embedded instances are strings of CIM-XML.
	Out map[string]any
	// Invalid has the out parameters whose values are invalid. In Out they are null.
	Invalid []InvalidValue
}

// Err returns nil if the method has completed or has started a job, otherwise a *CodeError.
func (r Reply) Err() error {
	if r.Code == CodeCompleted || r.Code == CodeJobStarted {
		return nil
	}
	return &CodeError{r.Code}
}

// Reader reads from a host. Its methods never change the host.
type Reader interface {
	// Read fills dst, a *[]T with T an Instance, with all instances of T's class. If the host has none, dst is empty
	// and the error is nil. A host that denies access does the same, see ErrDenied.
	//
	// If some values are invalid, dst has all other values, and the error is an *InvalidValuesError. After any other
	// error dst is unchanged.
	Read(ctx context.Context, dst any) error
	// Texts returns all instances of a class, each as the host's own text. It has all properties of the instance, also
	// those that no struct has, so that an instance can be sent back to the host complete. A replayed host is an
	// exception: a capture has only the properties of the structs. Texts returns no instances if the host denies access.
	Texts(ctx context.Context, class Class) ([]Embedded, error)
	// Get calls a method that only reads. It returns ErrUnsupported for any other method, see [IsGetMethod].
	Get(ctx context.Context, call Call) (Reply, error)
	// Now returns the time of the host's clock.
	Now() time.Time
	// Associated fills dst like Read, with those instances of T's class that an association connects with the object at
	// the path of. The association is a class in the namespace of T's class. An instance occurs as often as the
	// association connects it.
	Associated(ctx context.Context, dst any, of Ref, association Class) error
}

// Invoker changes a host.
type Invoker interface {
	// Invoke calls any method.
	Invoke(ctx context.Context, call Call) (Reply, error)
}

// Session is a connection to a host. Its methods block until the host answers and cannot be cancelled, because COM
// calls cannot. A session is opened, used and closed on the same goroutine.
type Session interface {
	// Read fills dst like [Reader].Read.
	Read(dst any) error
	// Texts returns instances like [Reader].Texts.
	Texts(class Class) ([]Embedded, error)
	Call(call Call) (Reply, error)
	Close()
	// Associated fills dst like [Reader].Associated.
	Associated(dst any, of Ref, association Class) error
}

// Sentinel errors, for use with errors.Is.
var (
	// ErrNotFound means that the object does not exist.
	ErrNotFound = errors.New("not found")
	// ErrUnsupported means that this host does not have the namespace, the class or the method: the Hyper-V role is
	// not installed, or this version of Windows is too old.
	ErrUnsupported = errors.New("not supported by this host")
	// ErrDenied means that the account has no permission. A query without permission does not cause it: Hyper-V
	// returns no rows instead. Callers must conclude that from empty results of several classes.
	ErrDenied = errors.New("access denied")
	// ErrBusy means that the object, or every worker of the pool, is busy.
	ErrBusy = errors.New("busy")
	// ErrTimeout means that there was no answer in time.
	ErrTimeout = errors.New("timed out")
	// ErrInvalidState means that the current state of the object does not allow the operation.
	ErrInvalidState = errors.New("invalid state")
	// ErrUnavailable means that the connection is lost. A new session may work.
	ErrUnavailable = errors.New("connection lost")
)

// IsRefusal reports whether err means that the host has rejected the request: the request had no effect, and the
// session can be used again.
func IsRefusal(err error) bool {
	for _, refusal := range []error{ErrNotFound, ErrUnsupported, ErrDenied, ErrBusy, ErrInvalidState} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// All reads all instances of T's class. Its error is that of [Reader].Read: with an *InvalidValuesError there are rows.
func All[T Instance](ctx context.Context, r Reader) ([]T, error) {
	var rows []T
	err := r.Read(ctx, &rows)
	return rows, err
}

// AllAssociated reads the instances of T's class that the association connects with an object, see [Reader].Associated.
func AllAssociated[T Instance](ctx context.Context, r Reader, of Ref, association Class) ([]T, error) {
	var rows []T
	err := r.Associated(ctx, &rows, of, association)
	return rows, err
}
