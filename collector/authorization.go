package collector

import (
	"context"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	authorizationEntryInfo = gauge("authorization_entry_info",
		"Primary server that may replicate to this host, with its trust group and the folder of its replicas; "+
			"primary_server is a server, *.domain for all servers of a domain, or * for any server; always 1.",
		"primary_server", "trust_group", "storage_location")
	authorizationEntries = gauge("authorization_entries",
		"Number of authorization entries (Msvm_ReplicationAuthorizationSettingData); at 0, no server may replicate to "+
			"this host.")
)

// authorizationCollector exposes the servers that may replicate to this host. An
// entry without a server, which is its key, is counted but has no series.
func authorizationCollector() Collector {
	return Collector{
		Name:    "authorization",
		Help:    "Servers that may replicate to this host.",
		Default: true,
		Reads:   instancesOf(msvm.ReplicationAuthorizationSettingData{}),
		Metrics: []*Metric{authorizationEntryInfo, authorizationEntries},
		collect: func(ctx context.Context, v *view, out *output) error {
			entries, err := read[msvm.ReplicationAuthorizationSettingData](ctx, v)
			if err != nil {
				return err
			}
			out.add(authorizationEntries, float64(len(entries.rows)), nil)
			type entry struct{ server, group, folder string }
			seen := map[entry]bool{} // the reference documents no key, so there may be duplicates
			for _, row := range entries.rows {
				e := entry{
					msvm.StringOrEmpty(row.AllowedPrimaryHostSystem), msvm.StringOrEmpty(row.TrustGroup),
					msvm.StringOrEmpty(row.ReplicaStorageLocation),
				}
				if e.server == "" || seen[e] {
					continue
				}
				seen[e] = true
				out.add(authorizationEntryInfo, 1,
					newLabels("primary_server", e.server, "trust_group", e.group, "storage_location", e.folder))
			}
			return checkShown(v, every[msvm.ReplicationAuthorizationSettingData],
				"AllowedPrimaryHostSystem", "TrustGroup", "ReplicaStorageLocation")
		},
	}
}
