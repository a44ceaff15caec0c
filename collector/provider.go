package collector

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	providerInfo = gauge("provider_info",
		"Replication provider of the host (Msvm_ReplicationProvider); builtin is false for an external provider such as "+
			"Azure Site Recovery; always 1.",
		"provider_id", "name", "builtin")
	providerStatus = gauge("provider_status",
		"Status of the replication provider (Msvm_ReplicationProvider.OperationalStatus): 1 for the current status, 0 for "+
			"the others; absent if the host does not report it.",
		"provider_id", "status")
)

// providerCollector exposes the replication providers of the host.
func providerCollector() Collector {
	return Collector{
		Name:    "provider",
		Help:    "Replication providers: the one of Hyper-V, and external ones such as Azure Site Recovery.",
		Default: true,
		Reads:   instancesOf(msvm.ReplicationProvider{}),
		Metrics: []*Metric{providerInfo, providerStatus},
		collect: func(ctx context.Context, v *view, out *output) error {
			providers, err := read[msvm.ReplicationProvider](ctx, v)
			seen := map[string]bool{}
			for _, p := range providers.rows {
				id := strings.ToUpper(p.Name) // like the label provider of relationship_info
				if seen[id] {
					continue
				}
				seen[id] = true
				out.add(providerInfo, 1, newLabels("provider_id", id, "name", msvm.StringOrEmpty(p.ElementName),
					"builtin", strconv.FormatBool(id == msvm.BuiltinProvider)))
				if len(p.OperationalStatus) > 0 {
					out.addStates(providerStatus, statusValues, statusName(p.OperationalStatus[0]), newLabels("provider_id", id))
				}
			}
			return errors.Join(err, checkShown(v, every[msvm.ReplicationProvider], "Name", "ElementName", "OperationalStatus"))
		},
	}
}
