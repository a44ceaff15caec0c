package msvm

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ReplicationRelationship is Msvm_ReplicationRelationship: state, health and
// last times of one relationship. Windows Server 2012 lacks the class.
//
// Rows exist for VMs that do not replicate, and an extended row for every
// replica VM: ReplicationState not Disabled is the test for "replicates".
type ReplicationRelationship struct {
	InstanceID                string // see ParseKey
	ElementName               *string
	ReplicationState          *ReplicationState
	ReplicationHealth         *ReplicationHealth
	FailedOverReplicationType *ReplicationType
	LastReplicationType       *ReplicationType
	// LastReplicationTime is the last replication that arrived at the recovery
	// side; on the primary, the last that was sent. Never: 1601.
	LastReplicationTime                      *time.Time
	LastApplicationConsistentReplicationTime *time.Time // never: 1601
	// LastApplyTime is the last replication applied to the replica's disks.
	// Never, as on the primary side: 1601.
	LastApplyTime *time.Time
}

// WMIClass is Msvm_ReplicationRelationship.
func (ReplicationRelationship) WMIClass() wmiquery.Class {
	return class(ClassReplicationRelationship)
}

// Replicates tells whether the relationship is more than the empty row that
// every VM has. An unknown or null state is not Disabled.
func (r ReplicationRelationship) Replicates() bool {
	return r.State() != Disabled
}

// State returns the state of the relationship, StateUnknown for null.
func (r ReplicationRelationship) State() ReplicationState {
	if r.ReplicationState == nil {
		return StateUnknown
	}
	return *r.ReplicationState
}

// Ref is the relationship's object path.
func (r ReplicationRelationship) Ref() wmiquery.Ref {
	return ref(ClassReplicationRelationship, "InstanceID", r.InstanceID)
}

// SystemReplicationRelationship is Msvm_SystemReplicationRelationship: which
// relationships a VM has. The same can be told from the GUID in the InstanceID.
type SystemReplicationRelationship struct {
	Antecedent wmiquery.Ref // the VM
	Dependent  wmiquery.Ref // the relationship
}

// WMIClass is Msvm_SystemReplicationRelationship.
func (SystemReplicationRelationship) WMIClass() wmiquery.Class {
	return class("Msvm_SystemReplicationRelationship")
}
