package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// authorizations are the authorization entries.
func (v view) authorizations() []msvm.ReplicationAuthorizationSettingData {
	return slices.Clone(v.host.authorizations)
}

// providers are the built-in provider and an external one, on the third host and on hosts that use it.
func (v view) providers() []msvm.ReplicationProvider {
	rows := []msvm.ReplicationProvider{{
		Name:              msvm.BuiltinProvider,
		ElementName:       new("Virtual machine replication provider to Hyper-V host"),
		OperationalStatus: []uint16{msvm.StatusOK},
	}}
	if v.host.name == hostNames[2] || v.usesExternalProvider() {
		rows = append(rows, msvm.ReplicationProvider{
			Name: externalProvider, ElementName: new("Site recovery provider"), OperationalStatus: []uint16{msvm.StatusOK},
		})
	}
	return rows
}

// usesExternalProvider reports whether a relationship of the host has an external provider.
func (v view) usesExternalProvider() bool {
	for _, e := range v.host.relationships() {
		if e != nil && e.link.settings.external() {
			return true
		}
	}
	return false
}

// externalProvider is a provider that is not part of Hyper-V, such as that of Azure Site Recovery. Its
// name is a COM class ID.
const externalProvider = "B8B5C7E6-4D2C-4F0B-9C53-6C2A5D7B9F10"

// failoverConfigurations calls each for every configuration with the path of its adapter.
func (v view) failoverConfigurations(each func(adapter wmiquery.Ref, c msvm.FailoverNetworkAdapterSettingData)) {
	for _, id := range slices.Sorted(maps.Keys(v.host.failoverNetworks)) {
		v.failoverConfigurationsOf(id, each)
	}
}

// failoverConfigurationsOf calls each for every configuration of a VM with the path of its adapter.
func (v view) failoverConfigurationsOf(
	id string, each func(adapter wmiquery.Ref, c msvm.FailoverNetworkAdapterSettingData),
) {
	for n, c := range v.host.failoverNetworks[id] {
		// The format of InstanceID is not documented for failover configurations. This one follows
		// the settings that belong to an adapter.
		adapter := fmt.Sprintf(`Microsoft:%s\%s`, id, adapterGUID(n))
		c.InstanceID = new(adapter + `\Failover`)
		escaped := strings.ReplaceAll(adapter, `\`, `\\`)
		each(wmiquery.Ref(`Msvm_SyntheticEthernetPortSettingData.InstanceID="`+escaped+`"`), c)
	}
}

func adapterGUID(n int) string { return fmt.Sprintf("5F1D2C3B-7A64-4E0F-9B21-0C3D4E5F6A%02X", n) }

// failoverNetworkAdapters has the rows with a null InstanceID, as documented, although associations need a key.
func (v view) failoverNetworkAdapters() []msvm.FailoverNetworkAdapterSettingData {
	var rows []msvm.FailoverNetworkAdapterSettingData
	v.failoverConfigurations(func(_ wmiquery.Ref, c msvm.FailoverNetworkAdapterSettingData) {
		rows = append(rows, v.asReported(c))
	})
	return rows
}

// failoverNetworkOf has the row of an adapter, none if there is no such adapter.
func (v view) failoverNetworkOf(adapter wmiquery.Ref) []msvm.FailoverNetworkAdapterSettingData {
	var rows []msvm.FailoverNetworkAdapterSettingData
	v.failoverConfigurationsOf(msvm.VMOf(adapter), func(of wmiquery.Ref, c msvm.FailoverNetworkAdapterSettingData) {
		if strings.EqualFold(string(adapter), string(of)) {
			rows = append(rows, v.asReported(c))
		}
	})
	return rows
}

// asReported returns the configuration with the InstanceID that the host reports.
func (v view) asReported(c msvm.FailoverNetworkAdapterSettingData) msvm.FailoverNetworkAdapterSettingData {
	if !v.faults.FailoverNetworkIDs {
		c.InstanceID = nil
	}
	return c
}

func (v view) failoverNetworkComponents() []msvm.EthernetPortFailoverSettingDataComponent {
	var rows []msvm.EthernetPortFailoverSettingDataComponent
	v.failoverConfigurations(func(adapter wmiquery.Ref, c msvm.FailoverNetworkAdapterSettingData) {
		rows = append(rows, msvm.EthernetPortFailoverSettingDataComponent{GroupComponent: adapter, PartComponent: c.Ref()})
	})
	return rows
}

// compression is the ratio of the bytes on the network to ReplicationSize.
const compression = 0.6

// performance has a row for each replicating VM by its display name. Windows adds numbers to equal
// names.
func (v view) performance() []msvm.ReplicaPerformance {
	var rows []msvm.ReplicaPerformance
	seen := map[string]int{}
	for r, e := range v.host.relationships() {
		if r.linkType != msvm.Primary || !v.replicates(e) {
			continue
		}
		name := v.faults.displayName(r.vm)
		if n := seen[name]; n > 0 {
			name = fmt.Sprintf("%s#%d", name, n)
		}
		seen[v.faults.displayName(r.vm)]++
		wire := uint64(float64(e.totals.Bytes) * compression)
		row := msvm.ReplicaPerformance{
			Name: name, NetworkBytesSent: new(uint64(0)), NetworkBytesRecv: &wire,
			ResynchronizedBytes: new(uint64(0)), ReplicationCount: new(uint32(e.totals.Cycles)),
		}
		if e.sends() {
			row.NetworkBytesSent, row.NetworkBytesRecv = row.NetworkBytesRecv, row.NetworkBytesSent
		}
		rows = append(rows, row)
	}
	return rows
}

// replicationServices has one row. Of its texts, only the status is translated.
func (v view) replicationServices() []msvm.ReplicationService {
	s, texts := v.host.service(), v.world.scenario.texts
	s.OperationalStatus, s.StatusDescriptions = []uint16{msvm.StatusOK}, []string{texts.working}
	if v.faults.ServiceError {
		s.OperationalStatus, s.StatusDescriptions = []uint16{msvm.StatusError}, []string{texts.noListener}
	}
	return []msvm.ReplicationService{s}
}

func (v view) replicationServiceSettings() []msvm.ReplicationServiceSettingData {
	return []msvm.ReplicationServiceSettingData{v.host.settings.ReplicationServiceSettingData}
}
