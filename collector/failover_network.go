package collector

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var failoverNetworkAdapters = gauge("failover_network_adapters",
	"Network adapters of the VM by the IP configuration they get after a failover (Msvm_FailoverNetworkAdapterSettingData): static addresses, dhcp, none for what the guest has, unknown if the host does not tell.",
	perVM("configuration")...)

// failoverConfigurations are the values of the label configuration.
var failoverConfigurations = [...]string{"static", "dhcp", "none", "unknown"}

// failoverNetworkCollector counts the adapters of each VM that has any by their
// failover configuration.
func failoverNetworkCollector() Collector {
	return Collector{
		Name:    "failover_network",
		Help:    "Network adapters by the IP configuration they get after a failover.",
		Default: true,
		Reads:   rowsOf(msvm.FailoverNetworkAdapterSettingData{}, msvm.EthernetPortFailoverSettingDataComponent{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{failoverNetworkAdapters},
		collect: func(ctx context.Context, v *view, out *output) error {
			settings, setErr := read[msvm.FailoverNetworkAdapterSettingData](ctx, v)
			components, comErr := read[msvm.EthernetPortFailoverSettingDataComponent](ctx, v)
			systems, sysErr := readMachines(ctx, v)
			if err := errors.Join(setErr, comErr, sysErr); err != nil {
				return err
			}
			counts := countAdapters(settings.rows, components.rows, systems)
			for _, id := range slices.Sorted(maps.Keys(counts)) {
				l := systems.labels(id)
				for _, c := range failoverConfigurations {
					out.add(failoverNetworkAdapters, counts[id][c], l.with(label("configuration", c)))
				}
			}
			return nil
		},
	}
}

// countAdapters counts adapters by VM and configuration. A component whose
// adapter is of no VM is one of a checkpoint, of a recovery point or of the
// defaults for new adapters.
func countAdapters(settings []msvm.FailoverNetworkAdapterSettingData, components []msvm.EthernetPortFailoverSettingDataComponent, systems machines) map[string]map[string]float64 {
	configurations := make(map[wmiquery.Ref]string, len(settings))
	for _, s := range settings {
		if path := s.Ref(); path != "" {
			configurations[sameCase(path)] = configurationOf(s)
		}
	}
	counts := map[string]map[string]float64{}
	seen := make(map[msvm.EthernetPortFailoverSettingDataComponent]bool, len(components))
	for _, c := range components {
		id := msvm.VMOf(c.GroupComponent)
		if _, ok := systems[id]; !ok || seen[c] {
			continue
		}
		seen[c] = true
		configuration, ok := configurations[sameCase(c.PartComponent)]
		if !ok {
			configuration = "unknown"
		}
		if counts[id] == nil {
			counts[id] = map[string]float64{}
		}
		counts[id][configuration]++
	}
	return counts
}

// configurationOf tells what the adapter gets. Microsoft's client leaves
// DHCPEnabled true where there is nothing, and with static addresses of IPv6
// alone; ProtocolIFType 0 is nothing.
func configurationOf(s msvm.FailoverNetworkAdapterSettingData) string {
	switch {
	case s.ProtocolIFType != nil && *s.ProtocolIFType == 0:
		return "none"
	case len(s.IPAddresses) > 0:
		return "static"
	case s.DHCPEnabled != nil && *s.DHCPEnabled:
		return "dhcp"
	case s.ProtocolIFType == nil && s.DHCPEnabled == nil: // the host has told nothing
		return "unknown"
	}
	return "none"
}

// sameCase makes paths that Windows writes in different case equal.
func sameCase(path wmiquery.Ref) wmiquery.Ref { return wmiquery.Ref(strings.ToLower(string(path))) }
