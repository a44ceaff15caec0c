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
	return class("Msvm_ReplicationAuthorizationSettingData")
}

// ReplicationProvider is Msvm_ReplicationProvider: Hyper-V's own provider of
// replication and external ones, such as Azure Site Recovery. Windows Server
// 2012 lacks the class.
type ReplicationProvider struct {
	Name              string // a GUID; see BuiltinProvider
	ElementName       *string
	OperationalStatus []uint16
}

// WMIClass is Msvm_ReplicationProvider.
func (ReplicationProvider) WMIClass() wmiquery.Class { return class("Msvm_ReplicationProvider") }

// Ref is the provider's object path.
func (p ReplicationProvider) Ref() wmiquery.Ref { return ProviderRef(p.Name) }
