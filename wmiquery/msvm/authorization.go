package msvm

import "hyperv_replica_exporter/wmiquery"

// ReplicationAuthorizationSettingData is Msvm_ReplicationAuthorizationSettingData:
// a primary server, or a wildcard of them, that may replicate to this host. Its
// InstanceID is always null; AllowedPrimaryHostSystem acts as the key.
type ReplicationAuthorizationSettingData struct {
	// AllowedPrimaryHostSystem is a host name, *.domain, or * for any server; case
	// does not matter.
	AllowedPrimaryHostSystem *string
	ReplicaStorageLocation   *string // a folder
	TrustGroup               *string // "DEFAULT" for the entry *
}

// WMIClass is Msvm_ReplicationAuthorizationSettingData.
func (ReplicationAuthorizationSettingData) WMIClass() wmiquery.Class {
	return class(ClassReplicationAuthorizationSettingData)
}
