package msvm

import "hyperv_replica_exporter/wmiquery"

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
