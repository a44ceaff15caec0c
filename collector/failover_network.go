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
		Reads: instancesOf(msvm.FailoverNetworkAdapterSettingData{}, msvm.EthernetPortFailoverSettingDataComponent{},
			msvm.ComputerSystem{}),
		Metrics: []*Metric{failoverNetworkAdapters},
		collect: func(ctx context.Context, v *view, out *output) error {
			settings, settingsErr := read[msvm.FailoverNetworkAdapterSettingData](ctx, v)
			components, componentErr := read[msvm.EthernetPortFailoverSettingDataComponent](ctx, v)
			vms, vmErr := readVMs(ctx, v)
			if err := errors.Join(settingsErr, componentErr, vmErr); err != nil {
				return err
			}
			counts := countAdapters(withoutInvalid(v, settings.rows), components.rows, vms, out)
			for _, id := range slices.Sorted(maps.Keys(counts)) {
				l := vms.labels(id)
				for _, c := range failoverConfigurations {
					out.add(failoverNetworkAdapters, counts[id][c], l.with(label("configuration", c)))
				}
			}
			return checkAdapters(v, components.rows, vms)
		},
	}
}

// withoutInvalid returns the settings, without the configuration of those with
// invalid values: it is unknown.
func withoutInvalid(
	v *view, settings []msvm.FailoverNetworkAdapterSettingData,
) []msvm.FailoverNetworkAdapterSettingData {
	settings = slices.Clone(settings)
	for _, i := range v.invalidResponse(msvm.FailoverNetworkAdapterSettingData{}.WMIClass().Name).invalid {
		if i.Row >= 0 && slices.Contains(configurationProperties, i.Property) {
			settings[i.Row] = msvm.FailoverNetworkAdapterSettingData{InstanceID: settings[i.Row].InstanceID}
		}
	}
	return settings
}

// configurationProperties are those that failoverConfiguration uses.
var configurationProperties = []string{"ProtocolIFType", "IPAddresses", "DHCPEnabled"}

// checkAdapters returns an error if the host has returned invalid values that the
// collector would have shown.
func checkAdapters(v *view, components []msvm.EthernetPortFailoverSettingDataComponent, vms vmsByID) error {
	shownVMs, shown := map[string]bool{}, map[wmiquery.Ref]bool{}
	for _, c := range components {
		if id := msvm.VMOf(c.GroupComponent); vms[id].IsVM() {
			shownVMs[id], shown[lowerRef(c.PartComponent)] = true, true
		}
	}
	return errors.Join(
		checkShown(v, func(s msvm.FailoverNetworkAdapterSettingData) bool {
			return s.Ref() == "" || shown[lowerRef(s.Ref())]
		}, append([]string{"InstanceID"}, configurationProperties...)...),
		checkShown(v, every[msvm.EthernetPortFailoverSettingDataComponent]),
		checkShown(v, vmIn(func(id string) bool { return shownVMs[id] }), "Name", "ElementName"),
	)
}

// countAdapters returns the number of adapters by VM and configuration. It ignores
// adapters that belong to no VM but to a checkpoint, to a recovery point or to the
// defaults for new adapters.
//
// The InstanceID of the settings, and with it the key of their path, is documented
// to be null. Adapters that the path does not assign get their settings from
// assignRest.
func countAdapters(
	settings []msvm.FailoverNetworkAdapterSettingData,
	components []msvm.EthernetPortFailoverSettingDataComponent, vms vmsByID, out *output,
) map[string]map[string]float64 {
	byPath := make(map[wmiquery.Ref]string, len(settings))
	var withoutPath []string
	for _, s := range settings {
		if path := s.Ref(); path == "" {
			withoutPath = append(withoutPath, failoverConfiguration(s))
		} else {
			byPath[lowerRef(path)] = failoverConfiguration(s)
		}
	}
	counts := map[string]map[string]float64{}
	add := func(vm, configuration string) {
		if counts[vm] == nil {
			counts[vm] = map[string]float64{}
		}
		counts[vm][configuration]++
	}
	seen := make(map[msvm.EthernetPortFailoverSettingDataComponent]bool, len(components))
	var rest []string // VMs of the adapters that no path assigns settings to
	for _, c := range components {
		if seen[c] {
			continue
		}
		seen[c] = true
		vm := msvm.VMOf(c.GroupComponent)
		configuration, ok := byPath[lowerRef(c.PartComponent)]
		switch _, isVM := vms[vm]; {
		case !ok:
			rest = append(rest, vm)
		case isVM:
			add(vm, configuration)
		}
	}
	for i, configuration := range assignRest(withoutPath, rest, out) {
		if _, isVM := vms[rest[i]]; isVM {
			add(rest[i], configuration)
		}
	}
	return counts
}

// assignRest returns the configuration of each of the adapters, which are given by
// their VM, from those of settings without a path. It is unknown which settings
// belong to which adapter. This does not matter if all configurations are the same,
// or if all adapters belong to one VM. Otherwise the configurations are unknown, as
// they are if there are fewer settings than adapters.
func assignRest(configurations, vms []string, out *output) []string {
	distinct := func(values []string) int { return len(slices.Compact(slices.Sorted(slices.Values(values)))) }
	isAssigned := len(configurations) == len(vms) && distinct(vms) == 1 ||
		len(configurations) >= len(vms) && distinct(configurations) == 1
	if isAssigned {
		return configurations[:len(vms)]
	}
	if len(configurations) > 0 && len(vms) > 0 {
		out.warn("failover networks", "failover settings without InstanceID not assigned to adapters",
			"settings", len(configurations), "adapters", len(vms))
	}
	return slices.Repeat([]string{"unknown"}, len(vms))
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
