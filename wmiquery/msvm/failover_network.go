package msvm

import (
	"strings"

	"hyperv_replica_exporter/wmiquery"
)

// FailoverNetworkAdapterSettingData is Msvm_FailoverNetworkAdapterSettingData: the IP configuration that a network
// adapter of the guest operating system gets after a failover.
type FailoverNetworkAdapterSettingData struct {
	// InstanceID is the key of the class but is documented to be always null. An instance whose key is null has no
	// object path, so an association cannot be compared with it. See AdaptersToQuery.
	InstanceID      *string
	ProtocolIFType  *uint16  // 0 unknown, 1 other, 4096 IPv4, 4097 IPv6, 4098 both
	DHCPEnabled     *bool    // on the IPv4 interface
	IPAddresses     []string // IPAddresses[i] is in Subnets[i]
	Subnets         []string // a mask for IPv4, a prefix length for IPv6
	DefaultGateways []string // at most five
	DNSServers      []string
}

// WMIClass returns Msvm_FailoverNetworkAdapterSettingData.
func (FailoverNetworkAdapterSettingData) WMIClass() wmiquery.Class {
	return class(ClassFailoverNetworkAdapterSettingData)
}

// Ref returns the object path, "" if InstanceID is null.
func (s FailoverNetworkAdapterSettingData) Ref() wmiquery.Ref {
	if StringOrEmpty(s.InstanceID) == "" {
		return ""
	}
	return ref(ClassFailoverNetworkAdapterSettingData, "InstanceID", *s.InstanceID)
}

// EthernetPortFailoverSettingDataComponent is Msvm_EthernetPortFailoverSettingDataComponent: the association of a
// network adapter with its failover configuration.
type EthernetPortFailoverSettingDataComponent struct {
	GroupComponent wmiquery.Ref // the settings of the adapter; see VMOf
	PartComponent  wmiquery.Ref // a Msvm_FailoverNetworkAdapterSettingData
}

// WMIClass returns Msvm_EthernetPortFailoverSettingDataComponent.
func (EthernetPortFailoverSettingDataComponent) WMIClass() wmiquery.Class {
	return class("Msvm_EthernetPortFailoverSettingDataComponent")
}

// AdaptersToQuery returns the adapters whose settings must be read by a query for what
// [EthernetPortFailoverSettingDataComponent] connects with the adapter, each once: those whose settings, by the path in
// the association, are not among the instances of the class. isVM reports whether a GUID is that of a VM; adapters of
// checkpoints, recovery points and the defaults for new adapters are left out.
//
// Microsoft's sample reads all settings with such queries, and no others: Virtualization blog, 2012-05-28.
func AdaptersToQuery(
	settings []FailoverNetworkAdapterSettingData, components []EthernetPortFailoverSettingDataComponent,
	isVM func(id string) bool,
) []wmiquery.Ref {
	lower := func(path wmiquery.Ref) string { return strings.ToLower(string(path)) }
	known := map[string]bool{}
	for _, s := range settings {
		if path := s.Ref(); path != "" {
			known[lower(path)] = true
		}
	}
	seen := map[string]bool{}
	var adapters []wmiquery.Ref
	for _, c := range components {
		adapter, settings := lower(c.GroupComponent), lower(c.PartComponent)
		if isVM(VMOf(c.GroupComponent)) && !known[settings] && !seen[adapter] {
			seen[adapter] = true
			adapters = append(adapters, c.GroupComponent)
		}
	}
	return adapters
}
