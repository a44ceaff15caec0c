package wmiquery

import (
	"fmt"
	"runtime"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"
	"github.com/yusufpapurcu/wmi"
)

// sFalse is S_FALSE. CoInitializeEx returns it if the thread is already initialized.
const sFalse = 1

// comSession is a session with WMI of the local host through its scripting objects. COM objects belong to a thread, so
// the goroutine that opened the session stays locked to its thread.
type comSession struct {
	// queries reads the classes that package wmi supports, see wmiRow. It has its own thread, keeps the locator and makes
	// a new connection for each query. wmi.Query would create all objects again for each query and run only one query at
	// a time in the whole program.
	queries *wmi.SWbemServices
	// locator, services and methods are for everything else.
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
	s.queries, err = wmi.InitializeSWbemServices(&wmi.Client{PtrNil: true})
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
