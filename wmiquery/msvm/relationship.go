package msvm

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ReplicationRelationship is Msvm_ReplicationRelationship: the state, the health and the last replication times of a
// relationship.
//
// VMs that do not replicate have a row, too, and each replica VM has a row for its extended relationship. Use
// Replicates to skip such rows.
type ReplicationRelationship struct {
	InstanceID                string // see ParseKey
	ElementName               *string
	ReplicationState          *ReplicationState
	ReplicationHealth         *ReplicationHealth
	FailedOverReplicationType *ReplicationType
	LastReplicationType       *ReplicationType
	// LastReplicationTime is the time of the last replication that the replica side received, or that the primary side
	// sent. See Known for this and the following times.
	LastReplicationTime                      *time.Time
	LastApplicationConsistentReplicationTime *time.Time
	// LastApplyTime is the time of the last replication that was applied to the disks of the replica. On the primary
	// side it is always Never.
	LastApplyTime *time.Time
}

// WMIClass returns Msvm_ReplicationRelationship.
func (ReplicationRelationship) WMIClass() wmiquery.Class {
	return class(ClassReplicationRelationship)
}

// Replicates reports whether the VM replicates on this relationship: the state is not Disabled. An unknown or null
// state counts as not Disabled.
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

// Ref returns the object path of the relationship.
func (r ReplicationRelationship) Ref() wmiquery.Ref {
	return ref(ClassReplicationRelationship, "InstanceID", r.InstanceID)
}

// SystemReplicationRelationship is Msvm_SystemReplicationRelationship: the association of a VM with a relationship. The
// InstanceID of the relationship should give the same information.
type SystemReplicationRelationship struct {
	Antecedent wmiquery.Ref // the VM
	Dependent  wmiquery.Ref // the relationship
}

// WMIClass returns Msvm_SystemReplicationRelationship.
func (SystemReplicationRelationship) WMIClass() wmiquery.Class {
	return class("Msvm_SystemReplicationRelationship")
}
