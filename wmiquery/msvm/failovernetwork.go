package msvm

import "hyperv_replica_exporter/wmiquery"

// FailoverNetworkAdapterSettingData is Msvm_FailoverNetworkAdapterSettingData:
// the IP configuration that a network adapter of the guest gets after a failover.
type FailoverNetworkAdapterSettingData struct {
	// InstanceID is null by the reference, although it is the class's key. Without
	// it an instance cannot be told to belong to an adapter.
	InstanceID      *string
	ProtocolIFType  *uint16  // 0 unknown, 1 other, 4096 IPv4, 4097 IPv6, 4098 both
	DHCPEnabled     *bool    // on the IPv4 interface
	IPAddresses     []string // each with the subnet at the same place
	Subnets         []string // a mask for IPv4, the prefix's length for IPv6
	DefaultGateways []string // five at most
	DNSServers      []string
}

// WMIClass is Msvm_FailoverNetworkAdapterSettingData.
func (FailoverNetworkAdapterSettingData) WMIClass() wmiquery.Class {
	return class(ClassFailoverNetworkAdapterSettingData)
}

// Ref is the object path, "" if the host gave no InstanceID.
func (s FailoverNetworkAdapterSettingData) Ref() wmiquery.Ref {
	if StringOrEmpty(s.InstanceID) == "" {
		return ""
	}
	return ref(ClassFailoverNetworkAdapterSettingData, "InstanceID", *s.InstanceID)
}

// EthernetPortFailoverSettingDataComponent is
// Msvm_EthernetPortFailoverSettingDataComponent: which adapter has which failover
// configuration.
type EthernetPortFailoverSettingDataComponent struct {
	GroupComponent wmiquery.Ref // the adapter's settings; see VMOf
	PartComponent  wmiquery.Ref // a Msvm_FailoverNetworkAdapterSettingData
}

// WMIClass is Msvm_EthernetPortFailoverSettingDataComponent.
func (EthernetPortFailoverSettingDataComponent) WMIClass() wmiquery.Class {
	return class("Msvm_EthernetPortFailoverSettingDataComponent")
}
