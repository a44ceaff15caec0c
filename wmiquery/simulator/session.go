package simulator

import (
	"fmt"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// session is a connection to one host.
type session struct {
	world  *World
	host   *host
	closed bool
}

// Close ends the session. Later reads and calls fail.
func (s *session) Close() { s.closed = true }

// Read returns all instances of a class of package msvm.
func (s *session) Read(dst any) error {
	switch dst := dst.(type) {
	case *[]msvm.ComputerSystem:
		return readRows(s, dst, view.computerSystems)
	case *[]msvm.ReplicationRelationship:
		return readRows(s, dst, view.replicationRelationships)
	case *[]msvm.ReplicationSettingData:
		return readRows(s, dst, view.replicationSettings)
	case *[]msvm.ReplicationStatistics:
		return readRows(s, dst, view.replicationStatistics)
	case *[]msvm.ReplicationService:
		return readRows(s, dst, view.replicationServices)
	case *[]msvm.ReplicationServiceSettingData:
		return readRows(s, dst, view.replicationServiceSettings)
	case *[]msvm.SystemReplicationRelationship:
		return readRows(s, dst, view.systemReplicationRelationships)
	case *[]msvm.ReplicationAuthorizationSettingData:
		return readRows(s, dst, view.authorizations)
	case *[]msvm.ReplicationProvider:
		return readRows(s, dst, view.providers)
	case *[]msvm.FailoverNetworkAdapterSettingData:
		return readRows(s, dst, view.failoverNetworkAdapters)
	case *[]msvm.EthernetPortFailoverSettingDataComponent:
		return readRows(s, dst, view.failoverNetworkComponents)
	case *[]msvm.ReplicaSystemDependency:
		return readRows(s, dst, view.replicaSystemDependencies)
	case *[]msvm.ConcreteJob:
		return readRows(s, dst, view.concreteJobs)
	case *[]msvm.AffectedJobElement:
		return readRows(s, dst, view.affectedJobElements)
	case *[]msvm.VirtualSystemSettingData:
		return readRows(s, dst, view.virtualSystemSettings)
	case *[]msvm.SnapshotOfVirtualSystem:
		return readRows(s, dst, view.snapshotsOfVirtualSystems)
	case *[]msvm.ShutdownComponent:
		return readRows(s, dst, view.shutdownComponents)
	case *[]msvm.ReplicaPerformance:
		return readRows(s, dst, view.performance)
	}
	return fmt.Errorf("class of %T: %w", dst, wmiquery.ErrUnsupported)
}

func readRows[T wmiquery.Instance](s *session, dst *[]T, rows func(view) []T) error {
	faults, err := s.faultsFor((*new(T)).WMIClass().Name, "")
	if err != nil {
		return err
	}
	if faults.Denied {
		*dst = nil
		return nil
	}
	all := withView(s.world, s.host, faults, rows)
	for i := range all {
		faults.applyToRow(&all[i])
	}
	err = invalidateRows(faults, all)
	if _, ok := wmiquery.InvalidValues(err); ok {
		*dst = all
	}
	return err
}

// withView calls f with a view of the host at the current time. World.mu is held during the call.
func withView[T any](w *World, h *host, f Faults, from func(view) T) T {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.now()
	w.advanceVMsWithJobs(at)
	return from(view{world: w, host: h, at: at, faults: f})
}

// faultsFor applies the faults that delay or fail a read or a call, and returns the faults that are
// active afterwards.
func (s *session) faultsFor(class, method string) (Faults, error) {
	if s.closed {
		return Faults{}, fmt.Errorf("session is closed: %w", wmiquery.ErrUnavailable)
	}
	return s.world.faults.pass(class, method)
}

// Call runs a method.
func (s *session) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	class := className(relativePath(c.Object))
	if !strings.EqualFold(c.Namespace, wmiquery.Virtualization) {
		return wmiquery.Reply{}, fmt.Errorf("namespace %s: %w", c.Namespace, wmiquery.ErrUnsupported)
	}
	faults, err := s.faultsFor(class, c.Method)
	if err != nil {
		return wmiquery.Reply{}, err
	}
	if faults.Denied {
		return errorReply(wmiquery.CodeAccessDenied), nil
	}
	m := findMethod(class, c.Method)
	if m == nil {
		return wmiquery.Reply{}, fmt.Errorf("method %s of %s: %w", c.Method, class, wmiquery.ErrUnsupported)
	}
	if faults.methodFails(m.Method) {
		return errorReply(wmiquery.CodeFailed), nil
	}
	return s.call(m, c, faults)
}

// Associated returns the instances that an association of package msvm connects with an object.
func (s *session) Associated(dst any, of wmiquery.Ref, association wmiquery.Class) error {
	settings, ok := dst.(*[]msvm.FailoverNetworkAdapterSettingData)
	if !ok || association != (msvm.EthernetPortFailoverSettingDataComponent{}).WMIClass() {
		return fmt.Errorf("%T by association %s: %w", dst, association.Name, wmiquery.ErrUnsupported)
	}
	var rows []msvm.FailoverNetworkAdapterSettingData
	err := readRows(s, &rows, func(v view) []msvm.FailoverNetworkAdapterSettingData { return v.failoverNetworkOf(of) })
	if _, ok := wmiquery.InvalidValues(err); !ok {
		return err
	}
	if len(rows) == 0 {
		return fmt.Errorf("%.200s: %w", of, wmiquery.ErrNotFound)
	}
	*settings = rows
	return err
}
