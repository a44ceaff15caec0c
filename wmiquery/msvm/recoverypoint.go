package msvm

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// VirtualSystemSettingData is Msvm_VirtualSystemSettingData, the part that tells
// recovery points: the settings of VMs, of checkpoints and of recovery points.
type VirtualSystemSettingData struct {
	InstanceID              string // Microsoft:<GUID of the settings>
	ElementName             *string
	VirtualSystemIdentifier *string // the VM's GUID
	VirtualSystemType       *string // see RecoveryPointType
	CreationTime            *time.Time
}

// WMIClass is Msvm_VirtualSystemSettingData.
func (VirtualSystemSettingData) WMIClass() wmiquery.Class {
	return class(ClassVirtualSystemSettingData)
}

// Ref is the object path, as InitiateFailover takes it for a recovery point.
func (s VirtualSystemSettingData) Ref() wmiquery.Ref {
	return ref(ClassVirtualSystemSettingData, "InstanceID", s.InstanceID)
}

// RecoveryPointType is the kind of a recovery point.
type RecoveryPointType string

// The kinds of recovery points, as they are named in metrics.
const (
	PointStandard              RecoveryPointType = "standard"
	PointApplicationConsistent RecoveryPointType = "application_consistent"
	PointPlannedFailover       RecoveryPointType = "planned_failover"
	// PointUnknown is a recovery point whose kind is not known.
	PointUnknown RecoveryPointType = "unknown"
)

// recoveryPointPrefix is what VirtualSystemType starts with for recovery points.
const recoveryPointPrefix = "Microsoft:Hyper-V:Snapshot:Replica:"

// virtualSystemTypes are the values of VirtualSystemType, from Microsoft's
// samples.
var virtualSystemTypes = map[RecoveryPointType]string{
	PointStandard:              recoveryPointPrefix + "Standard",
	PointApplicationConsistent: recoveryPointPrefix + "ApplicationConsistent",
	PointPlannedFailover:       recoveryPointPrefix + "PlannedFailover",
}

// RecoveryPointTypes has the kinds that are known.
func RecoveryPointTypes() []RecoveryPointType {
	return []RecoveryPointType{PointStandard, PointApplicationConsistent, PointPlannedFailover}
}

// VirtualSystemType is the value of Msvm_VirtualSystemSettingData that marks a
// recovery point of this kind.
func (t RecoveryPointType) VirtualSystemType() string { return virtualSystemTypes[t] }

// RecoveryPoint is the kind of recovery point that the settings are; false if
// they are of a VM or a checkpoint.
func (s VirtualSystemSettingData) RecoveryPoint() (RecoveryPointType, bool) {
	system := StringOrEmpty(s.VirtualSystemType)
	for kind, text := range virtualSystemTypes {
		if strings.EqualFold(system, text) {
			return kind, true
		}
	}
	n := len(recoveryPointPrefix)
	return PointUnknown, len(system) > n && strings.EqualFold(system[:n], recoveryPointPrefix)
}

// SnapshotOfVirtualSystem is Msvm_SnapshotOfVirtualSystem: which VM a checkpoint
// or a recovery point is of.
type SnapshotOfVirtualSystem struct {
	Antecedent wmiquery.Ref // the VM
	Dependent  wmiquery.Ref // a Msvm_VirtualSystemSettingData
}

// WMIClass is Msvm_SnapshotOfVirtualSystem.
func (SnapshotOfVirtualSystem) WMIClass() wmiquery.Class {
	return class("Msvm_SnapshotOfVirtualSystem")
}
