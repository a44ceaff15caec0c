// Package msvm has the replication classes of root\virtualization\v2 as Go
// structs, their enumerations, and their methods as data.
//
// Facts come from Microsoft's reference of the Hyper-V WMI provider (V2) unless
// a comment names another source. Units and null rules stand at each field; the
// mapping of CIM types to Go types is that of [wmiquery.Instance]. A pointer is
// nil where the host gave null.
package msvm

import (
	"fmt"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// Classes has a zero value of every class of this package that can be read by
// query. Msvm_ReplicationStatistics is among them although a query for it
// gives nothing: that is how Windows answers.
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
		ReplicaPerformance{},
	}
}

// class names a class of root\virtualization\v2.
func class(name string) wmiquery.Class {
	return wmiquery.Class{Namespace: wmiquery.Virtualization, Name: name}
}

// never is how Windows writes a point in time that has not come yet:
// 16010101000000.000000-000, the epoch of FILETIME. With an offset it is up to a
// day off.
var never = time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)

// Never is the point in time that stands for "has not happened".
func Never() time.Time { return never }

// Known tells whether t is a point in time that Windows knows: neither null nor
// "never".
func Known(t *time.Time) (time.Time, bool) {
	if t == nil || t.Year() <= never.Year() {
		return time.Time{}, false
	}
	return *t, true
}

// Link is which of a VM's relationships one is.
type Link string

// A VM has one relationship, or two when it is a replica that is replicated
// on to a third host.
const (
	Primary  Link = "primary"  // InstanceID ends in \0
	Extended Link = "extended" // InstanceID ends in \1
)

// Key identifies a relationship: names are never identity.
type Key struct {
	VM   string // the VM's GUID in upper case, Msvm_ComputerSystem.Name
	Link Link
}

// Sends tells whether a host whose VM is in a mode is the sending side of the
// relationship: the primary, or a replica on its extended link.
func (k Key) Sends(mode ReplicationMode) bool {
	return k.Link == Primary && mode == ModePrimary || k.Link == Extended && mode == ModeReplica
}

// InstanceID is the key property of the relationship and of its settings.
func (k Key) InstanceID() string {
	tail := `\0`
	if k.Link == Extended {
		tail = `\1`
	}
	return `Microsoft:` + k.VM + `\HVR` + tail
}

// ParseKey reads the InstanceID of a relationship or of its settings,
// Microsoft:<GUID>\HVR\<0|1>; Windows Server 2012 writes no number. With an error
// the key has no Link, and the VM if that can be told.
func ParseKey(instanceID string) (Key, error) {
	id, tail, ok := strings.Cut(strings.ToUpper(instanceID), `\HVR`)
	id, prefixed := strings.CutPrefix(id, "MICROSOFT:")
	if !ok || !prefixed || !IsGUID(id) {
		return Key{}, fmt.Errorf(`InstanceID %q is not of the form Microsoft:<GUID>\HVR\<n>`, instanceID)
	}
	switch tail {
	case "", `\0`:
		return Key{id, Primary}, nil
	case `\1`:
		return Key{id, Extended}, nil
	}
	return Key{VM: id}, fmt.Errorf("InstanceID %q is neither a primary (0) nor an extended (1) relationship", instanceID)
}

// IsGUID tells whether s is a GUID without braces, in either case.
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
