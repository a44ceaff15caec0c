package wmiquery

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"
	"github.com/yusufpapurcu/wmi"
)

// sFalse is S_FALSE. CoInitializeEx returns it if the thread is already initialized.
const sFalse = 1

// comSession is a session with WMI of the local host through its scripting objects. COM objects belong to a thread, so
// the goroutine that opened the session stays locked to its thread.
type comSession struct {
	// queries reads classes. It has its own thread, keeps the locator and makes a new connection for each query.
	// wmi.Query would create all objects again for each query and run only one query at a time in the whole program.
	queries *wmi.SWbemServices
	options *wmi.Client // the options of queries
	// locator, services and methods are for method calls. Package wmi does not support methods with out parameters.
	locator  *ole.IDispatch
	services map[string]*ole.IDispatch // by namespace
	methods  map[methodKey]*methodDef
	// incomplete has the classes that do not have all properties of their struct in this version of Windows.
	incomplete map[Class]bool
}

// OpenCOM opens a session with WMI of the local host. It locks the goroutine to its thread until Close.
func OpenCOM() (Session, error) {
	runtime.LockOSThread()
	s, err := openCOM()
	if err != nil {
		runtime.UnlockOSThread()
		return nil, wmiError(err)
	}
	return s, nil
}

func openCOM() (*comSession, error) {
	if err := ole.CoInitializeEx(0, ole.COINIT_MULTITHREADED); err != nil && scode(err) != sFalse {
		return nil, err
	}
	s := &comSession{
		options:    &wmi.Client{PtrNil: true},
		services:   map[string]*ole.IDispatch{},
		methods:    map[methodKey]*methodDef{},
		incomplete: map[Class]bool{},
	}
	if err := s.open(); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

func (s *comSession) open() error {
	unknown, err := oleutil.CreateObject("WbemScripting.SWbemLocator")
	if err != nil {
		return fmt.Errorf("WbemScripting.SWbemLocator: %w", err)
	}
	defer unknown.Release()
	if s.locator, err = unknown.QueryInterface(ole.IID_IDispatch); err != nil {
		return fmt.Errorf("WbemScripting.SWbemLocator: %w", err)
	}
	s.queries, err = wmi.InitializeSWbemServices(s.options)
	return err
}

// Close releases all COM objects and unlocks the goroutine.
func (s *comSession) Close() {
	s.release()
	runtime.UnlockOSThread()
}

func (s *comSession) release() {
	if s.queries != nil {
		_ = s.queries.Close() // fails only if it is already closed
	}
	for _, m := range s.methods {
		if m.in != nil {
			m.in.Release()
		}
	}
	for _, d := range s.services {
		d.Release()
	}
	if s.locator != nil {
		s.locator.Release()
	}
	ole.CoUninitialize()
}

// Read selects the columns of the struct. If the class does not have all of them in this version of Windows, Read
// selects all columns, and the fields without a column are null.
func (s *comSession) Read(dst any) error {
	rows := reflect.ValueOf(dst).Elem()
	instance, ok := reflect.TypeAssert[Instance](reflect.Zero(rows.Type().Elem()))
	if !ok {
		return fmt.Errorf("%s is not a wmiquery.Instance", rows.Type().Elem())
	}
	class, layout := instance.WMIClass(), rowLayoutOf(rows.Type().Elem())
	raw := reflect.New(reflect.SliceOf(layout.raw))
	var err error
	if !s.incomplete[class] {
		err = s.query(class, strings.Join(layout.columns, ", "), raw)
	}
	if s.incomplete[class] || scode(err) == wbemInvalidQuery {
		if err = s.query(class, "*", raw); err == nil {
			s.incomplete[class] = true
		}
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", class.Name, wmiError(err))
	}
	got, err := layout.convertRows(raw.Elem())
	if err != nil {
		return fmt.Errorf("read %s: %w", class.Name, err)
	}
	rows.Set(got)
	return nil
}

// query runs a query and appends the rows to raw, a pointer to a slice.
func (s *comSession) query(class Class, columns string, raw reflect.Value) error {
	// A missing column is an error, unless the query selects all columns.
	s.options.AllowMissingFields = columns == "*"
	// "." is the local host. Wine's locator, unlike that of Windows, does not accept null for it.
	err := s.queries.Query("SELECT "+columns+" FROM "+class.Name, raw.Interface(), ".", class.Namespace)
	// Package wmi sets the capacity to the number of rows, but reports no error if the enumeration ends early.
	if n, all := raw.Elem().Len(), raw.Elem().Cap(); err == nil && n < all {
		return fmt.Errorf("received only %d of %d rows: %w", n, all, ErrUnavailable)
	}
	return err
}
