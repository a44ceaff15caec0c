package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	relationshipInfo = gauge("relationship_info",
		"Who replicates to whom and how; always 1.", perRelationship("mode", "primary_server", "replica_server",
			"primary_connection_point", "replica_connection_point", "authentication", "provider")...)
	interval = gauge("interval_seconds",
		"Time between two replication cycles.", relationshipLabels...)
	rpoObjective = gauge("rpo_objective_seconds",
		"Lag that the operator promises not to exceed: by --rpo.objective, else twice the interval.", relationshipLabels...)
	consistentInterval = gauge("application_consistent_interval_seconds",
		"Time between two application-consistent recovery points; absent when there are to be none.", relationshipLabels...)
	recoveryPointsConfigured = gauge("recovery_points_configured",
		"Recovery points to be kept beside the latest.", relationshipLabels...)
	compressionEnabled = gauge("compression_enabled",
		"1 if replication traffic is compressed.", relationshipLabels...)
	autoResynchronizeEnabled = gauge("auto_resynchronize_enabled",
		"1 if a resynchronization that has become necessary starts by itself in its window.", relationshipLabels...)
	proxyBypassEnabled = gauge("proxy_bypass_enabled",
		"1 if the proxy server is bypassed.", relationshipLabels...)
	kvpReplicationEnabled = gauge("kvp_replication_enabled",
		"1 if the key-value pairs exchanged with the guest are replicated.", relationshipLabels...)
	autoResynchronizeStart = gauge("auto_resynchronize_window_start_seconds",
		"Start of the window for automatic resynchronization, seconds after local midnight of the host.", relationshipLabels...)
	autoResynchronizeEnd = gauge("auto_resynchronize_window_end_seconds",
		"End of the window for automatic resynchronization, seconds after local midnight of the host; before the start it means the next day.", relationshipLabels...)
	includedDisks = gauge("included_disks",
		"Virtual disks that are replicated.", relationshipLabels...)
)

// settingsCollector tells how each relationship that replicates is set up. If
// modes cannot be read the label mode is empty.
func settingsCollector(objectives []Objective) Collector {
	return Collector{
		Name:    "settings",
		Help:    "Settings of each relationship: peers, interval, objective, recovery points, resynchronization window.",
		Default: true,
		Reads:   rowsOf(msvm.ReplicationRelationship{}, msvm.ReplicationSettingData{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{
			relationshipInfo, interval, rpoObjective, consistentInterval, recoveryPointsConfigured, compressionEnabled,
			autoResynchronizeEnabled, proxyBypassEnabled, kvpReplicationEnabled, autoResynchronizeStart,
			autoResynchronizeEnd, includedDisks,
		},
		collect: func(ctx context.Context, v *view, out *output) error {
			relationships, relErr := readRelationships(ctx, v)
			settings, setErr := read[msvm.ReplicationSettingData](ctx, v)
			systems, sysErr := readMachines(ctx, v)
			errs := []error{relErr, relationships.odd, setErr, sysErr}
			wanted := replicating(relationships.rows)
			for _, row := range settings.rows {
				key, err := msvm.ParseKey(row.InstanceID)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if r, ok := wanted[key]; ok {
					delete(wanted, key)
					mode := ""
					if m, ok := systems.mode(key.VM); ok {
						mode = m.String()
					}
					collectSettings(row, r, mode, objectives, out)
				}
			}
			if setErr == nil {
				errs = append(errs, missingSettings(wanted))
			}
			return errors.Join(errs...)
		},
	}
}

// missingSettings is an error if there are relationships that the host has no
// settings of: without them nobody would be told that their objective is missed.
func missingSettings(of map[msvm.Key]relationship) error {
	if len(of) == 0 {
		return nil
	}
	var ids []string
	for k := range of {
		ids = append(ids, k.InstanceID())
	}
	slices.Sort(ids)
	return fmt.Errorf("the host has no settings of %d relationships that replicate, %s among them", len(ids), ids[0])
}

func collectSettings(s msvm.ReplicationSettingData, r relationship, mode string, objectives []Objective, out *output) {
	l := r.labels
	authentication := ""
	if s.AuthenticationType != nil {
		authentication = s.AuthenticationType.String()
	}
	out.add(relationshipInfo, 1, l.
		with(label("mode", mode)).
		with(label("primary_server", s.PrimaryServer())).
		with(label("replica_server", msvm.StringOrEmpty(s.RecoveryHostSystem))).
		with(label("primary_connection_point", msvm.StringOrEmpty(s.PrimaryConnectionPoint))).
		with(label("replica_connection_point", msvm.StringOrEmpty(s.RecoveryConnectionPoint))).
		with(label("authentication", authentication)).
		with(label("provider", s.ProviderID())))
	every, known := s.Interval()
	if known {
		out.add(interval, every.Seconds(), l)
	}
	if o, ok := objectiveFor(objectives, msvm.StringOrEmpty(r.ElementName), r.key.VM, every); ok {
		out.add(rpoObjective, o.Seconds(), l)
	}
	if h := s.ApplicationConsistentSnapshotInterval; h != nil && *h > 0 {
		out.add(consistentInterval, (time.Duration(*h) * time.Hour).Seconds(), l)
	}
	addNumber(out, recoveryPointsConfigured, s.RecoveryHistory, l)
	out.flag(compressionEnabled, s.CompressionEnabled, l)
	out.flag(autoResynchronizeEnabled, s.AutoResynchronizeEnabled, l)
	out.flag(proxyBypassEnabled, s.BypassProxyServer, l)
	out.flag(kvpReplicationEnabled, s.ReplicateHostKvpItems, l)
	addDuration(out, autoResynchronizeStart, s.AutoResynchronizeIntervalStart, l)
	addDuration(out, autoResynchronizeEnd, s.AutoResynchronizeIntervalEnd, l)
	if s.IncludedDisks != nil {
		out.add(includedDisks, float64(len(s.IncludedDisks)), l)
	}
}
