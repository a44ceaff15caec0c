package collector

import (
	"context"
	"errors"
	"maps"
	"slices"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var failoverNetworkAdapters = gauge("failover_network_adapters",
	"Network adapters of the VM by their IP configuration after a failover (Msvm_FailoverNetworkAdapterSettingData): "+
		"static addresses, dhcp, none if the configuration in the guest is kept, unknown if the host does not report it.",
	perVM("configuration")...)

// failoverConfigurations are the values of the label configuration.
var failoverConfigurations = [...]string{"static", "dhcp", "none", "unknown"}

// failoverNetworkCollector exposes the number of adapters by failover
// configuration, for each VM that has adapters.
func failoverNetworkCollector() Collector {
	return Collector{
		Name:    "failover_network",
		Help:    "Network adapters by their IP configuration after a failover.",
		Default: true,
		Reads: append(instancesOf(msvm.FailoverNetworkAdapterSettingData{},
			msvm.EthernetPortFailoverSettingDataComponent{}, msvm.ComputerSystem{}),
			resultOf(msvm.EthernetPortFailoverSettingDataComponent{}, operationAssociatorsOf)),
		Metrics: []*Metric{failoverNetworkAdapters},
		collect: func(ctx context.Context, v *view, out *output) error {
			settings, settingsErr := read[msvm.FailoverNetworkAdapterSettingData](ctx, v)
			components, componentErr := read[msvm.EthernetPortFailoverSettingDataComponent](ctx, v)
			vms, vmErr := readVMs(ctx, v)
			if err := errors.Join(settingsErr, componentErr, vmErr); err != nil {
				return err
			}
			byPath := configurationsByPath(v, settings.rows)
			queried := newAdapterReader(v, settings.rows, components.rows, vms)
			queryErr := queried.readAll(ctx)
			counts := countAdapters(components.rows, vms, byPath, queried.configurations)
			for _, id := range slices.Sorted(maps.Keys(counts)) {
				if counts[id][""] > 0 {
					continue // a number without this adapter would be wrong
				}
				l := vms.labels(id)
				for _, c := range failoverConfigurations {
					out.add(failoverNetworkAdapters, counts[id][c], l, label("configuration", c))
				}
			}
			return errors.Join(queryErr, newInvalidError(queried.invalid), checkAdapters(v, components.rows, vms))
		},
	}
}

// configurationsByPath returns the configurations of the settings that have an object path, by the path in lower case.
// The configuration of settings with an invalid value is unknown.
func configurationsByPath(v *view, settings []msvm.FailoverNetworkAdapterSettingData) map[wmiquery.Ref]string {
	invalid := map[int]bool{}
	for _, i := range v.invalidResponse(msvm.FailoverNetworkAdapterSettingData{}.WMIClass().Name).invalid {
		invalid[i.Row] = invalid[i.Row] || slices.Contains(configurationProperties, i.Property)
	}
	byPath := make(map[wmiquery.Ref]string, len(settings))
	for i, s := range settings {
		switch path := lowerRef(s.Ref()); {
		case path == "":
		case invalid[i]:
			byPath[path] = "unknown"
		default:
			byPath[path] = failoverConfiguration(s)
		}
	}
	return byPath
}

// configurationProperties are the properties that failoverConfiguration uses.
var configurationProperties = []string{"ProtocolIFType", "IPAddresses", "DHCPEnabled"}

// checkAdapters returns an error if the host has returned invalid values that the
// collector would have shown, apart from those in responses to an adapterReader.
func checkAdapters(v *view, components []msvm.EthernetPortFailoverSettingDataComponent, vms vmsByID) error {
	shownVMs, shown := map[string]bool{}, map[wmiquery.Ref]bool{}
	for _, c := range components {
		if id := msvm.VMOf(c.GroupComponent); vms[id].IsVM() {
			shownVMs[id], shown[lowerRef(c.PartComponent)] = true, true
		}
	}
	return errors.Join(
		checkShown(v, func(s msvm.FailoverNetworkAdapterSettingData) bool {
			return s.Ref() != "" && shown[lowerRef(s.Ref())]
		}, configurationProperties...),
		checkShown(v, every[msvm.EthernetPortFailoverSettingDataComponent]),
		checkShown(v, vmIn(func(id string) bool { return shownVMs[id] }), "Name", "ElementName"),
	)
}

// countAdapters returns the number of adapters by VM and configuration. It ignores
// adapters that belong to no VM but to a checkpoint, to a recovery point or to the
// defaults for new adapters. byPath has the configurations by the path of the
// settings, byAdapter those of adapters for which byPath has none by the path of the
// adapter. The configuration of an adapter in neither is "".
func countAdapters(
	components []msvm.EthernetPortFailoverSettingDataComponent, vms vmsByID, byPath, byAdapter map[wmiquery.Ref]string,
) map[string]map[string]float64 {
	counts := map[string]map[string]float64{}
	seen := make(map[msvm.EthernetPortFailoverSettingDataComponent]bool, len(components))
	for _, c := range components {
		vm := msvm.VMOf(c.GroupComponent)
		c.GroupComponent, c.PartComponent = lowerRef(c.GroupComponent), lowerRef(c.PartComponent)
		configuration, ok := byPath[c.PartComponent]
		if !ok {
			configuration, c.PartComponent = byAdapter[c.GroupComponent], ""
		}
		if seen[c] || !vms.has(vm) {
			continue
		}
		seen[c] = true
		if counts[vm] == nil {
			counts[vm] = map[string]float64{}
		}
		counts[vm][configuration]++
	}
	return counts
}

// failoverConfiguration returns the value of the label configuration. DHCPEnabled
// alone is not sufficient: Microsoft's client leaves it true if nothing is
// configured and if all static addresses are IPv6. A ProtocolIFType of 0 means
// that nothing is configured.
func failoverConfiguration(s msvm.FailoverNetworkAdapterSettingData) string {
	switch {
	case s.ProtocolIFType != nil && *s.ProtocolIFType == 0:
		return "none"
	case len(s.IPAddresses) > 0:
		return "static"
	case s.DHCPEnabled != nil && *s.DHCPEnabled:
		return "dhcp"
	case s.ProtocolIFType == nil && s.DHCPEnabled == nil: // the host reported neither property
		return "unknown"
	}
	return "none"
}
