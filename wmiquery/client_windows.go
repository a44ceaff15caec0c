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

// sFalse is what CoInitializeEx says on a thread that is initialized already.
const sFalse = 1

// comSession reads this host's WMI through its scripting objects. COM wants one
// thread for all of it: the goroutine that opened the session is locked to it.
type comSession struct {
	// queries reads classes. It has a thread of its own, keeps the locator and
	// connects anew for each query; wmi.Query would create everything anew and
	// let only one query of the whole program run at a time.
	queries *wmi.SWbemServices
	options *wmi.Client // that queries heeds
	// locator, services and methods are for what package wmi cannot do: methods
	// with out parameters.
	locator  *ole.IDispatch
	services map[string]*ole.IDispatch // by namespace
	methods  map[methodKey]*methodDef
	// narrow are the classes that lack a property on this Windows.
	narrow map[Class]bool
}

// OpenCOM opens a session on this host's WMI. It locks the goroutine to its
// thread until Close.
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
		options:  &wmi.Client{PtrNil: true},
		services: map[string]*ole.IDispatch{},
		methods:  map[methodKey]*methodDef{},
		narrow:   map[Class]bool{},
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

// Close releases all COM objects.
func (s *comSession) Close() {
	s.release()
	runtime.UnlockOSThread()
}

func (s *comSession) release() {
	if s.queries != nil {
		_ = s.queries.Close() // its only error is to have been closed before
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

// Read reads a class with the columns of its struct. On a Windows whose class
// lacks some of them it reads what there is, and the others are null.
func (s *comSession) Read(dst any) error {
	rows := reflect.ValueOf(dst).Elem()
	instance, ok := reflect.TypeAssert[Instance](reflect.Zero(rows.Type().Elem()))
	if !ok {
		return fmt.Errorf("%s is no wmiquery.Instance", rows.Type().Elem())
	}
	class, layout := instance.WMIClass(), layoutOf(rows.Type().Elem())
	raw := reflect.New(reflect.SliceOf(layout.raw))
	var err error
	if !s.narrow[class] {
		err = s.query(class, strings.Join(layout.columns, ", "), raw)
	}
	if s.narrow[class] || scode(err) == wbemInvalidQuery {
		if err = s.query(class, "*", raw); err == nil {
			s.narrow[class] = true
		}
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", class.Name, wmiError(err))
	}
	got, err := layout.rows(raw.Elem())
	if err != nil {
		return fmt.Errorf("read %s: %w", class.Name, err)
	}
	rows.Set(got)
	return nil
}

// query runs a query into raw, a pointer to a slice.
func (s *comSession) query(class Class, columns string, raw reflect.Value) error {
	// A column that cannot be read is an error, unless all are asked for to see
	// which there are.
	s.options.AllowMissingFields = columns == "*"
	// "." is this host: Wine's locator, unlike Windows', refuses null for it.
	err := s.queries.Query("SELECT "+columns+" FROM "+class.Name, raw.Interface(), ".", class.Namespace)
	// Package wmi makes room for as many rows as there are and does not tell
	// when the enumeration ends early.
	if n, all := raw.Elem().Len(), raw.Elem().Cap(); err == nil && n < all {
		return fmt.Errorf("only %d of %d rows came: %w", n, all, ErrUnavailable)
	}
	return err
}
