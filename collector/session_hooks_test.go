package collector_test

import "hyperv_replica_exporter/wmiquery"

// sessionHooks is a session whose operations a test replaces. A hook that is nil
// does not replace the operation.
type sessionHooks struct {
	wmiquery.Session
	call func(wmiquery.Session, wmiquery.Call) (wmiquery.Reply, error)
	read func(wmiquery.Session, any) error
	// associated replaces Associated.
	associated func(s wmiquery.Session, dst any, of wmiquery.Ref, association wmiquery.Class) error
}

func (h sessionHooks) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	if h.call == nil {
		return h.Session.Call(c)
	}
	return h.call(h.Session, c)
}

func (h sessionHooks) Read(dst any) error {
	if h.read == nil {
		return h.Session.Read(dst)
	}
	return h.read(h.Session, dst)
}

func (h sessionHooks) Associated(dst any, of wmiquery.Ref, association wmiquery.Class) error {
	if h.associated == nil {
		return h.Session.Associated(dst, of, association)
	}
	return h.associated(h.Session, dst, of, association)
}

// wrap returns an opener of sessions with the hooks.
func (h sessionHooks) wrap(host opener) opener {
	return func() (wmiquery.Session, error) {
		s, err := host()
		return sessionHooks{s, h.call, h.read, h.associated}, err
	}
}
