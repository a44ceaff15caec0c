package collector

import (
	"context"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	authorizationEntryInfo = gauge("authorization_entry_info",
		"A server that may replicate to this host, * for any and *.domain for those of a domain, with its trust group; always 1.", "primary_server", "trust_group")
	authorizationEntries = gauge("authorization_entries",
		"Authorization entries (Msvm_ReplicationAuthorizationSettingData): without one, no server may replicate to this host.")
)

// authorizationCollector tells who may replicate to this host. An entry without
// a server, its key, is counted and not shown.
func authorizationCollector() Collector {
	return Collector{
		Name:    "authorization",
		Help:    "Which servers may replicate to this host.",
		Default: true,
		Reads:   rowsOf(msvm.ReplicationAuthorizationSettingData{}),
		Metrics: []*Metric{authorizationEntryInfo, authorizationEntries},
		collect: func(ctx context.Context, v *view, out *output) error {
			entries, err := read[msvm.ReplicationAuthorizationSettingData](ctx, v)
			if err != nil {
				return err
			}
			out.add(authorizationEntries, float64(len(entries.rows)), nil)
			type entry struct{ server, group string }
			seen := map[entry]bool{} // the reference gives no key that keeps two from being equal
			for _, row := range entries.rows {
				e := entry{msvm.StringOrEmpty(row.AllowedPrimaryHostSystem), msvm.StringOrEmpty(row.TrustGroup)}
				if e.server == "" || seen[e] {
					continue
				}
				seen[e] = true
				out.add(authorizationEntryInfo, 1, newLabels("primary_server", e.server, "trust_group", e.group))
			}
			return nil
		},
	}
}
