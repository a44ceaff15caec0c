package collector

import (
	"context"
	"strconv"
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var providerInfo = gauge("provider_info",
	"A provider of replication that the host has (Msvm_ReplicationProvider); builtin is false for an external one such as Azure Site Recovery; always 1.",
	"provider_id", "name", "builtin")

// providerCollector tells which providers of replication the host has.
func providerCollector() Collector {
	return Collector{
		Name:    "provider",
		Help:    "Providers of replication: Hyper-V's own, and external ones such as Azure Site Recovery.",
		Default: true,
		Reads:   rowsOf(msvm.ReplicationProvider{}),
		Metrics: []*Metric{providerInfo},
		collect: func(ctx context.Context, v *view, out *output) error {
			providers, err := read[msvm.ReplicationProvider](ctx, v)
			seen := map[string]bool{}
			for _, p := range providers.rows {
				id := strings.ToUpper(p.Name) // as the label provider of relationship_info
				if id == "" || seen[id] {
					continue
				}
				seen[id] = true
				out.add(providerInfo, 1, newLabels("provider_id", id, "name", msvm.StringOrEmpty(p.ElementName),
					"builtin", strconv.FormatBool(id == msvm.BuiltinProvider)))
			}
			return err
		},
	}
}
