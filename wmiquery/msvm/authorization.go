package msvm

import "hyperv_replica_exporter/wmiquery"

// ReplicationAuthorizationSettingData is Msvm_ReplicationAuthorizationSettingData: an authorization entry of the
// replica server. InstanceID is always null. AllowedPrimaryHostSystem identifies the entry.
type ReplicationAuthorizationSettingData struct {
	// AllowedPrimaryHostSystem is the primary server that may replicate to this host: a host name, *.domain, or * for
	// any server. It is not case-sensitive.
	AllowedPrimaryHostSystem *string
	ReplicaStorageLocation   *string // path of a folder
	TrustGroup               *string // "DEFAULT" if AllowedPrimaryHostSystem is *
}

// WMIClass returns Msvm_ReplicationAuthorizationSettingData.
func (ReplicationAuthorizationSettingData) WMIClass() wmiquery.Class {
	return class(ClassReplicationAuthorizationSettingData)
}
