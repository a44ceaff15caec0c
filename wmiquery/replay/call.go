package replay

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Call returns the captured reply. A capture has replies of some methods that read, and of no others.
func (s *session) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	if err := s.checkOpen(); err != nil {
		return wmiquery.Reply{}, err
	}
	reply, err := s.host.call(c)
	if err != nil {
		return wmiquery.Reply{}, fmt.Errorf("call %s: %w", c.Method, err)
	}
	return reply, nil
}

func (h *Host) call(c wmiquery.Call) (wmiquery.Reply, error) {
	if !strings.EqualFold(c.Namespace, wmiquery.Virtualization) {
		return wmiquery.Reply{}, fmt.Errorf("namespace %.80s: %w", c.Namespace, wmiquery.ErrUnsupported)
	}
	class := c.Object.Class()
	if m, ok := msvm.FindMethod(class, c.Method); ok && !m.Reads {
		return wmiquery.Reply{}, fmt.Errorf("a captured host cannot be changed: %w", wmiquery.ErrUnsupported)
	}
	service := strings.EqualFold(class, msvm.ClassReplicationService)
	switch {
	case service && c.Method == msvm.MethodGetReplicationStatisticsEx:
		return h.statistics(c)
	case service && c.Method == msvm.MethodGetSystemCertificates:
		return h.systemCertificates(c)
	}
	return wmiquery.Reply{},
		fmt.Errorf("a capture has no replies of this method of %.80s: %w", class, wmiquery.ErrUnsupported)
}

// statistics implements GetReplicationStatisticsEx.
func (h *Host) statistics(c wmiquery.Call) (wmiquery.Reply, error) {
	f, err := h.method(c)
	if err != nil {
		return wmiquery.Reply{}, err
	}
	var r msvm.ReplicationRelationship
	if _, err := cimxml.Unmarshal(c.Text("ReplicationRelationship"), &r); err != nil {
		return wmiquery.Reply{Code: wmiquery.CodeInvalidParam}, nil
	}
	key, err := msvm.ParseKey(r.InstanceID)
	if err != nil || msvm.VMOf(wmiquery.Ref(c.Text("ComputerSystem"))) != key.VM {
		return wmiquery.Reply{Code: wmiquery.CodeInvalidParam}, nil
	}
	for i := range f.Calls {
		if k, err := msvm.ParseKey(f.Calls[i].InstanceID); err == nil && k == key {
			return f.reply(i)
		}
	}
	return wmiquery.Reply{},
		fmt.Errorf("%s has no CALL for %.100s: %w", fileName(f.Name), r.InstanceID, wmiquery.ErrNotFound)
}

// method returns the file of the method of c. It fails if the object of c is not the captured replication service.
func (h *Host) method(c wmiquery.Call) (*methodFile, error) {
	services, err := h.rows(msvm.ClassReplicationService, reflect.TypeFor[[]msvm.ReplicationService]())
	if _, ok := wmiquery.InvalidValues(err); !ok {
		return nil, err
	}
	for _, s := range services.Interface().([]msvm.ReplicationService) {
		if !strings.EqualFold(string(s.Ref()), string(c.Object)) {
			continue
		}
		if f, ok := h.methods[c.Method]; ok {
			return f, nil
		}
		return nil, notCapturedError(c.Method)
	}
	return nil, fmt.Errorf("%.200s: %w", c.Object, wmiquery.ErrNotFound)
}

// outParameters has the out parameters of all methods in a capture.
type outParameters struct {
	ReturnValue             *uint32
	Job                     *wmiquery.Ref
	ReplicationStatistics   []string
	ReplicationHealthIssues []string
}

// reply returns the reply of call n of the file.
func (f *methodFile) reply(n int) (wmiquery.Reply, error) {
	c := f.Calls[n]
	if c.Failure != nil {
		return wmiquery.Reply{}, c.Failure.err()
	}
	var out outParameters
	_, err := cimxml.Unmarshal(c.Instances[0].text("__PARAMETERS"), &out)
	invalid, ok := wmiquery.AppendInvalid(nil, msvm.ClassReplicationService, "", -1, &out, err)
	if ok && err == nil && out.ReturnValue == nil {
		err = errors.New("ReturnValue is missing")
	}
	if out.ReturnValue == nil || !ok {
		return wmiquery.Reply{}, fmt.Errorf("%s: CALL %d, %.80q: %w", fileName(f.Name), n+1, c.InstanceID, err)
	}
	for i := range invalid {
		invalid[i].Instance = f.Name
	}
	reply := wmiquery.Reply{Code: *out.ReturnValue, Out: map[string]any{}, Invalid: invalid}
	if out.Job != nil {
		reply.Job = wmiquery.Relative(string(*out.Job))
	}
	if f.Name == msvm.MethodGetReplicationStatisticsEx {
		reply.Out["ReplicationStatistics"] = arrayValue(out.ReplicationStatistics)
		reply.Out["ReplicationHealthIssues"] = arrayValue(out.ReplicationHealthIssues)
	}
	return reply, nil
}

// arrayValue returns an array as a value of Reply.Out: an untyped nil for null.
func arrayValue(array []string) any {
	if array == nil {
		return nil
	}
	return array
}
