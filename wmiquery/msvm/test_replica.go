package msvm

import (
	"strings"

	"hyperv_replica_exporter/wmiquery"
)

// ReplicaSystemDependency is Msvm_ReplicaSystemDependency: the association of a replica VM with its test VM. A replica
// VM has at most one test VM, except in a cluster after the two have moved to different nodes.
type ReplicaSystemDependency struct {
	Antecedent wmiquery.Ref // the replica VM
	Dependent  wmiquery.Ref // its test VM
}

// WMIClass returns Msvm_ReplicaSystemDependency.
func (ReplicaSystemDependency) WMIClass() wmiquery.Class {
	return class("Msvm_ReplicaSystemDependency")
}

// VMOf returns the GUID in upper case of the VM that a path refers to: the path of a Msvm_ComputerSystem, or of an
// object whose InstanceID starts with Microsoft:<GUID>. It returns "" if the path refers to no VM. Names in paths are
// not case-sensitive.
func VMOf(path wmiquery.Ref) string {
	class, keys, _ := strings.Cut(strings.ToUpper(string(path)), ".")
	id := ""
	if strings.EqualFold(class, ClassComputerSystem) {
		id = between(keys, `,NAME="`, `"`)
	} else if _, after, ok := strings.Cut(keys, `INSTANCEID="MICROSOFT:`); ok {
		id = after[:min(36, len(after))]
	}
	if !IsGUID(id) {
		return ""
	}
	return id
}

// between returns the part of s between left and right.
func between(s, left, right string) string {
	_, s, _ = strings.Cut(s, left)
	s, _, _ = strings.Cut(s, right)
	return s
}
