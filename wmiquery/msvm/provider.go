package msvm

import "hyperv_replica_exporter/wmiquery"

// ReplicationProvider is Msvm_ReplicationProvider: the built-in replication provider of Hyper-V, or an external one,
// such as Azure Site Recovery.
type ReplicationProvider struct {
	Name              string // a GUID; see BuiltinProvider
	ElementName       *string
	OperationalStatus []uint16 // the first one is the status; StatusOK is the only one that is documented
}

// WMIClass returns Msvm_ReplicationProvider.
func (ReplicationProvider) WMIClass() wmiquery.Class { return class("Msvm_ReplicationProvider") }

// Ref returns the object path of the provider.
func (p ReplicationProvider) Ref() wmiquery.Ref { return ProviderRef(p.Name) }
