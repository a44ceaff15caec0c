package msvm

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// VirtualSystemSettingData is Msvm_VirtualSystemSettingData: the settings of a VM, a checkpoint or a recovery point.
// The struct has the properties that identify recovery points.
type VirtualSystemSettingData struct {
	InstanceID              string // Microsoft:<GUID of the settings>
	ElementName             *string
	VirtualSystemIdentifier *string // the GUID of the VM
	VirtualSystemType       *string // see RecoveryPointType
	CreationTime            *time.Time
}

// WMIClass returns Msvm_VirtualSystemSettingData.
func (VirtualSystemSettingData) WMIClass() wmiquery.Class {
	return class(ClassVirtualSystemSettingData)
}

// Ref returns the object path, which InitiateFailover accepts as a recovery point.
func (s VirtualSystemSettingData) Ref() wmiquery.Ref {
	return ref(ClassVirtualSystemSettingData, "InstanceID", s.InstanceID)
}

// RecoveryPointType is the type of a recovery point.
type RecoveryPointType string

// The types of recovery points, with their names in metrics.
const (
	PointStandard              RecoveryPointType = "standard"
	PointApplicationConsistent RecoveryPointType = "application_consistent"
	PointPlannedFailover       RecoveryPointType = "planned_failover"
	// PointUnknown is any type that is not one of the above.
	PointUnknown RecoveryPointType = "unknown"
)

// recoveryPointPrefix is the prefix of VirtualSystemType of all recovery points.
const recoveryPointPrefix = "Microsoft:Hyper-V:Snapshot:Replica:"

// virtualSystemTypes has the values of VirtualSystemType. The reference describes them as time-based, VSS and planned
// replication.
var virtualSystemTypes = map[RecoveryPointType]string{
	PointStandard:              recoveryPointPrefix + "Standard",
	PointApplicationConsistent: recoveryPointPrefix + "ApplicationConsistent",
	PointPlannedFailover:       recoveryPointPrefix + "PlannedFailover",
}

// RecoveryPointTypes returns the known types of recovery points.
func RecoveryPointTypes() []RecoveryPointType {
	return []RecoveryPointType{PointStandard, PointApplicationConsistent, PointPlannedFailover}
}

// VirtualSystemType returns the value of Msvm_VirtualSystemSettingData.VirtualSystemType for a type of recovery point.
func (t RecoveryPointType) VirtualSystemType() string { return virtualSystemTypes[t] }

// RecoveryPoint returns the type of the recovery point. It returns false if the settings are those of a VM or a
// checkpoint.
func (s VirtualSystemSettingData) RecoveryPoint() (RecoveryPointType, bool) {
	system := StringOrEmpty(s.VirtualSystemType)
	for pointType, name := range virtualSystemTypes {
		if strings.EqualFold(system, name) {
			return pointType, true
		}
	}
	n := len(recoveryPointPrefix)
	return PointUnknown, len(system) > n && strings.EqualFold(system[:n], recoveryPointPrefix)
}

// SnapshotOfVirtualSystem is Msvm_SnapshotOfVirtualSystem: the association of a VM with a checkpoint or a recovery
// point.
type SnapshotOfVirtualSystem struct {
	Antecedent wmiquery.Ref // the VM
	Dependent  wmiquery.Ref // a Msvm_VirtualSystemSettingData
}

// WMIClass returns Msvm_SnapshotOfVirtualSystem.
func (SnapshotOfVirtualSystem) WMIClass() wmiquery.Class {
	return class("Msvm_SnapshotOfVirtualSystem")
}
