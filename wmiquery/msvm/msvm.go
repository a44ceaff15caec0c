// Package msvm has the replication classes of root\virtualization\v2 as Go structs, their enumerations, and
// descriptions of their methods.
//
// The source of all facts is Microsoft's reference of the Hyper-V WMI provider (V2), unless a comment names another
// source. See [wmiquery.Instance] for the mapping of CIM types to Go types. A nil pointer is a null of the host.
package msvm

import (
	"fmt"
	"strings"

	"hyperv_replica_exporter/wmiquery"
)

// Classes returns a zero value of each class of this package that can be queried. Msvm_ReplicationStatistics is one of
// them, although Windows never returns rows for it.
func Classes() []wmiquery.Instance {
	return []wmiquery.Instance{
		ComputerSystem{},
		ReplicationRelationship{},
		ReplicationSettingData{},
		ReplicationStatistics{},
		ReplicationService{},
		ReplicationServiceSettingData{},
		SystemReplicationRelationship{},
		ReplicationAuthorizationSettingData{},
		ReplicationProvider{},
		ReplicaSystemDependency{},
		FailoverNetworkAdapterSettingData{},
		EthernetPortFailoverSettingDataComponent{},
		ConcreteJob{},
		AffectedJobElement{},
		VirtualSystemSettingData{},
		SnapshotOfVirtualSystem{},
		ShutdownComponent{},
		ReplicaPerformance{},
	}
}

// class returns a class of root\virtualization\v2.
func class(name string) wmiquery.Class {
	return wmiquery.Class{Namespace: wmiquery.Virtualization, Name: name}
}

// Link distinguishes the relationships of a VM.
type Link string

// A VM has a primary relationship. A replica VM that is replicated to a third host has an extended relationship, too.
const (
	Primary  Link = "primary"  // InstanceID ends in \0
	Extended Link = "extended" // InstanceID ends in \1
)

// Key identifies a relationship. Names of VMs do not identify anything, because they are not unique.
type Key struct {
	VM   string // the GUID of the VM in upper case: Msvm_ComputerSystem.Name
	Link Link
}

// InstanceID returns the key property of the relationship and of its settings.
func (k Key) InstanceID() string {
	tail := `\0`
	if k.Link == Extended {
		tail = `\1`
	}
	return `Microsoft:` + k.VM + `\HVR` + tail
}

// ParseKey parses the InstanceID of a relationship or of its settings, which is Microsoft:<GUID>\HVR\<0|1>. If it
// fails, the key has no Link, but the VM if InstanceID has a GUID.
func ParseKey(instanceID string) (Key, error) {
	id, tail, ok := strings.Cut(strings.ToUpper(instanceID), `\HVR`)
	id, prefixed := strings.CutPrefix(id, "MICROSOFT:")
	if !ok || !prefixed || !IsGUID(id) {
		return Key{}, fmt.Errorf(`InstanceID %.100q is not of the form Microsoft:<GUID>\HVR\<n>`, instanceID)
	}
	switch tail {
	case `\0`:
		return Key{id, Primary}, nil
	case `\1`:
		return Key{id, Extended}, nil
	}
	return Key{VM: id}, fmt.Errorf(
		"InstanceID %.100q is neither a primary (0) nor an extended (1) relationship", instanceID)
}

// IsGUID reports whether s is a GUID without braces, in upper or lower case.
func IsGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
		default:
			return false
		}
	}
	return true
}
